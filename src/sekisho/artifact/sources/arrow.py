"""Tables of Apache Arrow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sekisho.artifact.column import (
    Column,
    booleans,
    datetimes,
    floats,
    integers,
    objects,
    strings,
    unsupported,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


def of_table(table: Any) -> tuple[Column, ...]:
    """Return the columns of a ``pyarrow.Table`` or ``RecordBatch``; dtypes are given in the words of pandas."""
    return tuple(of_array(str(name), table.column(index)) for index, name in enumerate(table.schema.names))


def of_array(name: str, array: Any) -> Column:
    """Return the column of one ``pyarrow.Array`` or ``ChunkedArray``.

    Raises:
        WrongUse: It has a type that JSON cannot carry.

    """
    import pyarrow as pa

    kind, types = array.type, pa.types
    null: NDArray[np.bool_] = _numpy(array.is_null()).astype(np.bool_)
    if types.is_dictionary(kind):
        return _dictionary(name, array, null)
    if types.is_boolean(kind):
        return booleans(name, "boolean" if null.any() else "bool", _numpy(array.fill_null(False)), null)  # noqa: FBT003
    if types.is_integer(kind):
        own = str(kind).capitalize().replace("Ui", "UI") if null.any() else str(kind)
        return integers(name, own, _numpy(array.fill_null(0)), null)
    if types.is_floating(kind) or types.is_decimal(kind):
        own = "float32" if types.is_float32(kind) else "float64"
        return floats(name, own, _numpy(array.cast(pa.float64())), null)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return strings(name, "object", _cells(array), null)
    if types.is_timestamp(kind) or types.is_date(kind):
        zone = getattr(kind, "tz", None)
        moments = _numpy(array.cast(pa.timestamp("us", zone), safe=False))
        return datetimes(name, f"datetime64[us, {zone}]" if zone else "datetime64[us]", moments)
    if types.is_null(kind):
        return objects(name, "object", _cells(array).tolist(), null)
    raise unsupported(name, str(kind))


def _dictionary(name: str, array: Any, null: NDArray[np.bool_]) -> Column:
    unified = array.unify_dictionaries().combine_chunks() if hasattr(array, "unify_dictionaries") else array
    chunks = getattr(unified, "chunks", [unified])
    declared = tuple(chunks[0].dictionary.to_pylist()) if chunks else ()
    if not all(isinstance(value, str | int) for value in declared):
        raise unsupported(name, f"categories of type {array.type.value_type}")
    dtype = "category[ordered]" if array.type.ordered else "category"
    return replace(strings(name, dtype, _cells(array), null, kind="category"), categories=declared)


def _numpy(array: Any) -> NDArray[np.generic]:
    values: NDArray[np.generic] = array.to_numpy() if hasattr(array, "chunks") else array.to_numpy(zero_copy_only=False)
    return values


def _cells(array: Any) -> NDArray[np.generic]:
    cells = np.empty(len(array), dtype=object)
    cells[:] = array.to_pylist()
    return cells
