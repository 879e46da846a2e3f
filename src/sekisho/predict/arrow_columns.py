"""Columns of Arrow as the rules of a signature judge them: each becomes one array of :class:`~sekisho.predict.columnar.ColumnarRows`.

Only plain columns are read: numbers, booleans, strings, dictionaries of these, moments with a time zone, and nulls. Types that spread a few
bytes over many rows (run-end encoded, views, lists) are no cells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sekisho.predict.cells import refusal
from sekisho.predict.columnar import ColumnarRows, check_strings, column_of, matrix_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sekisho.artifact.signature import Feature


def is_plain(arrow: Any, kind: Any) -> bool:
    """Return whether a column of type ``kind`` holds single cells."""
    types = arrow.types
    if types.is_dictionary(kind):
        return types.is_integer(kind.index_type) and (
            is_text(arrow, kind.value_type) or types.is_integer(kind.value_type)
        )
    return (
        is_text(arrow, kind)
        or types.is_boolean(kind)
        or types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_null(kind)
        or types.is_timestamp(kind)
    )


def is_text(arrow: Any, kind: Any) -> bool:
    """Return whether ``kind`` is a type of strings."""
    return bool(arrow.types.is_string(kind) or arrow.types.is_large_string(kind))


def arrow_rows(arrow: Any, features: Sequence[Feature], columns: Sequence[Any]) -> ColumnarRows:
    """Return the rows of a table.

    Args:
        arrow: The module ``pyarrow``.
        features: The features, in the order of the signature.
        columns: A chunked array for each, of a type that :func:`is_plain`, not empty.

    Raises:
        InvalidInput: A cell does not fit.

    """
    if all(feature.kind == "float" for feature in features) and all(
        arrow.types.is_floating(column.type) and not column.null_count for column in columns
    ):
        kinds = {column.type for column in columns}
        if len(kinds) == 1:
            return matrix_of(features, np.stack([column.to_numpy() for column in columns], axis=1))
    return ColumnarRows(
        features, [arrow_column(arrow, feature, column) for feature, column in zip(features, columns, strict=True)]
    )


def arrow_column(arrow: Any, feature: Feature, column: Any) -> NDArray[Any]:
    """Return a column for :class:`~sekisho.predict.columnar.ColumnarRows`.

    Args:
        arrow: The module ``pyarrow``.
        feature: What its cells must be.
        column: A chunked array of a type that :func:`is_plain`, not empty.

    Raises:
        InvalidInput: A cell does not fit.

    """
    pieces = [_piece(arrow, feature, chunk) for chunk in column.chunks if len(chunk)]
    values = np.concatenate([values for values, _ in pieces])
    nulls = np.concatenate([nulls for _, nulls in pieces]) if column.null_count else None
    if nulls is None and any(nulls.any() for _, nulls in pieces):
        nulls = np.concatenate([nulls for _, nulls in pieces])
    return column_of(feature, values, nulls)


def _piece(arrow: Any, feature: Feature, chunk: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the values of a chunk, and which are null."""
    types = arrow.types
    kind = chunk.type
    nulls = chunk.is_null().to_numpy(zero_copy_only=False)
    if types.is_dictionary(kind):
        known = chunk.dictionary.to_pylist()
        if is_text(arrow, kind.value_type):
            check_strings(feature, [value for value in known if value is not None])
        values = np.empty(len(known) + 1, dtype=object)
        values[:-1] = known
        picked = values[chunk.indices.fill_null(0).to_numpy(zero_copy_only=False)]
        return picked, nulls | (picked == None)  # noqa: E711 - element by element
    if types.is_floating(kind):
        return chunk.to_numpy(zero_copy_only=False), nulls
    if types.is_integer(kind):
        return (chunk.fill_null(0) if chunk.null_count else chunk).to_numpy(zero_copy_only=False), nulls
    if types.is_timestamp(kind):
        return _moments(arrow, feature, chunk), nulls
    values = np.empty(len(chunk), dtype=object)
    values[:] = chunk.to_pylist()
    if types.is_boolean(kind) and not nulls.any():
        return values.astype(np.bool_), nulls
    return values, nulls


def _moments(arrow: Any, feature: Feature, chunk: Any) -> NDArray[Any]:
    if chunk.type.tz is None:
        raise refusal("invalid_datetime", feature, 0)
    try:
        fine = chunk.cast(arrow.timestamp("us", tz="UTC"), safe=chunk.type.unit != "ns")
    except arrow.ArrowException:
        raise refusal("invalid_datetime", feature, 0) from None
    numbers: NDArray[Any] = fine.cast(arrow.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return numbers.view("datetime64[us]")
