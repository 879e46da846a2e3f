"""Arrays in one file: npz without pickle, the same bytes for the same arrays."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from sekisho.artifact.content import open_archive, read_entry
from sekisho.errors import IntegrityError
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def write_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the npz file of ``arrays``: readable with :func:`numpy.load`, no times in it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content.getvalue())
    return stream.getvalue()


def read_arrays(data: bytes, *, where: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of an npz file.

    Raises:
        IntegrityError: It is damaged, beyond the limits, or holds Python objects.

    """
    arrays = {}
    with open_archive(data, where=where) as archive:
        for name in archive.namelist():
            content = io.BytesIO(read_entry(archive, name, where=where))
            try:
                arrays[name.removesuffix(".npy")] = np.lib.format.read_array(content, allow_pickle=False)
            except (ValueError, EOFError, MemoryError, OverflowError, TypeError, SyntaxError):
                raise IntegrityError(
                    Text(en=f"{name} is not a plain array", ja=f"{name} は通常の配列ではありません"),
                    Text(en="pack the artifact again", ja="成果物をパックし直してください"),
                    where=where,
                ) from None
    return arrays
