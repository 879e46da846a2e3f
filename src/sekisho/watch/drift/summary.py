"""What one column holds on each side, small enough for a report and a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sekisho.watch.drift.counting import BLOCK
from sekisho.watch.drift.pairs import LabelPair, NumberPair, Pair
from sekisho.watch.drift.sides import Numbers, Side, Values
from sekisho.watch.drift.words import label

MOST_LABELS: Final = 12
"""At most as many labels are drawn; the others are put together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """One side of a column.

    Attributes:
        rows: Rows, nulls included.
        nulls: How many of them are null.
        mean, standard_deviation: Of the finite values; ``None`` without any, or for labels. Moments: seconds since 1970 in UTC.
        minimum, maximum: Likewise, infinities included.
        distinct: How many labels; ``None`` for numbers.

    """

    rows: int
    nulls: int
    mean: float | None = None
    standard_deviation: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    distinct: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """The shares of both sides in the same bins.

    Attributes:
        edges: The ``k + 1`` edges of bins of numbers; ``None`` for labels.
        labels: The ``k`` labels, most frequent first; ``None`` for numbers. A last one that is ``None`` stands for all others.
        reference, current: The ``k`` shares of the values that are not null.

    """

    edges: tuple[float, ...] | None
    labels: tuple[str | None, ...] | None
    reference: tuple[float, ...]
    current: tuple[float, ...]


def summary_of(side: Side) -> Summary:
    """Return what one side holds."""
    if not isinstance(side, Numbers):
        return Summary(rows=side.rows, nulls=side.nulls, distinct=len(side.counts))
    if not len(side.values):
        return Summary(rows=side.rows, nulls=side.nulls)
    minimum, maximum = side.extremes
    finite = side.values if np.isfinite(minimum) and np.isfinite(maximum) else side.values[np.isfinite(side.values)]
    mean, deviation = _moments(finite) if len(finite) else (None, None)
    return Summary(
        rows=side.rows,
        nulls=side.nulls,
        mean=mean,
        standard_deviation=deviation,
        minimum=minimum,
        maximum=maximum,
    )


def _moments(values: Values) -> tuple[float, float]:
    """Return mean and standard deviation, block by block, so that millions of values need no copy."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(values.mean())
        blocks = (values[start : start + BLOCK] - mean for start in range(0, len(values), BLOCK))
        return mean, math.sqrt(sum(float(np.dot(block, block)) for block in blocks) / len(values))


def picture_of(pairs: Sequence[Pair]) -> Picture | None:
    """Return the shares to be drawn; ``None`` when the sides could not be compared, or hold free text."""
    for pair in pairs:
        if isinstance(pair, NumberPair):
            drawn = pair.gaps.drawn
            return Picture(
                edges=tuple(drawn.edges.tolist()),
                labels=None,
                reference=tuple((drawn.reference / pair.n).tolist()),
                current=tuple((drawn.current / pair.m).tolist()),
            )
        if isinstance(pair, LabelPair):
            return _labels(pair)
    return None


def _labels(pair: LabelPair) -> Picture | None:
    if not pair.shown:
        return None
    before, now = pair.reference / pair.n, pair.current / pair.m
    order = np.argsort(-(before + now), kind="stable")
    drawn, rest = order[:MOST_LABELS], order[MOST_LABELS:]
    others = ((None,), (before[rest].sum(),), (now[rest].sum(),)) if len(rest) else ((), (), ())
    return Picture(
        edges=None,
        labels=(*(label(pair.labels[index]) for index in drawn), *others[0]),
        reference=tuple(map(float, (*before[drawn], *others[1]))),
        current=tuple(map(float, (*now[drawn], *others[2]))),
    )
