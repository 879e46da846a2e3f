"""What the files of the model are, whether reading them runs code, and whether the model answers as it did when it was packed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.golden import same_answers
from sekisho.errors import SekishoError
from sekisho.gate.probe import Progress, probe
from sekisho.predict.fence import Fence, FencedRuntime
from sekisho.probes.files.load_child import NO_LIBRARY
from sekisho.probes.files.sums import broken_sums
from sekisho.probes.files.telling import ACCEPTED, Look, promised, tell
from sekisho.probes.resources.artifacts import ModelFiles
from sekisho.text import Text

MOST_BYTES: Final = 2 * 1024**3
"""Of a larger file only this much is looked at."""
MEMORY: Final = 4 * 1024**3
"""How much memory a model may take while it is loaded."""
SECONDS: Final = 60.0
GOLDEN_SECONDS: Final = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PickleInside:
    """A pickle, by its opcodes: it was not read.

    Attributes:
        place: Where it stands inside the file; empty: the file itself.
        imports: What it fetches by name, such as ``posix.system``.
        calls: How often it calls something.
        opcodes: How many opcodes were listed.

    """

    place: str
    imports: tuple[str, ...]
    calls: int
    opcodes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FileLook:
    """One file.

    Attributes:
        name: Its name, from the folder of the model.
        size: In bytes.
        content: What it is, told by its content.
        accepted: Whether that is a format for models that runs no code.
        as_promised: Whether its content is what its name promises; ``None`` when that promises nothing.
        runs_code: Whether reading it runs code that it holds.
        whole: Whether it is complete; ``None`` where its structure does not tell.
        pickles: The pickles in it.
        strange_types: Types in a skops file that nobody trusts.
        notes: What else was seen, as codes of :class:`~sekisho.probes.files.telling.Look`.

    """

    name: str
    size: int
    content: str
    accepted: bool
    as_promised: bool | None
    runs_code: bool
    whole: bool | None
    pickles: tuple[PickleInside, ...]
    strange_types: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Loading:
    """Whether one model loads in a process of its own.

    Attributes:
        name: The file, or the folder.
        loads: ``None`` when no library here reads it.
        fault: Why it does not.

    """

    name: str
    loads: bool | None
    fault: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFormat:
    """The files of the model.

    Attributes:
        files: Every file.
        links: Symbolic links, which may lead anywhere.
        broken_sums: Files that are not what a manifest or a list of checksums says, with what is wrong.
        summed: Whether there is such a manifest or list.
        loading: The models that were loaded.
        golden_rows: How many golden rows were asked again; ``None`` when there are none or it did not load.
        golden_wrong: How many of them were answered otherwise.
        digest: Of all files.

    """

    files: tuple[FileLook, ...]
    links: tuple[str, ...]
    broken_sums: tuple[str, ...]
    summed: bool
    loading: tuple[Loading, ...]
    golden_rows: int | None
    golden_wrong: int | None
    digest: str


@probe(
    "artifact/model-format", title=Text(en="Look into the model's files", ja="モデルファイルの中身を検査"), seconds=5
)
def model_format(files: ModelFiles, artifact: ModelArtifact | None, progress: Progress) -> ModelFormat:
    """Tell every file by its content; load what is safe in a child process; ask the golden rows again."""
    looks = []
    for place, path in enumerate(files.files):
        looks.append(_file(files, path))
        progress.advance(0.5 * place / len(files.files))
    summed, broken = _sums(files)
    rows = wrong = None
    if artifact is not None:
        loading, rows, wrong = _golden(artifact)
    else:
        # What is not what it says it is need not be seen to load.
        loading = [] if broken else list(_each(files, looks))
    return ModelFormat(
        files=tuple(looks),
        links=tuple(files.name(link) for link in files.links),
        broken_sums=broken,
        summed=summed,
        loading=tuple(loading),
        golden_rows=rows,
        golden_wrong=wrong,
        digest=files.digest,
    )


def _file(files: ModelFiles, path: Path) -> FileLook:
    with path.open("rb") as stream:
        data = stream.read(MOST_BYTES)
    look, promise = tell(data, folder=path.parent), promised(path.name)
    if look.content == "JSON" and look.whole is False and promise is not None and "JSON" not in promise:
        look = Look(content="text")  # it only begins like JSON
    return FileLook(
        name=files.name(path),
        size=path.stat().st_size,
        content=look.content,
        accepted=look.content in ACCEPTED,
        as_promised=None if promise is None else look.content in promise and "web-page" not in look.notes,
        runs_code=look.runs_code,
        whole=look.whole,
        pickles=tuple(
            PickleInside(place=place, imports=listing.imports, calls=listing.calls, opcodes=listing.opcodes)
            for place, listing in look.pickles.items()
        ),
        strange_types=look.strange_types,
        notes=look.notes,
    )


def _sums(files: ModelFiles) -> tuple[bool, tuple[str, ...]]:
    """Return whether anything says what the bytes must be, and where they are not."""
    if (files.root / "signature.json").is_file() and (files.root / "manifest.json").is_file():
        try:
            ModelArtifact.load(files.root)  # every file as the manifest says, and none against another
        except SekishoError as error:
            place = Path(error.where or "").name
            return True, (f"{place}: {error.what.en}",)
        return True, ()
    return broken_sums(files)


def _golden(artifact: ModelArtifact) -> tuple[list[Loading], int | None, int | None]:
    """Load the artifact behind a fence and ask its golden rows."""
    assert artifact.folder is not None
    runtime = FencedRuntime(artifact.folder, Fence(memory=MEMORY))
    try:
        runtime.wait_until_ready(SECONDS)
        if not artifact.golden.rows:
            return [Loading(name=artifact.folder.name, loads=True, fault=None)], None, None
        columns = artifact.golden.table(artifact.signature).arrays()
        answers = runtime.run(columns, seconds=GOLDEN_SECONDS)
    except SekishoError as error:
        return [Loading(name=artifact.folder.name, loads=False, fault=error.what.en)], None, None
    finally:
        runtime.stop()
    loaded = Loading(name=artifact.folder.name, loads=True, fault=None)
    return [loaded], len(artifact.golden.rows), len(same_answers(artifact.golden, answers))


def _each(files: ModelFiles, looks: list[FileLook]) -> Iterator[Loading]:
    """Load every model file that runs no code, each in a process of its own."""
    for look in looks:
        if look.accepted and not look.runs_code and look.whole is not False:
            yield _loaded(files.root / look.name, look)


def _loaded(path: Path, look: FileLook) -> Loading:
    command = [sys.executable, "-P", "-m", "sekisho.probes.files.load_child", look.content, str(path), str(MEMORY)]
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
            env=environment | {"OMP_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        return Loading(name=look.name, loads=False, fault=f"it is still loading after {SECONDS:g} s")
    if done.returncode == NO_LIBRARY:
        return Loading(name=look.name, loads=None, fault=None)
    if done.returncode == 0:
        return Loading(name=look.name, loads=True, fault=None)
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return Loading(name=look.name, loads=False, fault=(lines[-1] if lines else f"exit code {done.returncode}")[:200])
