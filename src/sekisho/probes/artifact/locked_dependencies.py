"""What the lock fixes, whether it is what trained the model, and whether it holds all that answering imports."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sekisho
from sekisho.artifact import boosting
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.lock import normalised
from sekisho.contract.project import Project
from sekisho.gate.probe import Progress, probe
from sekisho.probes.files.locks import NAMES, Requirement, read_requirements
from sekisho.probes.files.made_by import MOST_BYTES, versions_inside
from sekisho.probes.resources.artifacts import ModelFiles
from sekisho.probes.resources.written import Written, read_written
from sekisho.text import Text

SECONDS: Final = 60.0
_INCOMPLETE: Final = "In `--require-hashes` mode, all requirements must"
"""What uv says of a lock that does not hold all that its own distributions need."""
NETWORK: Final = "SEKISHO_FRESH_ENVIRONMENT"
"""Set to ``network``, the fresh environment may be installed from the network; else only from uv's cache."""
_INSTALLED: Final = re.compile(r"(?<![\w.-])([A-Za-z][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([0-9][A-Za-z0-9.!+_-]*)")
_BASE: Final = re.compile(r"^FROM\s+(?:--\S+\s+)*(?:\S*/)?python:(\d+\.\d+)", re.MULTILINE | re.IGNORECASE)
OURS: Final = frozenset({"sekisho", "pip", "setuptools", "wheel", "uv"})


@dataclass(frozen=True, kw_only=True, slots=True)
class LockFault:
    """One requirement that leaves something open.

    Attributes:
        lock: The file.
        line: Where it stands; 0 in files that are not read by lines.
        requirement: What it names.
        fault: ``open`` (no exact version), ``no hash``, ``bad hash``, ``option`` (such as ``--index-url``), ``address``, ``editable``,
            ``twice`` (at two versions), ``python`` (made for another one) or ``unreadable``.

    """

    lock: str
    line: int
    requirement: str
    fault: str


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionConflict:
    """One distribution that is locked at another version than the model was made with.

    Attributes:
        name: The distribution.
        locked: The version in the lock.
        made_with: The version that made the model.
        source: Where that is written: the metadata, or the model file itself.

    """

    name: str
    locked: str
    made_with: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FreshEnvironment:
    """The golden rows asked in an environment that was made from the lock alone.

    Attributes:
        rows: How many were asked; ``None`` when there was no such environment.
        wrong: How many were answered otherwise.
        fault: Why there was none, or why it did not answer.
        made: Whether the environment could be made.

    """

    rows: int | None
    wrong: int | None
    fault: str | None
    made: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class LockedDependencies:
    """What is locked.

    Attributes:
        locks: The files that were read; empty when there is none.
        missing: The file that the contract names and that is not there.
        requirements: How many distributions they name.
        faults: Those that leave something open.
        conflicts: Those that are locked at another version than the model was made with.
        compared: How many versions were compared.
        imported: The distributions that answering the golden rows imported; ``None`` when it could not be seen.
        uncovered: Those of them that the lock does not hold; of a bare model file, the libraries that its format belongs to.
        fresh: The golden rows in an environment made from the lock alone; ``None`` when the lock is not fit to be installed.

    """

    locks: tuple[str, ...]
    missing: str | None
    requirements: int
    faults: tuple[LockFault, ...]
    conflicts: tuple[VersionConflict, ...]
    compared: int
    imported: tuple[str, ...] | None
    uncovered: tuple[str, ...]
    fresh: FreshEnvironment | None


