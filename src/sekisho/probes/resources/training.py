"""What trained the model: the command, the code at its commit, and the files that it read."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from sekisho.artifact.artifact import ModelArtifact
from sekisho.contract.project import Project
from sekisho.gate.probe import resource
from sekisho.probes.resources.artifacts import ModelFiles, file_digest
from sekisho.probes.resources.files import project_files
from sekisho.probes.resources.repository import commit_of, git, has_commit, tracked
from sekisho.probes.resources.written import Written, read_written
from sekisho.text import Text

Code = Literal["commit", "folder", "unknown commit"]
SECRET: Final = re.compile(r"(^|/)(\.env(\..*)?|secrets|.*\.(pem|p12|pfx))(/|$)")
"""Files that training has no business with."""
_COMMANDS: Final = ("training_command", "train_command", "training.command", "command")


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """One file that the model was trained from.

    Attributes:
        file: Its path from the project's folder; as it was written down if it lies elsewhere.
        inside: Whether it lies in the project's folder.
        digest: The SHA-256 that was written down when the model was trained; ``None`` when only the contract names it.

    """

    file: str
    inside: bool
    digest: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """How the model came about.

    Attributes:
        project: Whose model it is.
        command: Program and arguments; empty when nobody has stated them.
        stated_by: Who has: ``contract`` or ``metadata``.
        code: Where its code is taken from: the recorded commit, the folder as it is where it is under no version control, or nowhere,
            because the recorded commit is not in this repository.
        commit: The commit.
        inputs: The files it was trained from.
        files: What is taken from the folder where ``code`` is that, from the project's folder.
        digest: Of all of it, and of the bytes that are taken.

    """

    project: Project
    command: tuple[str, ...]
    stated_by: str
    code: Code
    commit: str | None
    inputs: tuple[Input, ...]
    files: tuple[str, ...]
    digest: str


@resource(title=Text(en="Look up how the model was trained", ja="学習方法の記録を確認"))
def training(project: Project, files: ModelFiles, artifact: ModelArtifact | None) -> Iterator[Training]:
    """Yield how the model came about, as contract and metadata say."""
    written = read_written(files, artifact)
    command, stated_by = _command(project, artifact, written)
    code, commit = _code(project, written.find("code"))
    inputs = tuple(_inputs(project, artifact))
    taken = tuple(_taken(project)) if command and code == "folder" else ()
    yield Training(
        project=project,
        command=command,
        stated_by=stated_by,
        code=code,
        commit=commit,
        inputs=inputs,
        files=taken,
        digest=_digest(project, command, commit, inputs, taken),
    )


def _command(project: Project, artifact: ModelArtifact | None, written: Written) -> tuple[tuple[str, ...], str]:
    if project.contract.model.training_command:
        return project.contract.model.training_command, "contract"
    if artifact is not None:
        return artifact.metadata.training_command, "metadata"
    for name in _COMMANDS:
        words = written.group(name)
        value = written.entries.get(name)
        if words and all(key.isdecimal() for key in words):
            return tuple(str(words[key]) for key in sorted(words, key=int)), "metadata"
        if isinstance(value, str) and value.strip():
            try:
                return tuple(shlex.split(value)), "metadata"
            except ValueError:
                continue
    return (), "metadata"


def _code(project: Project, stated: object) -> tuple[Code, str | None]:
    """Return where the code is taken from: what is under no version control is taken as it lies there."""
    head = commit_of(project.root, "HEAD")
    if head is None:
        return "folder", None
    recorded = str(stated) if isinstance(stated, str) and stated else head
    if not has_commit(project.root, recorded):
        # A folder of somebody else's repository, in which nothing of this project is kept.
        return ("unknown commit", recorded) if tracked(project.root, head) else ("folder", None)
    return ("commit", commit_of(project.root, recorded)) if tracked(project.root, recorded) else ("folder", None)


def _inputs(project: Project, artifact: ModelArtifact | None) -> Iterator[Input]:
    """Yield the files that the artifact says it was trained from, then those of the contract."""
    seen = set()
    for each in artifact.metadata.data if artifact is not None else ():
        if each.file:
            path = Path(each.file)
            inside = not path.is_absolute() or path.is_relative_to(project.root)
            inside = inside and ".." not in path.parts
            file = path.relative_to(project.root).as_posix() if inside and path.is_absolute() else path.as_posix()
            seen.add(file)
            yield Input(file=file, inside=inside, digest=each.digest)
    data = project.contract.data
    for name in (data.training, data.test, data.production):
        if name is not None and Path(name).as_posix() not in seen:
            yield Input(file=Path(name).as_posix(), inside=True, digest=None)


def _taken(project: Project) -> Iterator[str]:
    """Yield the files of the folder, but for the artifact itself and what is secret."""
    contract = project.contract
    artifact = project.path(contract.model.artifact)
    keys = [] if contract.security.key_file is None else [project.root / contract.security.key_file]
    for path in project_files(project.root):
        name = path.relative_to(project.root).as_posix()
        if not path.is_relative_to(artifact) and path not in keys and not SECRET.search(name):
            yield name


def _digest(
    project: Project, command: tuple[str, ...], commit: str | None, inputs: tuple[Input, ...], taken: tuple[str, ...]
) -> str:
    digest = hashlib.sha256(f"{command!r} {commit!r} {inputs!r}\n".encode())
    names = {*taken, *(each.file for each in inputs if each.inside)} if command else set()
    for name in sorted(names):
        path = project.path(name)
        digest.update(f"{file_digest(path) if path.is_file() else None}  {name}\n".encode())
    changed = git(project.root, "status", "--porcelain", "--untracked-files=no") if commit else None
    digest.update(repr(changed).encode())
    return digest.hexdigest()
