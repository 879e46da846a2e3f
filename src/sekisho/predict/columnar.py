"""Rows that came as columns: tensors, Arrow, Parquet. They go to the model as arrays, without a Python object for each cell.

:func:`column_of` judges one column by the rules of its feature, the same that :mod:`sekisho.predict.cells` states for single cells;
:class:`ColumnarRows` holds the columns and looks like a list of rows to everybody who wants one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np

from sekisho.predict.cells import (
    LARGEST_INTEGER,
    LONGEST_STRING,
    SMALLEST_INTEGER,
    Cell,
    category_types,
    read_cell,
    refusal,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sekisho.artifact.signature import Feature
    from sekisho.predict.rows import Row

LARGEST_EXACT: Final = 2**53
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NUMBERS: Final = "iuf"
_FIRST: Final = np.datetime64("0001-01-01T00:00:00.000000", "us")
_LAST: Final = np.datetime64("9999-12-31T23:59:59.999999", "us")
"""The moments that RFC 3339 can name."""


class ColumnarRows(Sequence["Row"]):
    """Validated rows, held as columns.

    Args:
        features: The features, in the order of the signature.
        columns: One array each: ``float64`` with NaN for null (float; integer and boolean that may be null), ``int64``, ``bool``,
            ``datetime64[us]`` with NaT for null, or ``object``.
        matrix: All columns in one array of ``float64``, if they came so.

    """

    def __init__(
        self,
        features: Sequence[Feature],
        columns: Sequence[NDArray[Any]],
        matrix: NDArray[np.float64] | None = None,
    ) -> None:
        self._features = tuple(features)
        self._columns = tuple(columns)
        self._matrix = matrix
        self._rows = len(columns[0])
        self._cells: list[list[Cell]] | None = None

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[Row]:
        return iter(zip(*self._lists(), strict=True))

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | Sequence[Row]:
        if isinstance(place, slice):
            return list(self)[place]
        return tuple(
            _cells(feature, column[place : place + 1 or None])[0]
            for feature, column in zip(self._features, self._columns, strict=True)
        )

    @property
    def nbytes(self) -> int:
        """How many bytes the columns take, about."""
        return sum(column.nbytes for column in self._columns)

    def stack(self, places: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """Return some columns as one array of shape ``(n, k)``."""
        if self._matrix is not None and dtype is np.float64 and places == tuple(range(len(self._features))):
            return self._matrix
        array = np.empty((self._rows, len(places)), dtype=dtype)
        for at, place in enumerate(places):
            array[:, at] = self._columns[place]
        return array

    def array(self, place: int) -> NDArray[Any]:
        """Return the column of one feature, as it was given."""
        return self._columns[place]

    def cell(self, row: int, place: int) -> Cell:
        """Return one cell."""
        return _cells(self._features[place], self._columns[place][row : row + 1])[0]

    def column(self, place: int) -> list[Cell]:
        """Return the cells of one feature."""
        if self._cells is not None:
            return self._cells[place]
        return _cells(self._features[place], self._columns[place])

    def _lists(self) -> list[list[Cell]]:
        if self._cells is None:
            self._cells = [
                _cells(feature, column) for feature, column in zip(self._features, self._columns, strict=True)
            ]
        return self._cells


def column_of(feature: Feature, values: NDArray[Any], nulls: NDArray[np.bool_] | None = None) -> NDArray[Any]:
    """Return a column for :class:`ColumnarRows`.

    Args:
        feature: What its cells must be.
        values: Numbers, booleans, moments (``datetime64[us]``, UTC), or Python strings as ``object``. A floating-point NaN is a null.
        nulls: Which cells are null besides; ``None``: none is.

    Raises:
        InvalidInput: A cell does not fit: the codes of :func:`~sekisho.predict.cells.read_cell`.

    """
    kind = values.dtype.kind
    if kind == "f" and np.isnan(values).any():
        nulls = np.isnan(values) if nulls is None else nulls | np.isnan(values)
    if nulls is not None and not nulls.any():
        nulls = None
    if nulls is not None and not feature.nullable:
        raise refusal("null_not_allowed", feature, int(nulls.argmax()))
    if kind == "O":
        return _of_objects(feature, values, nulls)
    match feature.kind:
        case "float" if kind in _NUMBERS:
            return _floats(feature, values, nulls)
        case "integer" if kind in _NUMBERS:
            return _integers(feature, values, nulls)
        case "boolean" if kind == "b":
            return values.astype(np.float64) if nulls is None and feature.nullable else _with_nan(values, nulls)
        case "datetime" if kind == "M":
            return _moments(feature, values, nulls)
        case "category" if kind == "b" and bool in category_types(feature):
            return _objects(values, nulls)
        case "category" if kind in _NUMBERS and int in category_types(feature):
            return _objects(_whole(feature, values, nulls), nulls)
    raise refusal("wrong_type", feature, 0)


def _of_objects(feature: Feature, values: NDArray[Any], nulls: NDArray[np.bool_] | None) -> NDArray[Any]:
    cells = [
        None if nulls is not None and nulls[row] else read_cell(feature, value, row=row)
        for row, value in enumerate(values.tolist())
    ]
    if feature.kind == "datetime":
        moments = [np.datetime64("NaT") if cell is None else _microseconds(cell) for cell in cells]
        return np.array(moments, dtype="datetime64[us]")
    if feature.kind in {"category", "text"}:
        array = np.empty(len(cells), dtype=object)
        array[:] = cells
        return array
    # Python numbers, each judged already; a null is None.
    dtype = {"integer": np.int64, "boolean": np.bool_}.get(feature.kind, np.float64)
    if feature.nullable or dtype is np.float64:
        return _exact(feature, cells)
    return np.array(cells, dtype=dtype)


def _moments(feature: Feature, values: NDArray[Any], nulls: NDArray[np.bool_] | None) -> NDArray[Any]:
    known = values if nulls is None else np.where(nulls, _FIRST, values)
    beyond = ~((known >= _FIRST) & (known <= _LAST))
    if beyond.any():
        raise refusal("invalid_datetime", feature, int(beyond.argmax()))
    return values if nulls is None else np.where(nulls, np.datetime64("NaT", "us"), values)


def _exact(feature: Feature, cells: Sequence[Any]) -> NDArray[Any]:
    for row, cell in enumerate(cells):
        if isinstance(cell, int) and int(float(cell)) != cell:
            raise refusal("not_exact", feature, row)
    return np.array(cells, dtype=np.float64)


def _floats(feature: Feature, values: NDArray[Any], nulls: NDArray[np.bool_] | None) -> NDArray[Any]:
    if values.dtype.kind == "f":
        bad = np.isinf(values) if nulls is None else np.isinf(values) & ~nulls
        if bad.any():
            raise refusal("not_finite", feature, int(bad.argmax()))
        return _with_nan(_snapped(feature, values), nulls)
    _check_exact(feature, values, nulls)
    return _with_nan(values.astype(np.float64), nulls)


def _snapped(feature: Feature, values: NDArray[Any]) -> NDArray[Any]:
    """Return 32-bit numbers as 64-bit ones, an end of the range of training as exactly that.

    The nearest 32-bit number to 28.11 is a little more than 28.11, and must not be out of range.
    """
    wide = values.astype(np.float64)
    if values.dtype.itemsize < 8:
        for end in (feature.minimum, feature.maximum):
            if isinstance(end, int | float):
                with np.errstate(over="ignore"):
                    same = values == values.dtype.type(end)
                if same.any():
                    wide[same] = float(end)
    return wide


def _integers(feature: Feature, values: NDArray[Any], nulls: NDArray[np.bool_] | None) -> NDArray[Any]:
    whole = _whole(feature, values, nulls)
    if not feature.nullable:
        return whole
    _check_exact(feature, whole, nulls)
    return _with_nan(whole.astype(np.float64), nulls)


def _whole(feature: Feature, values: NDArray[Any], nulls: NDArray[np.bool_] | None) -> NDArray[Any]:
    """Return numbers as ``int64``; what stands where a null is means nothing."""
    if nulls is not None:
        values = np.where(nulls, values.dtype.type(0), values)
    if values.dtype.kind == "f":
        values = values.astype(np.float64)
        fractions = ~np.isfinite(values) | (np.floor(values) != values)
        if fractions.any():
            raise refusal("wrong_type", feature, int(fractions.argmax()))
        beyond = (values < float(SMALLEST_INTEGER)) | (values >= float(LARGEST_INTEGER + 1))
    elif values.dtype.kind == "u":
        beyond = values > np.uint64(LARGEST_INTEGER)
    else:
        return values.astype(np.int64)
    if beyond.any():
        raise refusal("not_exact", feature, int(beyond.argmax()))
    return values.astype(np.int64)


def _check_exact(feature: Feature, values: NDArray[Any], nulls: NDArray[np.bool_] | None) -> None:
    """Refuse whole numbers that a 64-bit float would round."""
    if values.dtype.itemsize < 8:
        return
    large = values > LARGEST_EXACT
    if values.dtype.kind == "i":
        large |= values < -LARGEST_EXACT
    if nulls is not None:
        large &= ~nulls
    for row in large.nonzero()[0].tolist():
        if int(float(values[row])) != int(values[row]):
            raise refusal("not_exact", feature, row)


def _with_nan(values: NDArray[Any], nulls: NDArray[np.bool_] | None) -> NDArray[Any]:
    if nulls is None:
        return values
    wide = values.astype(np.float64)
    wide[nulls] = np.nan
    return wide


def _objects(values: NDArray[Any], nulls: NDArray[np.bool_] | None) -> NDArray[Any]:
    array = values.astype(object)
    if nulls is not None:
        array[nulls] = None
    return array


def _cells(feature: Feature, column: NDArray[Any]) -> list[Cell]:
    """Return the cells of a column as JSON decodes them."""
    kind = column.dtype.kind
    values: list[Any] = column.tolist()
    if kind == "M":
        return [None if value is None else value.replace(tzinfo=dt.UTC) for value in values]
    if kind != "f" or not (feature.nullable or feature.kind != "float"):
        return values
    if feature.kind == "float":
        return [None if value != value else value for value in values]
    made: Any = bool if feature.kind == "boolean" else int
    return [None if value != value else made(value) for value in values]


def _microseconds(cell: Any) -> Any:
    return np.datetime64((cell - _EPOCH) // dt.timedelta(microseconds=1), "us")


def matrix_of(features: Sequence[Feature], values: NDArray[Any]) -> ColumnarRows:
    """Return rows from one array of shape ``(n, k)`` whose columns are the features in order.

    Args:
        features: All features.
        values: Numbers, booleans, or Python strings as ``object``.

    Raises:
        InvalidInput: A cell does not fit.

    """
    if values.dtype.kind == "f" and all(feature.kind == "float" for feature in features):
        wide = _wide_matrix(features, values)
        if wide is not None:
            return ColumnarRows(features, tuple(wide.T), wide)
    return ColumnarRows(features, [column_of(feature, values[:, at]) for at, feature in enumerate(features)])


def _wide_matrix(features: Sequence[Feature], values: NDArray[Any]) -> NDArray[np.float64] | None:
    """Return all cells as 64-bit floats; ``None`` if one of them needs a closer look."""
    wide = values.astype(np.float64)
    if not np.isfinite(wide).all():
        return None
    if values.dtype.itemsize < 8:
        for pick in ("minimum", "maximum"):
            ends = [getattr(feature, pick) for feature in features]
            if None in ends:
                return None
            with np.errstate(over="ignore"):
                same = values == np.array(ends, dtype=np.float64).astype(values.dtype)
            if same.any():
                wide = np.where(same, np.array(ends, dtype=np.float64), wide)
    return wide


def check_strings(feature: Feature, values: Sequence[str]) -> None:
    """Refuse a dictionary of strings with one that is too long, before it is spread over rows."""
    if any(len(value) > LONGEST_STRING for value in values):
        raise refusal("too_long", feature, None)
