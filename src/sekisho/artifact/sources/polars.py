"""Tables of polars."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sekisho.artifact.column import (
    Column,
    booleans,
    datetimes,
    floats,
    integers,
    strings,
    unsupported,
)

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray


def of_frame(frame: pl.DataFrame) -> tuple[Column, ...]:
    """Return the columns of a data frame; dtypes are given in the words of pandas."""
    return tuple(of_series(series) for series in frame.get_columns())


def of_series(series: pl.Series) -> Column:
    """Return the column of one series.

    Raises:
        WrongUse: It has a dtype that JSON cannot carry.

    """
    import polars as pl

    name, dtype = series.name, series.dtype
    null: NDArray[np.bool_] = series.is_null().to_numpy().astype(np.bool_)
    if dtype == pl.Boolean:
        values = series.fill_null(value=False).to_numpy()
        return booleans(name, "boolean" if null.any() else "bool", values, null)
    if dtype.is_integer():
        own = str(dtype)
        return integers(name, own if null.any() else own.lower(), series.fill_null(0).to_numpy(), null)
    if dtype.is_float() or dtype.is_decimal():
        own = "float32" if dtype == pl.Float32 else "float64"
        return floats(name, own, series.cast(pl.Float64).to_numpy(), null)
    if isinstance(dtype, pl.Categorical | pl.Enum):
        cells = _cells(series.cast(pl.String))
        column = strings(name, "category", cells, null, kind="category")
        declared = dtype.categories.to_list() if isinstance(dtype, pl.Enum) else column.distinct()
        return replace(column, categories=tuple(declared))
    if dtype == pl.String:
        return strings(name, "object", _cells(series), null)
    if isinstance(dtype, pl.Date | pl.Datetime):
        zone = getattr(dtype, "time_zone", None)
        moments = np.full(len(null), np.datetime64("NaT", "us"))
        stamps = series.cast(pl.Datetime("us", zone)).cast(pl.Int64).fill_null(0).to_numpy()
        moments[~null] = stamps.astype("datetime64[us]")[~null]
        return datetimes(name, f"datetime64[us, {zone}]" if zone else "datetime64[us]", moments)
    raise unsupported(name, str(dtype))


def _cells(series: pl.Series) -> NDArray[np.generic]:
    cells = np.empty(len(series), dtype=object)
    cells[:] = series.to_list()
    return cells
