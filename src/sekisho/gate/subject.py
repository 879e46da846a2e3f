"""What the verdicts speak of: the very bytes that would ship."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.contract.project import Project


def artifact_digest(project: Project) -> str | None:
    """Return the SHA-256 that the project's artifact is known by, or ``None`` if there is none.

    The folder of a Sekisho artifact is known by its manifest, which holds the digest of every file; whatever else lies there (a
    single file, a foreign folder) by the names and contents of its files.
    """
    path = project.path(project.contract.model.artifact)
    manifest = path / "manifest.json"
    if manifest.is_file():
        return hashlib.sha256(manifest.read_bytes()).hexdigest()
    if path.is_file():
        return _file_digest(path)
    if path.is_dir():
        lines = (
            f"{_file_digest(file)}  {file.relative_to(path).as_posix()}\n"
            for file in sorted(path.rglob("*"))
            if file.is_file() and not file.is_symlink()
        )
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    return None


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
