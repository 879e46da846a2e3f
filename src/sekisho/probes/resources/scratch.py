"""A copy of a project in which its training command can run: the recorded code, the recorded data, and no model.

Nothing in it is linked to the project, so that nothing there can be changed; and it holds no model, so that training cannot hand back one that
was kept.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from sekisho.artifact.content import is_pickle
from sekisho.artifact.protobuf import is_onnx
from sekisho.contract.project import Project
from sekisho.probes.resources.artifacts import ModelFiles, file_digest
from sekisho.probes.resources.repository import check_out, top_of
from sekisho.probes.resources.training import Input, Training

HEAD_BYTES: Final = 1024 * 1024
MOST_BYTES: Final = 1024 * 1024 * 1024
"""Larger files are taken for data."""
_MAGIC: Final = (b"\x89HDF", b"CBM1", b"tree\n", b"ZF", b"{L\x00")
_MODEL_ENDINGS: Final = frozenset(
    {".pkl", ".pickle", ".joblib", ".sav", ".skops", ".onnx", ".pt", ".pth", ".keras", ".safetensors"}
)
"""Endings that mean a model, whatever is in it."""

State = Literal["same", "changed", "missing", "outside", "not recorded"]


@dataclass(frozen=True, kw_only=True, slots=True)
class InputState:
    """One file that the model was trained from, today.

    Attributes:
        file: Its name as it is written down.
        state: ``same`` as when the model was trained, ``changed``, ``missing``, ``outside`` the project, or ``not recorded`` when nobody wrote
            down what it was.

    """

    file: str
    state: State


@dataclass(frozen=True, kw_only=True, slots=True)
class Scratch:
    """The copy.

    Attributes:
        top: Its top folder: that of the repository, or of the project.
        place: The folder that ``top`` is a copy of.
        root: The project's folder in it.
        inputs: The files that the model was trained from.
        left_out: Files that hold models and are not in it.

    """

    top: Path
    place: Path
    root: Path
    inputs: tuple[InputState, ...]
    left_out: tuple[str, ...]


def lay(training: Training, model: ModelFiles, top: Path) -> Scratch | None:
    """Make the copy in the new folder ``top``; ``None`` when the commit could not be checked out."""
    project = training.project
    place = project.root
    if training.code == "commit" and training.commit is not None:
        place = top_of(project.root)
        if not check_out(project.root, training.commit, top):
            return None
    root = top / project.root.resolve().relative_to(place.resolve())
    root.mkdir(parents=True, exist_ok=True)
    for name in training.files:
        _copy(project.path(name), root / name)
    inputs = tuple(_input(project, root, each) for each in training.inputs)
    return Scratch(
        top=top, place=place, root=root, inputs=inputs, left_out=tuple(_without_models(project, training, model, root))
    )


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copyfile(source, target)
    shutil.copymode(source, target)


def _input(project: Project, root: Path, each: Input) -> InputState:
    """Bring one file as it was when the model was trained: from the commit, or as it lies in the folder."""
    if not each.inside:
        return InputState(file=each.file, state="outside")
    here, copied = project.path(each.file), root / each.file
    if each.digest is not None and copied.is_file() and file_digest(copied) == each.digest:
        return InputState(file=each.file, state="same")
    if not here.is_file() or here.is_symlink():
        return InputState(file=each.file, state="missing" if each.digest else "not recorded")
    _copy(here, copied)
    if each.digest is None:
        return InputState(file=each.file, state="not recorded")
    return InputState(file=each.file, state="same" if file_digest(copied) == each.digest else "changed")


def _without_models(project: Project, training: Training, model: ModelFiles, root: Path) -> Iterator[str]:
    """Remove the artifact and every other file that holds a model, unless it was written down as data; yield the others."""
    artifact = root / project.contract.model.artifact
    if artifact.is_dir():
        shutil.rmtree(artifact)
    artifact.unlink(missing_ok=True)
    data = {root / each.file for each in training.inputs}
    own = {(path.stat().st_size, file_digest(path)) for path in model.files if path.stat().st_size > 64}
    sizes = {size for size, _ in own}
    for path in sorted(root.rglob("*")):
        if path in data or not path.is_file() or path.is_symlink() or ".git" in path.relative_to(root).parts:
            continue
        size = path.stat().st_size
        if (size in sizes and (size, file_digest(path)) in own) or (size <= MOST_BYTES and _holds_model(path)):
            yield path.relative_to(root).as_posix()
            path.unlink()


def _holds_model(path: Path) -> bool:
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if path.suffix.lower() in _MODEL_ENDINGS or head.startswith(_MAGIC):
        return bool(head)
    if head.lstrip()[:1] == b"{" and b'"learner"' in head[:4096]:
        return True
    if head.startswith(b"PK"):
        return b"schema.json" in head or b"data.pkl" in head
    if is_pickle(head) and head[:1] == b"\x80":
        return True
    return b"\x00" in head and is_onnx(path.read_bytes() if len(head) == HEAD_BYTES else head)
