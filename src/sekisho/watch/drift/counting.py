"""The same comparison for large samples, by counting instead of sorting.

All values are counted into 65,536 bins of equal width. The largest gap lies at a bin's edge or inside a bin; inside, it can be no larger
than the gap at the bin's lower edge plus the share that the bin holds. So only the few bins that could hold it are sorted. The answer
is that of :func:`~sekisho.watch.drift.gaps.by_sorting`, at a fraction of its cost.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sekisho.watch.drift.gaps import (
    PARTS,
    Binned,
    Counts,
    Floats,
    Gap,
    Gaps,
    drawn_edges,
    largest_gap,
    swapped,
    value_range,
)
from sekisho.watch.drift.sides import Numbers, Values

FINE: Final = 1 << 16
SAMPLED: Final = 4_096
"""Evenly spaced values of each sample that set the range of the bins."""
BLOCK: Final = 1 << 17
"""Values that are counted at once: what fits the processor's cache."""
ROUNDING: Final = 1e-12


@dataclass(frozen=True, kw_only=True, slots=True)
class _Grid:
    """Bin ``j`` holds the values from ``low + j * width`` on and below the next bin's; one single value if ``single``.

    ``shown`` is the range that is worth drawing.
    """

    low: float
    width: float
    bins: int
    single: bool
    shown: tuple[float, float]

    def bin_of(self, values: Values) -> NDArray[np.intp]:
        """Return the bin of each value. No rounding reverses the order of two values."""
        with np.errstate(over="ignore"):
            # The inverse of a width beyond all measure small is infinite, and nothing times that is no number.
            places = (values - self.low) * min(1.0 / self.width, sys.float_info.max)
        bins: NDArray[np.intp] = np.clip(places, 0, self.bins - 1).astype(np.intp)
        return bins

    def bins_upto(self, edges: Floats) -> NDArray[np.intp]:
        """Return how many bins hold only values up to each edge."""
        places = (edges - self.low) / self.width
        upto = np.floor(places) + 1 if self.single else np.rint(places)
        bins: NDArray[np.intp] = np.clip(upto, 0, self.bins).astype(np.intp)
        return bins

    def upper_edge(self, bins: NDArray[np.intp]) -> Floats:
        """Return the largest value of each bin, or what its values stay below."""
        ends = (bins if self.single else bins + 1).astype(np.float64)
        return self.low + self.width * ends


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class _Counted:
    """One sample: its values, the bin of each, the rows of each bin, and the rows before each bin (one more than there are bins)."""

    values: Values
    bins: NDArray[np.uint16]
    rows: Counts
    before: Counts

    @classmethod
    def of(cls, values: Values, grid: _Grid) -> _Counted:
        bins = np.empty(len(values), dtype=np.uint16)
        rows = np.zeros(grid.bins, dtype=np.int64)
        for start in range(0, len(values), BLOCK):
            block = grid.bin_of(values[start : start + BLOCK])
            bins[start : start + BLOCK] = block
            rows += np.bincount(block, minlength=grid.bins)
        return cls(values=values, bins=bins, rows=rows, before=np.concatenate([[0], np.cumsum(rows)]))

    @property
    def shares(self) -> Floats:
        """The share of values up to the end of each bin."""
        return self.before[1:] / len(self.values)

    def summed(self, edges: Floats, grid: _Grid) -> Counts:
        """Return the rows between edges."""
        ends = np.concatenate([[0], grid.bins_upto(edges[1:-1]), [grid.bins]])
        rows: Counts = np.diff(self.before[ends])
        return rows


def by_counting(reference: Numbers, current: Numbers) -> Gaps | None:
    """Compare two samples of numbers, neither of them empty; ``None`` when their range cannot be divided into bins."""
    grid = _grid(reference, current)
    if grid is None:
        return None
    before, now = _Counted.of(reference.values, grid), _Counted.of(current.values, grid)
    lower, upper = _single_gaps(before, now, grid) if grid.single else _refined_gaps(before, now, grid)
    parts, drawn = _part_edges(before, now, grid), drawn_edges(*grid.shown, whole=grid.single)
    return Gaps(
        lower=lower,
        upper=upper,
        parts=Binned(edges=parts, reference=before.summed(parts, grid), current=now.summed(parts, grid)),
        drawn=Binned(edges=drawn, reference=before.summed(drawn, grid), current=now.summed(drawn, grid)),
    )


