"""One side of a comparison: what a column holds, as the statistics take it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact.column import Column, Kind, Scalar, epoch_seconds
from sekisho.artifact.reference import ColumnReference

Values = NDArray[np.float64 | np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Numbers:
    """A column of numbers, or of moments as seconds since 1970 in UTC.

    Attributes:
        values: Shape ``(n,)``, float64 or int64, without nulls; infinities are values.
        ordered: Whether ``values`` are in ascending order.
        whole: Whether every value is a whole number by the column's kind.
        rows: Rows of the whole set, nulls included; more than ``n`` when ``values`` are a sample of it.
        nulls: How many of ``rows`` are null.

    """

    values: Values
    ordered: bool
    whole: bool
    rows: int
    nulls: int

    def sorted(self) -> Numbers:
        """Return the same with ``values`` in ascending order."""
        if self.ordered:
            return self
        return replace(self, values=np.sort(self.values), ordered=True)

    @cached_property
    def extremes(self) -> tuple[float, float]:
        """The smallest and the largest value; there must be one."""
        if self.ordered:
            return float(self.values[0]), float(self.values[-1])
        return float(self.values.min()), float(self.values.max())


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Labels:
    """A column of labels: categories, booleans, or text.

    Attributes:
        counts: Rows of each label.
        others: Rows of labels that are not told apart: a reference keeps only the most frequent ones, and none of free text.
        shown: Whether a report may show the labels; free text stays where it is.
        rows: Rows of the whole set, nulls included.
        nulls: How many of ``rows`` are null.

    """

    counts: Mapping[Scalar, int]
    shown: bool
    rows: int
    nulls: int
    others: int = 0


Side = Numbers | Labels


def side_of(column: Column, kind: Kind) -> Side | None:
    """Return a column as a reference of ``kind`` is compared with it; ``None`` when it holds something else.

    What a table's library makes of a column depends on what happens to stand in it: integers with a null become floats, booleans may come
    as 0 and 1, moments as RFC 3339 strings, a column of nulls as anything. Such columns are still what they were.
    """
    nulls = int(np.count_nonzero(column.null))
    if kind in {"float", "integer", "datetime"}:
        values = _numbers(column, kind, nulls)
        if values is None:
            return None
        whole = kind == "integer" and column.kind in {"integer", "boolean"}
        return Numbers(values=values, ordered=False, whole=whole, rows=len(column), nulls=nulls)
    counts = _counts(column, nulls)
    if counts is None:
        return None
    return Labels(counts=counts, shown=kind != "text", rows=len(column), nulls=nulls)


def side_of_reference(column: ColumnReference) -> Side:
    """Return a column of an artifact's drift reference as one side."""
    nulls = round(column.null_fraction * column.rows)
    if column.sample is not None:
        whole = column.kind == "integer"
        return Numbers(values=column.sample, ordered=True, whole=whole, rows=column.rows, nulls=nulls)
    counts = dict(zip(column.labels or (), column.counts or (), strict=True))
    others = column.rows - nulls - sum(counts.values())
    return Labels(counts=counts, shown=column.kind != "text", rows=column.rows, nulls=nulls, others=max(0, others))


def _numbers(column: Column, kind: Kind, nulls: int) -> Values | None:
    if nulls == len(column):
        return np.empty(0)
    present = column.values if nulls == 0 else column.present()
    if kind == "datetime":
        if column.kind in {"category", "text"}:
            return _moments(present)
        return epoch_seconds(present) if column.kind == "datetime" else None
    if column.kind in {"float", "integer"}:
        numbers: Values = present.astype(np.float64 if column.kind == "float" else np.int64, copy=False)
        return numbers
    return present.astype(np.float64) if column.kind == "boolean" else None


def _moments(present: NDArray[np.generic]) -> NDArray[np.float64] | None:
    """Return RFC 3339 strings as seconds since 1970, UTC where they name no zone; ``None`` when one is no moment."""
    try:
        moments = [dt.datetime.fromisoformat(words) for words in present.tolist()]
    except (TypeError, ValueError):
        return None
    return np.array([(each if each.tzinfo else each.replace(tzinfo=dt.UTC)).timestamp() for each in moments])


def _counts(column: Column, nulls: int) -> Mapping[Scalar, int] | None:
    if nulls == len(column):
        return {}
    if column.codes is not None and column.categories is not None:
        return _coded_counts(column.codes, column.categories)
    present = column.values if nulls == 0 else column.present()
    if column.kind in {"category", "text"}:
        return Counter(present.tolist())
    if column.kind == "boolean":
        truths = int(np.count_nonzero(present))
        return {label: count for label, count in ((False, len(present) - truths), (True, truths)) if count}
    if column.kind == "integer":
        return _whole_counts(present)
    if column.kind == "float" and bool(np.all(np.isfinite(present) & (present == np.rint(present)))):
        return _whole_counts(present)
    return None


def _coded_counts(codes: NDArray[np.integer[Any]], categories: Sequence[Scalar]) -> Mapping[Scalar, int]:
    """Count labels by their codes; the code of a null is -1, and it is counted first and left out."""
    rows = np.bincount(codes + np.int64(1), minlength=len(categories) + 1)[1:]
    return {label: count for label, count in zip(categories, rows.tolist(), strict=True) if count}


def _whole_counts(values: NDArray[np.generic]) -> Mapping[Scalar, int]:
    labels, counts = np.unique(values, return_counts=True)
    return {int(label): count for label, count in zip(labels.tolist(), counts.tolist(), strict=True)}
