"""Where two samples of numbers differ most, and how their values spread over bins.

``F(x)`` is the share of reference values up to ``x``, ``G(x)`` that of current values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sekisho.watch.drift.sides import Numbers, Values

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

PARTS: Final = 10
"""Parts of about equal size whose shares are compared: deciles of all values together."""
DRAWN: Final = 32
"""At most as many bins are drawn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """The place where one share exceeds the other by most.

    Attributes:
        size: The difference of the shares there, at least 0.
        at: The value ``x``.
        reference: ``F(x)``.
        current: ``G(x)``.

    """

    size: float
    at: float
    reference: float
    current: float


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Binned:
    """Rows of both samples in the same bins.

    Attributes:
        edges: Shape ``(k + 1,)``, ascending. A bin holds the values above its lower and up to its upper edge; the first and the last also
            hold what lies beyond them.
        reference: Shape ``(k,)``.
        current: Shape ``(k,)``.

    """

    edges: Floats
    reference: Counts
    current: Counts


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Gaps:
    """How two samples of numbers differ.

    Attributes:
        lower: Where ``F - G`` is largest: current values lie above the reference.
        upper: Where ``G - F`` is largest.
        parts: Rows in at most :data:`PARTS` parts, cut at the deciles of all values together.
        drawn: Rows in at most :data:`DRAWN` bins of equal width.

    """

    lower: Gap
    upper: Gap
    parts: Binned
    drawn: Binned


def by_sorting(reference: Numbers, current: Numbers) -> Gaps:
    """Compare two samples of numbers, neither of them empty."""
    before, now = reference.sorted().values, current.sorted().values
    pooled = np.sort(np.concatenate([before, now]))
    deciles = np.ceil(np.arange(1, PARTS) * len(pooled) / PARTS).astype(np.int64) - 1
    inner = np.unique(pooled[deciles])
    parts = np.concatenate([pooled[:1], inner[inner < pooled[-1]], pooled[-1:]])
    drawn = drawn_edges(*value_range(pooled), whole=reference.whole and current.whole)
    lower = largest_gap(before, _steps(before), _shares(now, before))
    upper = largest_gap(now, _steps(now), _shares(before, now))
    return Gaps(
        lower=lower,
        upper=swapped(upper),
        parts=Binned(edges=parts, reference=_rows(before, parts), current=_rows(now, parts)),
        drawn=Binned(edges=drawn, reference=_rows(before, drawn), current=_rows(now, drawn)),
    )


def largest_gap(at: Values, higher: Floats, lower: Floats) -> Gap:
    """Return where one share exceeds another by most: always at one of the values that the higher one counts.

    Args:
        at: Shape ``(n,)``: those values, ascending.
        higher: Shape ``(n,)``: the share up to each of them. Of equal values the last one counts.
        lower: Shape ``(n,)``: the other share.

    """
    best = int(np.argmax(higher - lower))
    above, below = float(higher[best]), float(lower[best])
    return Gap(size=max(0.0, above - below), at=float(at[best]), reference=above, current=below)


def swapped(gap: Gap) -> Gap:
    """Return a gap with the two samples in each other's place."""
    return Gap(size=gap.size, at=gap.at, reference=gap.current, current=gap.reference)


def value_range(ordered: Values) -> tuple[float, float]:
    """Return a finite range that holds all but about the outer half per cent of ascending values on each side."""
    finite = ordered[np.isfinite(ordered)]
    if not len(finite):
        return 0.0, 1.0
    outer = len(finite) // 200
    low, high = float(finite[outer]), float(finite[-1 - outer])
    return (low, high) if low < high else (float(finite[0]), float(finite[-1]))


def drawn_edges(low: float, high: float, *, whole: bool) -> Floats:
    """Return the edges of the bins that are drawn; as many whole numbers fall into each of them."""
    if not np.isfinite(high - low):
        low, high = low / 2, high / 2
    if whole:
        each = max(1.0, np.ceil((high - low + 1) / DRAWN))
        edges = low - 0.5 + each * np.arange(np.ceil((high - low + 1) / each) + 1)
    else:
        half = max(0.5, float(np.spacing(abs(low)))) if low == high else 0.0
        edges = np.linspace(low - half, high + half, DRAWN + 1)
    return np.unique(edges).astype(np.float64)


def _steps(ordered: Values) -> Floats:
    return np.arange(1, len(ordered) + 1) / len(ordered)


def _shares(ordered: Values, at: Values) -> Floats:
    return np.searchsorted(ordered, at, side="right") / len(ordered)


def _rows(ordered: Values, edges: Floats) -> Counts:
    upto = np.searchsorted(ordered, edges[1:-1], side="right")
    return np.diff(np.concatenate([[0], upto, [len(ordered)]]))