def _grid(reference: Numbers, current: Numbers) -> _Grid | None:
    """Return the bins for two samples; ``None`` when their range cannot be divided."""
    sides = (reference, current)
    sample = np.sort(np.concatenate([side.values[:: max(1, len(side.values) // SAMPLED)] for side in sides]))
    shown = low, high = value_range(sample)
    least, most = min(side.extremes[0] for side in sides), max(side.extremes[1] for side in sides)
    if 0 <= most - least < FINE and all(side.whole or _is_whole(sample, side.values) for side in sides):
        return _Grid(low=least, width=1.0, bins=int(most - least) + 1, single=True, shown=shown)
    width = (high - low) / FINE
    if not np.isfinite(width) or width <= np.spacing(max(abs(low), abs(high))):
        return None
    return _Grid(low=low, width=width, bins=FINE, single=False, shown=shown)


def _is_whole(sample: Values, values: Values) -> bool:
    return bool(np.all(sample == np.rint(sample)) and np.all(values == np.rint(values)))


def _part_edges(before: _Counted, now: _Counted, grid: _Grid) -> Floats:
    pooled = before.before[1:] + now.before[1:]
    deciles = np.unique(np.searchsorted(pooled, np.ceil(np.arange(1, PARTS) * pooled[-1] / PARTS)))
    ends = grid.upper_edge(np.array([-1, grid.bins - 1]))
    return np.concatenate([ends[:1], grid.upper_edge(deciles[deciles < grid.bins - 1]), ends[1:]])


def _single_gaps(before: _Counted, now: _Counted, grid: _Grid) -> tuple[Gap, Gap]:
    values = grid.upper_edge(np.arange(grid.bins))
    return (
        largest_gap(values, before.shares, now.shares),
        swapped(largest_gap(values, now.shares, before.shares)),
    )


def _refined_gaps(before: _Counted, now: _Counted, grid: _Grid) -> tuple[Gap, Gap]:
    """Return the largest gaps, looking into every bin that could hold them."""
    differences = before.shares - now.shares
    at_lower_edge = np.concatenate([[0.0], differences[:-1]])
    could_be_lower = at_lower_edge + before.rows / len(before.values) >= differences.max() - ROUNDING
    could_be_upper = at_lower_edge - now.rows / len(now.values) <= differences.min() + ROUNDING
    chosen = could_be_lower | could_be_upper
    inside_before, inside_now = _Inside.of(before, chosen, grid), _Inside.of(now, chosen, grid)
    return _gap_inside(inside_before, inside_now), swapped(_gap_inside(inside_now, inside_before))


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class _Inside:
    """The values of the chosen bins, ascending, with the bin of each; and, before each bin, the rows that were not chosen."""

    values: Values
    bins: NDArray[np.intp]
    skipped: Counts
    total: int

    @classmethod
    def of(cls, side: _Counted, chosen: NDArray[np.bool_], grid: _Grid) -> _Inside:
        values = np.sort(side.values[chosen[side.bins]])
        skipped = side.before[:-1] - np.concatenate([[0], np.cumsum(side.rows * chosen)[:-1]])
        return cls(values=values, bins=grid.bin_of(values), skipped=skipped, total=len(side.values))


def _gap_inside(higher: _Inside, lower: _Inside) -> Gap:
    if not len(higher.values):
        return Gap(size=0.0, at=float(lower.values[0]), reference=0.0, current=0.0)
    upto = np.arange(1, len(higher.values) + 1) + higher.skipped[higher.bins]
    other = np.searchsorted(lower.values, higher.values, side="right") + lower.skipped[higher.bins]
    return largest_gap(higher.values, upto / higher.total, other / lower.total)