@probe("artifact/locked-dependencies", title=Text(en="Read the lock", ja="ロックファイルを検査"), seconds=6)
def locked_dependencies(
    project: Project, files: ModelFiles, artifact: ModelArtifact | None, progress: Progress
) -> LockedDependencies:
    """Read the lock, compare it with what made the model, and see what answering imports."""
    stated = project.contract.infrastructure.lock
    locks = list(_locks(project, files, artifact))
    read = {path: read_requirements(path) for path in locks}
    requirements = [requirement for each in read.values() for requirement in each]
    versions = {each.name: each.version for each in requirements if each.version is not None and each.applies}
    made_with = list(_made_with(files, artifact))
    progress.advance(0.2)
    faults = tuple(fault for path, each in read.items() for fault in _faults(_name(path, project), each))
    imported: tuple[str, ...] | None = None
    uncovered: tuple[str, ...] = ()
    fresh: FreshEnvironment | None = None
    names = {each.name for each in requirements if each.applies} | OURS
    if artifact is None and locks and not faults:
        uncovered = tuple(sorted(_owners(files) - names - {name.removesuffix("-cpu") for name in names}))
    if artifact is not None and artifact.folder is not None and locks:
        imported = _imported(artifact.folder)
        uncovered = tuple(name for name in imported or () if name not in names)
        progress.advance(0.5)
        if (
            not faults
            and locks[0].suffix in {".lock", ".txt"}
            and locks[0].name not in {"uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock"}
        ):
            fresh = _fresh(locks[0], artifact.folder)
    return LockedDependencies(
        locks=tuple(_name(path, project) for path in locks),
        missing=stated if stated is not None and not project.path(stated).is_file() else None,
        requirements=len(requirements),
        faults=faults,
        conflicts=(*_conflicts(versions, made_with), *_in_the_image(project, made_with, read_written(files, artifact))),
        compared=sum(name in versions for name, _, _ in made_with),
        imported=imported,
        uncovered=uncovered,
        fresh=fresh,
    )


def _locks(project: Project, files: ModelFiles, artifact: ModelArtifact | None) -> Iterator[Path]:
    """Yield the locks that govern what is served: the artifact's own, the one the contract names, else the first found."""
    stated = project.contract.infrastructure.lock
    named = [] if stated is None else [project.path(stated)]
    own = [] if artifact is None or artifact.lock is None else [artifact.lock]
    found = [path for path in (*own, *named) if path.is_file()]
    if not found and stated is None:
        places = (folder / name for folder in (files.root, project.root) for name in NAMES)
        found = [path for path in places if path.is_file()][:1]
    yield from dict.fromkeys(found)


def _name(path: Path, project: Project) -> str:
    return path.relative_to(project.root).as_posix() if path.is_relative_to(project.root) else path.name


def _faults(lock: str, requirements: Sequence[Requirement]) -> Iterator[LockFault]:
    if not requirements:
        yield LockFault(lock=lock, line=0, requirement=lock, fault="unreadable")
    for each in requirements:
        if each.fault is not None:
            yield LockFault(lock=lock, line=each.line, requirement=each.name, fault=each.fault)


def _made_with(files: ModelFiles, artifact: ModelArtifact | None) -> Iterator[tuple[str, str, str]]:
    """Yield distribution, version, and where it is written that the model was made with it."""
    for name, version in read_written(files, artifact).versions.items():
        yield name, version, "metadata"
    for path in files.files:
        for name, version in versions_inside(path).items():
            yield name, version, files.name(path)


def _owners(files: ModelFiles) -> set[str]:
    """Return the libraries without which the model files cannot be read; ONNX belongs to none."""
    owners = {name for path in files.files for name in versions_inside(path)}
    for path in files.files:
        if path.stat().st_size <= MOST_BYTES:
            data = path.read_bytes()
            owners |= {name for name, unit in boosting.units().items() if unit.recognises(data)}
    return owners


def _conflicts(versions: Mapping[str, str], made_with: Sequence[tuple[str, str, str]]) -> Iterator[VersionConflict]:
    for name, version, source in dict.fromkeys(made_with):
        locked = versions.get(name)
        if locked is not None and not _same(locked, version):
            yield VersionConflict(name=name, locked=locked, made_with=version, source=source)


