"""A single model file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sekisho.artifact.imports.interface import Found, Importer
from sekisho.artifact.packing import read_model


class FileImporter(Importer):
    """``model.skops``, ``model.onnx`` and the like; a pickle only with trust."""

    id = "file"

    def takes(self, source: str) -> bool:
        """Take whatever is no folder, so that a missing file is told as one."""
        return ":" not in source.partition("/")[0] and not Path(source).is_dir()

    def read(self, source: str, *, trust: bool, trusted_types: tuple[str, ...]) -> Found:
        """Read the file; it is called as its name is."""
        path = Path(source)
        return Found(model=read_model(path, trust=trust, trusted_types=trusted_types), name=path.stem)


FILE: Final = FileImporter()
