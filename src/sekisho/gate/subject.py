"""What the verdicts speak of: the very bytes that would ship."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sekisho.artifact import manifest
from sekisho.errors import SekishoError

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.contract.project import Project


def artifact_digest(project: Project) -> str | None:
    """Return the SHA-256 that the project's artifact is known by, or ``None`` if there is none.

    A whole Sekisho artifact is known by its manifest. Whatever else lies there (a single file, a foreign folder, an artifact
    whose files are not what its manifest says) is known by the names and bytes of its files.
    """
    path = project.path(project.contract.model.artifact)
    files = _files(path)
    if not files:
        return None
    return _manifest_digest(path, files) or _tree_digest(files)


def _files(path: Path) -> dict[str, str]:
    """Return the SHA-256 of each file, by its name from the folder; a link counts as the place it names."""
    inside = sorted(path.rglob("*")) if path.is_dir() else [path]
    root = path if path.is_dir() else path.parent
    files = {file.relative_to(root).as_posix(): _file_digest(file) for file in inside if _is_plain(file)}
    links = {f"{file.relative_to(root).as_posix()} ->": str(file.readlink()) for file in inside if file.is_symlink()}
    return files | links


def _is_plain(file: Path) -> bool:
    return file.is_file() and not file.is_symlink()


def _manifest_digest(path: Path, files: dict[str, str]) -> str | None:
    if manifest.NAME not in files or not path.is_dir():
        return None
    file = path / manifest.NAME
    if file.stat().st_size > manifest.MOST_BYTES:
        return None
    try:
        read = manifest.read_manifest(file.read_bytes(), where=manifest.NAME)
    except SekishoError:
        return None
    listed = {each.name: each.sha256 for each in read.files} | {manifest.NAME: files[manifest.NAME]}
    return read.digest if listed == files else None


def _tree_digest(files: dict[str, str]) -> str:
    return hashlib.sha256("".join(f"{digest}  {name}\n" for name, digest in files.items()).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
