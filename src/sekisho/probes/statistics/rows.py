"""Rows of several tables made comparable: one number for what a row says, and coordinates for how near two rows are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact.table import Column, Table
from sekisho.probes.statistics.answers import Floats
from sekisho.probes.statistics.baselines import numbers

Hashes = NDArray[np.uint64]
NUMERIC = frozenset({"float", "integer", "boolean", "datetime"})


def row_hashes(tables: Sequence[Table]) -> list[Hashes]:
    """Return one number a row, shape ``(n,)`` for each table: equal for equal cells, whatever dtype held them.

    Words are equal whatever their case and blanks.

    Args:
        tables: Tables with the same columns in the same order.

    """
    sizes = [table.rows for table in tables]
    state = np.zeros(sum(sizes), dtype=np.uint64)
    for place, columns in enumerate(zip(*(table.columns for table in tables), strict=True)):
        state ^= _part(columns, place)
    return np.split(state, np.cumsum(sizes)[:-1])


def row_parts(tables: Sequence[Table]) -> list[Hashes]:
    """Return what each column adds to the number of each row, shape ``(k, n)`` for each table; a row's number is the XOR of its parts.

    Args:
        tables: Tables with the same columns in the same order.

    """
    sizes = [table.rows for table in tables]
    parts = [_part(columns, place) for place, columns in enumerate(zip(*(t.columns for t in tables), strict=True))]
    stacked = np.stack(parts) if parts else np.zeros((0, sum(sizes)), dtype=np.uint64)
    return np.split(stacked, np.cumsum(sizes)[:-1], axis=1)


def _part(columns: Sequence[Column], place: int) -> Hashes:
    return _mixed(_mixed(_cells(columns)) + np.uint64(place + 1))


def _cells(columns: Sequence[Column]) -> Hashes:
    """Return a number for each different value of one column in all tables: the bits of a number, the place of a word."""
    null = np.concatenate([column.null for column in columns])
    kinds = {column.kind for column in columns}
    if kinds == {"integer"}:
        cells = np.concatenate([column.values for column in columns]).astype(np.int64).view(np.uint64)
    elif kinds <= NUMERIC:
        cells = np.concatenate([numbers(column) for column in columns])
        cells = (cells + 0.0).view(np.uint64)  # the two zeros are one
    else:
        cells = _words(columns).astype(np.uint64)
    cells = cells + np.uint64(2)
    cells[null] = 1
    return cells


def _words(columns: Sequence[Column]) -> NDArray[np.int64]:
    """Return a number for each different word, whatever its case and blanks."""
    import pandas as pd

    words = [each.values if each.kind not in NUMERIC else np.array(each.scalars(), dtype=object) for each in columns]
    codes, different = pd.factorize(np.concatenate([each.astype(object) for each in words]))
    spelled = pd.factorize(np.array([" ".join(str(cell).split()).casefold() for cell in different], dtype=object))[0]
    numbered: NDArray[np.int64] = (spelled[codes] if len(spelled) else codes).astype(np.int64)
    return numbered


def times_seen(hashes: Hashes) -> NDArray[np.int64]:
    """Return how many rows have the number of each row, itself among them, shape ``(n,)``."""
    import pandas as pd

    codes = pd.factorize(hashes)[0]
    seen: NDArray[np.int64] = np.bincount(codes)[codes].astype(np.int64) if len(codes) else codes.astype(np.int64)
    return seen


def _mixed(state: Hashes) -> Hashes:
    """Scatter every bit over all others: the finalizer of SplitMix64 (G. L. Steele et al., OOPSLA 2014)."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def coordinates(training: Table, test: Table) -> tuple[Floats, Floats]:
    """Return both tables as points, shapes ``(n, d)`` and ``(m, d)``: numbers in standard deviations of the training set.

    The first coordinate sets rows apart that differ in a word or in which numbers are missing: no distance is short then.
    """
    numeric = [
        column.name
        for column, other in zip(training.columns, test.columns, strict=True)
        if column.kind in NUMERIC - {"boolean"} and other.kind in NUMERIC - {"boolean"}
    ]
    known, asked = _points(training, numeric), _points(test, numeric)
    words = [np.zeros(training.rows, dtype=np.uint64), np.zeros(test.rows, dtype=np.uint64)]
    if len(numeric) < len(training.columns):
        words = row_hashes([training.without(numeric), test.without(numeric)])
    missing = np.uint64(1) << np.arange(len(numeric), dtype=np.uint64) % np.uint64(63)
    kinds = [
        hashes ^ _mixed(np.isnan(points).astype(np.uint64) @ missing)
        for hashes, points in zip(words, (known, asked), strict=True)
    ]
    _, apart = np.unique(np.concatenate(kinds), return_inverse=True)
    spread = np.ones(len(numeric))
    if numeric and training.rows > 1:
        with np.errstate(all="ignore"):
            spread = np.nan_to_num(np.nanstd(known, axis=0))
        spread[spread == 0] = 1.0
    far = 1e6
    return (
        np.column_stack([apart[: training.rows] * far, np.nan_to_num(known / spread)]),
        np.column_stack([apart[training.rows :] * far, np.nan_to_num(asked / spread)]),
    )


def _points(table: Table, numeric: Sequence[str]) -> Floats:
    points = [numbers(table.column(name)) for name in numeric]
    return np.stack(points, axis=1) if points else np.zeros((table.rows, 0))


def is_row_number(column: Column) -> bool:
    """Return whether a column only counts the rows of its own table, from 0 or 1."""
    if column.kind != "integer" or column.null.any() or len(column) < 2:
        return False
    counted = np.sort(column.values.astype(np.int64))
    return bool(counted[0] in {0, 1} and np.array_equal(counted, np.arange(counted[0], counted[0] + len(column))))
