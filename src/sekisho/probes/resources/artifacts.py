"""What lies at ``model.artifact``: the files as they are, whoever wrote them, and Sekisho's own artifact where it is one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.contracted import artifact_of
from sekisho.contract.project import Project
from sekisho.errors import NotMeasured
from sekisho.gate.probe import resource
from sekisho.text import Text


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFiles:
    """The files of the model, unread.

    Attributes:
        path: A file or a folder.
        root: The folder that the names of the files start from: ``path`` itself, or the folder of the one file.
        files: Every file, sorted by name; symbolic links are not followed.
        links: Symbolic links among them.
        digest: SHA-256 of all names and bytes, in hexadecimal.

    """

    path: Path
    root: Path
    files: tuple[Path, ...]
    links: tuple[Path, ...]
    digest: str

    def name(self, file: Path) -> str:
        """Return the name of one of the files, from :attr:`root`."""
        return file.relative_to(self.root).as_posix()


@resource(title=Text(en="Look at the model's files", ja="モデルのファイルを確認"))
def model_files(project: Project) -> Iterator[ModelFiles]:
    """Yield what lies at ``model.artifact``.

    Raises:
        NotMeasured: Nothing does.

    """
    yield files_at(project.path(project.contract.model.artifact))


def files_at(path: Path) -> ModelFiles:
    """Return the files of the model at ``path``.

    Raises:
        NotMeasured: There is nothing, or an empty folder.

    """
    if not path.exists():
        raise _nothing(Text(en="there is no such file or folder", ja="ファイルもフォルダーもありません"), path)
    inside = sorted(path.rglob("*")) if path.is_dir() else [path]
    links = tuple(file for file in inside if file.is_symlink())
    files = tuple(file for file in inside if file.is_file() and not file.is_symlink())
    if not files and not links:
        raise _nothing(Text(en="the folder is empty", ja="フォルダーが空です"), path)
    root = path if path.is_dir() else path.parent
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file_digest(file)}  {file.relative_to(root).as_posix()}\n".encode())
    for link in links:
        digest.update(f"{link.readlink()} <- {link.relative_to(root).as_posix()}\n".encode())
    return ModelFiles(path=path, root=root, files=files, links=links, digest=digest.hexdigest())


@resource(title=Text(en="Load the artifact", ja="成果物を読み込み"))
def model_artifact(project: Project) -> Iterator[ModelArtifact]:
    """Yield the artifact at ``model.artifact``, every digest verified.

    Raises:
        ArtifactError: It is damaged, or its format could run code.
        NotFound: There is none.

    """
    yield artifact_of(project)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of one file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _nothing(what: Text, path: Path) -> NotMeasured:
    remedy = Text(
        en="pack the model with sekisho pack, or name its place in model.artifact",
        ja="sekisho pack で成果物を作るか、model.artifact に場所を指定してください",
    )
    return NotMeasured(what, remedy, where=path)
