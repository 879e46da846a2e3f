"""The model package: ``model.tar.gz``, the same bytes for the same artifact.

SageMaker unpacks it into ``/opt/ml/model`` before it starts the container, so the files of the artifact lie at the top.
"""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sekisho.targets.parts.contents import artifact_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.artifact.artifact import ModelArtifact


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """A model package on disk.

    Attributes:
        path: The file; it is gone after the ``with`` block that made it.
        size: In bytes.
        digest: SHA-256 in hexadecimal.

    """

    path: Path
    size: int
    digest: str


@contextmanager
def model_package(artifact: ModelArtifact) -> Iterator[Package]:
    """Make the package of ``artifact`` in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="sekisho-package-") as folder:
        path = Path(folder) / "model.tar.gz"
        write_package(artifact_files(artifact), path)
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        yield Package(path=path, size=path.stat().st_size, digest=digest)


def write_package(files: tuple[Path, ...], path: Path) -> None:
    """Write ``files`` to a compressed archive without owners, times or permissions of this machine."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w|", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for file in files:
            entry = tarfile.TarInfo(file.name)
            entry.size = file.stat().st_size
            entry.mode = 0o644
            with file.open("rb") as content:
                archive.addfile(entry, content)
