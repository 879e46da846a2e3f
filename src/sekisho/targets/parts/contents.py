"""What of an artifact travels: the files that its manifest names, and no others that may lie beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.artifact import manifest
from sekisho.errors import TargetError
from sekisho.text import Text

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.artifact.artifact import ModelArtifact


def artifact_files(artifact: ModelArtifact) -> tuple[Path, ...]:
    """Return the files of ``artifact``, the manifest first.

    Raises:
        TargetError: It is not saved.

    """
    folder = artifact.folder
    if folder is None:
        raise TargetError(
            Text(en="the artifact is not on disk", ja="成果物がディスク上にありません"),
            Text(en="save it first", ja="先に保存してください"),
        )
    return (folder / manifest.NAME, *(folder / file.name for file in artifact.manifest.files))
