"""What a statistic is given: the two sides of one column, brought together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact.column import Kind, Scalar
from sekisho.watch.drift.counting import by_counting
from sekisho.watch.drift.gaps import Gaps, by_sorting
from sekisho.watch.drift.sides import Labels, Numbers, Side

SMALLEST_WINDOW: Final = 50
"""With fewer rows than this on either side nothing is said: a handful of rows often comes from one client."""
LARGE: Final = 100_000
"""From this many values on, both sides together, counting beats sorting."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NullPair:
    """How many values are missing on each side.

    Attributes:
        n, m: Rows of the reference and of the current window.
        reference, current: How many of them are null.

    """

    n: int
    m: int
    reference: int
    current: int


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class NumberPair:
    """Two samples of numbers.

    Attributes:
        kind: float, integer or datetime (seconds since 1970 in UTC).
        n, m: How many values each has, without nulls.
        minimum, maximum: The range of the reference.
        below, above: Current values outside of it.
        gaps: Where they differ.

    """

    kind: Kind
    n: int
    m: int
    minimum: float
    maximum: float
    below: int
    above: int
    gaps: Gaps


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class LabelPair:
    """Two samples of labels.

    Attributes:
        n, m: How many values each has, without nulls.
        labels: Every label of either side, those of the reference first; ``None`` stands for all that the reference does not tell apart.
        reference, current: Shape ``(k,)``: rows of each label.
        shown: Whether a report may show the labels.

    """

    n: int
    m: int
    labels: tuple[Scalar, ...]
    reference: NDArray[np.int64]
    current: NDArray[np.int64]
    shown: bool


Pair = NullPair | NumberPair | LabelPair


def pairs_of(kind: Kind, reference: Side, current: Side) -> tuple[Pair, ...]:
    """Return what can be compared of two sides of one column; sides too small for a verdict are left out."""
    pairs: list[Pair] = []
    if min(reference.rows, current.rows) >= SMALLEST_WINDOW:
        pairs.append(NullPair(n=reference.rows, m=current.rows, reference=reference.nulls, current=current.nulls))
    if isinstance(reference, Numbers) and isinstance(current, Numbers):
        if min(len(reference.values), len(current.values)) >= SMALLEST_WINDOW:
            pairs.append(_numbers(kind, reference, current))
    elif (
        isinstance(reference, Labels)
        and isinstance(current, Labels)
        and reference.counts
        and min(reference.rows - reference.nulls, current.rows - current.nulls) >= SMALLEST_WINDOW
    ):
        pairs.append(_labels(reference, current))
    return tuple(pairs)


def _numbers(kind: Kind, reference: Numbers, current: Numbers) -> NumberPair:
    n, m = len(reference.values), len(current.values)
    counted = by_counting(reference, current) if n + m >= LARGE else None
    minimum, maximum = reference.extremes
    return NumberPair(
        kind=kind,
        n=n,
        m=m,
        minimum=minimum,
        maximum=maximum,
        below=int(np.count_nonzero(current.values < minimum)),
        above=int(np.count_nonzero(current.values > maximum)),
        gaps=counted or by_sorting(reference, current),
    )


def _labels(reference: Labels, current: Labels) -> LabelPair:
    before, now = dict(reference.counts), dict(current.counts)
    if reference.others:
        # The reference does not tell its rare labels apart, so neither can the current ones be: all of them are one.
        unknown = [label for label in now if label not in before]
        before[None] = reference.others
        now[None] = sum(now.pop(label) for label in unknown)
    labels = (*before, *(label for label in now if label not in before))
    return LabelPair(
        n=reference.rows - reference.nulls,
        m=current.rows - current.nulls,
        labels=labels,
        reference=np.array([before.get(label, 0) for label in labels], dtype=np.int64),
        current=np.array([now.get(label, 0) for label in labels], dtype=np.int64),
        shown=reference.shown,
    )