def _in_the_image(
    project: Project, made_with: Sequence[tuple[str, str, str]], written: Written
) -> Iterator[VersionConflict]:
    """Yield what the Dockerfile installs at another version than the model was made with, Python among it."""
    name = project.contract.infrastructure.dockerfile
    if name is None or not project.path(name).is_file():
        return
    text = project.path(name).read_text("utf-8", "replace")
    installed = {normalised(found[1]): found[2] for found in _INSTALLED.finditer(text)}
    based = _BASE.findall(text)
    trained = written.entries.get("python", written.entries.get("python_version"))
    if based and isinstance(trained, str) and re.match(r"\d+\.\d+", trained):
        installed["python"] = based[-1]
        made_with = [*made_with, ("python", ".".join(trained.split(".")[:2]), "metadata")]
    for distribution, version, source in dict.fromkeys(made_with):
        there = installed.get(distribution)
        if there is not None and not _same(there, version):
            yield VersionConflict(name=f"{distribution} ({name})", locked=there, made_with=version, source=source)


def _same(locked: str, made_with: str) -> bool:
    """Return whether a version is the locked one; written in short, such as 1.9, it stands for every 1.9.x."""
    one, other = _release(locked), _release(made_with)
    return one == other or (other.count(".") < 2 and one.startswith(f"{other}."))


def _release(version: str) -> str:
    return re.sub(r"\+.*$", "", version.strip().lstrip("v="))


def _imported(folder: Path) -> tuple[str, ...] | None:
    """Return the distributions that answering the golden rows imports; ``None`` when it does not answer."""
    told = _child(sys.executable, folder, {})
    return None if isinstance(told, str) else tuple(normalised(name) for name in told["distributions"])


def _child(python: str, folder: Path, environment: Mapping[str, str]) -> dict[str, Any] | str:
    command = [python, "-P", "-m", "sekisho.probes.files.import_child", str(folder)]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=SECONDS, check=False, env={**os.environ, **environment}
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {SECONDS:g} s"
    lines = (done.stdout if done.returncode == 0 else done.stderr).decode("utf-8", "replace").strip().splitlines()
    if done.returncode != 0 or not lines:
        return (lines[-1] if lines else f"exit code {done.returncode}")[:200]
    return dict(json.loads(lines[-1]))


def _fresh(lock: Path, folder: Path) -> FreshEnvironment:
    """Make an environment from the lock alone, from uv's cache, and ask the golden rows there."""
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if uv is None:
        return FreshEnvironment(rows=None, wrong=None, fault="uv is not installed", made=False)
    reach = () if os.environ.get(NETWORK) == "network" else ("--offline",)
    with tempfile.TemporaryDirectory(prefix="sekisho-fresh-") as place:
        python = Path(place) / "bin" / "python"
        steps = (
            [uv, "venv", "--quiet", *reach, "--python", sys.executable, "--allow-existing", place],
            [uv, "pip", "install", "--quiet", *reach, "--require-hashes", "--python", str(python), "-r", str(lock)],
        )
        for step in steps:
            try:
                done = subprocess.run(step, capture_output=True, timeout=SECONDS, check=False)
            except subprocess.TimeoutExpired:
                return FreshEnvironment(rows=None, wrong=None, fault=f"not made within {SECONDS:g} s", made=False)
            if done.returncode != 0:
                said = " ".join(done.stderr.decode("utf-8", "replace").split())
                if _INCOMPLETE in said:
                    return FreshEnvironment(rows=None, wrong=None, fault=said[-200:], made=True)
                return FreshEnvironment(rows=None, wrong=None, fault="its files are not in uv's cache", made=False)
        # Sekisho itself comes from here, and nothing that lies beside it.
        ours = Path(place) / "ours"
        ours.mkdir()
        (ours / "sekisho").symlink_to(Path(sekisho.__file__).parent)
        told = _child(str(python), folder, {"PYTHONPATH": str(ours)})
    if isinstance(told, str):
        return FreshEnvironment(rows=None, wrong=None, fault=told, made=True)
    return FreshEnvironment(rows=told["rows"], wrong=told["wrong"], fault=None, made=True)
