"""What of an artifact travels: the manifest with its signatures and the files that it names, and no others that may lie beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.artifact import manifest
from sekisho.errors import TargetError
from sekisho.text import Text

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.artifact.artifact import ModelArtifact


def artifact_files(artifact: ModelArtifact) -> tuple[Path, ...]:
    """Return the files of ``artifact``, the manifest first, then its signatures if there are any.

    Raises:
        TargetError: It is not saved.

    """
    folder = artifact.folder
    if folder is None:
        raise TargetError(
            Text(en="the artifact is not on disk", ja="成果物がディスク上にありません"),
            Text(en="save it first", ja="先に保存してください"),
        )
    signatures = (folder / manifest.ENVELOPE,) if artifact.signatures else ()
    return (folder / manifest.NAME, *signatures, *(folder / file.name for file in artifact.manifest.files))
