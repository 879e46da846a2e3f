"""Tables of pandas, from 2.2 on: read by public methods alone."""

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
    import pandas as pd
    from numpy.typing import NDArray


def of_frame(frame: pd.DataFrame) -> tuple[Column, ...]:
    """Return the columns of a data frame; the index is not one of them."""
    return tuple(of_series(str(name), frame.iloc[:, index]) for index, name in enumerate(frame.columns))


def of_series(name: str, series: pd.Series) -> Column:
    """Return the column of one series.

    Raises:
        WrongUse: It has a dtype that JSON cannot carry.

    """
    import pandas as pd

    dtype = series.dtype
    null: NDArray[np.bool_] = series.isna().to_numpy(dtype=np.bool_)
    types = pd.api.types
    if isinstance(dtype, pd.CategoricalDtype):
        return _categories(name, series, null)
    if types.is_bool_dtype(dtype):
        return booleans(name, str(dtype), series.fillna(False).to_numpy(dtype=np.bool_), null)  # noqa: FBT003
    if types.is_integer_dtype(dtype):
        whole = series.fillna(0) if null.any() else series
        return integers(name, str(dtype), whole.to_numpy(), null)
    if types.is_float_dtype(dtype):
        return floats(name, str(dtype), series.to_numpy(dtype=np.float64, na_value=np.nan))
    if types.is_datetime64_any_dtype(dtype):
        return datetimes(name, str(dtype), _utc(series))
    if types.is_object_dtype(dtype):
        nan = any(isinstance(value, float) for value in series[null].tolist())
        return objects(name, "object[nan]" if nan else "object", series.tolist(), null)
    if types.is_string_dtype(dtype):
        return strings(name, str(dtype), _shared(series), null)
    raise unsupported(name, str(dtype))


def _shared(series: pd.Series) -> NDArray[np.generic]:
    """Return strings with one object for each different one: a million cells of a few words need little memory."""
    import pandas as pd

    codes, different = pd.factorize(series)
    labels = np.array([*different.tolist(), None], dtype=object)
    shared: NDArray[np.generic] = labels[codes]
    return shared


def to_frame(columns: tuple[Column, ...]) -> pd.DataFrame:
    """Return the data frame of ``columns``, each with the dtype that it came with."""
    import pandas as pd

    if not columns:
        return pd.DataFrame()
    names = pd.Index([column.name for column in columns])
    if all(column.kind == "float" and column.dtype == "float64" for column in columns):
        return pd.DataFrame(np.column_stack([column.values for column in columns]), columns=names, copy=False)
    frame = pd.DataFrame(
        {place: _cells(column) for place, column in enumerate(columns)}, index=range(len(columns[0])), copy=False
    )
    frame.columns = names
    return frame


def _cells(column: Column) -> pd.Series | NDArray[np.generic]:
    """Return the cells of a column as a data frame takes them: a bare array, which costs least, where that has the very dtype."""
    if str(column.values.dtype) == column.dtype and column.kind in {"float", "integer", "boolean"}:
        return column.array()
    return _series(column)


def _categories(name: str, series: pd.Series, null: NDArray[np.bool_]) -> Column:
    declared = of_series(name, _values(series.cat.categories))
    if declared.kind == "float" and bool(np.all(declared.values == np.round(declared.values.astype(np.float64)))):
        # Whole numbers that became floats only because a null stood among them.
        declared = integers(name, "int64", declared.values, declared.null)
    if declared.kind in {"float", "datetime"}:
        raise unsupported(name, f"categories of dtype {series.cat.categories.dtype}")
    labels = np.array([*declared.scalars(), None], dtype=object)  # the code of a null is -1
    codes = series.cat.codes.to_numpy()
    dtype = "category[ordered]" if series.cat.ordered else "category"
    return Column(
        name=name,
        kind="category",
        dtype=dtype,
        values=labels[codes],
        null=null,
        categories=tuple(declared.scalars()),
        codes=codes,
    )


def _values(index: pd.Index) -> pd.Series:
    """Return the values of an index as a series."""
    return index.to_series().reset_index(drop=True)


def _utc(series: pd.Series) -> NDArray[np.generic]:
    if getattr(series.dt, "tz", None) is not None:
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    values: NDArray[np.generic] = series.to_numpy(dtype="datetime64[us]")
    return values


def _series(column: Column) -> pd.Series:
    import pandas as pd

    if column.dtype.startswith("object"):
        return _objects(column)
    match column.kind:
        case "float":
            return _cast(pd.Series(column.values), column.dtype)
        case "integer" | "boolean":
            if column.null.any() and column.dtype in _WITHOUT_NULL:
                return pd.Series(column.array())
            series = pd.Series(column.values)
            if column.kind == "boolean" or _fits(column):
                series = _cast(series, column.dtype)
            return series.mask(column.null) if column.null.any() else series
        case "datetime":
            return _moments(column)
        case "category" | "text":
            return _strings(column)


def _fits(column: Column) -> bool:
    """Return whether every number fits the dtype: pandas would wrap it around without a word."""
    name = column.dtype.lower().removesuffix("[pyarrow]")
    if name not in _WITHOUT_NULL or not len(column):
        return True
    limits = np.iinfo(name)
    lowest, highest = int(column.values.min()), int(column.values.max())
    return limits.min <= lowest and highest <= limits.max


def _objects(column: Column) -> pd.Series:
    import pandas as pd

    missing = None if column.dtype == "object" else np.nan
    values = column.values.astype("datetime64[us]").tolist() if column.kind == "datetime" else column.values.tolist()
    cells = [missing if null else value for value, null in zip(values, column.null.tolist(), strict=True)]
    return pd.Series(cells, dtype=object)


_WITHOUT_NULL = frozenset({"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"})


def _strings(column: Column) -> pd.Series:
    import pandas as pd

    if column.dtype.startswith("category"):
        known = column.categories if column.categories is not None else column.distinct()
        extra = set(column.values.tolist()) - {None} - set(known)
        categories = pd.Categorical(
            column.values.tolist(),
            categories=[*known, *sorted(extra, key=str)],
            ordered=column.dtype == "category[ordered]",
        )
        return pd.Series(categories)
    if column.dtype == "str" and int(pd.__version__.split(".")[0]) < 3:
        return _objects(replace(column, dtype="object[nan]"))
    return _cast(pd.Series(column.values, dtype=object), column.dtype)


def _moments(column: Column) -> pd.Series:
    import pandas as pd

    series = pd.Series(column.values)
    if "," in column.dtype:
        zone = column.dtype.rpartition(",")[2].strip(" ]")
        series = series.dt.tz_localize("UTC").dt.tz_convert(zone)
    return _cast(series, column.dtype)


def _cast(series: Any, dtype: str) -> pd.Series:
    """Return ``series`` in ``dtype``; a dtype that only another library knows leaves it as it is."""
    try:
        cast: pd.Series = series.astype(dtype)
    except (TypeError, ValueError):
        return series  # type: ignore[no-any-return]
    return cast
