"""When rows were, whatever a column of times looks like."""

from __future__ import annotations

import datetime as dt
from typing import Final

import numpy as np

from sekisho.artifact.table import Column
from sekisho.probes.statistics.answers import Floats

DAY: Final = 86_400.0
_YEARS: Final = (1_900, 2_200)
_DAYS: Final = (19_000_101, 22_001_231)


def moments(column: Column) -> Floats | None:
    """Return the times of a column as seconds since 1970 in UTC, null is NaN; ``None`` when it holds no times.

    Understood are moments, ISO 8601 words, whole years, days written as 20260131, and seconds or milliseconds since 1970.
    """
    seconds: Floats | None
    if column.kind == "datetime":
        seconds = column.values.astype("datetime64[us]").astype(np.int64).astype(np.float64) / 1e6
    elif column.kind in {"integer", "float"}:
        seconds = _of_numbers(column.values.astype(np.float64), ~column.null)
    elif column.kind in {"category", "text"}:
        seconds = np.array([_of_words(cell) for cell in column.scalars()], dtype=np.float64)
        if np.isnan(seconds[~column.null]).any():
            return None
    else:
        return None
    if seconds is None or column.null.all():
        return None
    seconds[column.null] = np.nan
    return seconds


def _of_numbers(values: Floats, known: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Floats | None:
    present = values[known]
    if not len(present) or not np.isfinite(present).all():
        return None
    low, high = present.min(), present.max()
    if _YEARS[0] <= low and high <= _YEARS[1]:
        # A year is taken for its middle.
        return (values - 1_970) * 365.2425 * DAY + 182.6 * DAY
    if _DAYS[0] <= low and high <= _DAYS[1]:
        return np.array([_of_day(value) for value in np.where(known, values, 19_700_101)], dtype=np.float64)
    if low >= 5e8 and high <= 5e9:
        return values.copy()
    if low >= 5e11 and high <= 5e12:
        return values / 1_000
    return None


def _of_day(value: float) -> float:
    number = int(value)
    try:
        day = dt.datetime(number // 10_000, number // 100 % 100, number % 100, tzinfo=dt.UTC)
    except ValueError:
        return np.nan
    return day.timestamp()


def _of_words(cell: object) -> float:
    if not isinstance(cell, str):
        return np.nan
    try:
        moment = dt.datetime.fromisoformat(cell.strip())
    except ValueError:
        return np.nan
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)).timestamp()


def day_of(seconds: float) -> str:
    """Return the day of a moment, ``YYYY-MM-DD`` in UTC."""
    return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)).date().isoformat()
