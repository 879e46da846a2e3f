"""Whether rows of several callers are worth running as one batch: measured on the model itself, where it runs.

A model gains from a batch when a row in it costs less than a row alone. Most do: a run has a cost of its own, which the rows share. Some do
not, and then a batch only makes callers wait for one another. Nobody waits for a batch to fill: it is made of requests that are there anyway.

Timings are the least of several runs, because whatever else the machine does can only add to them.
"""

from __future__ import annotations

from itertools import cycle, islice
from time import perf_counter
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.predict.rows import Row

SIZES: Final = (1, 4, 16, 64, 256, 1_024)
"""Rows of the batches that are timed."""
WORTH: Final = 0.8
"""The share of the cost of a row alone that a row in a batch may have."""
MOST_RUNS: Final = 9
_PATIENCE: Final = 3.0
"""How many times as long as one row a batch may take, if that is longer than it should."""


class Batching(msgspec.Struct, frozen=True, kw_only=True):
    """What batches of a model cost, and what follows.

    Attributes:
        rows: The sizes that were timed, ascending; none if nothing was.
        microseconds: What one run of each took.
        most_rows: Rows of several requests that are run as one at most; 1: each request is run by itself.
        quick_rows: Rows of one run that is over soon enough to let everybody else wait for it; 0: not even one row is.

    """

    rows: tuple[int, ...] = ()
    microseconds: tuple[float, ...] = ()
    most_rows: int = SIZES[-1]
    quick_rows: int = SIZES[-2]

    @property
    def gain(self) -> float:
        """How many times as much a row alone costs as one in the largest batch that is made, or that was timed if none is made."""
        if not self.rows:
            return 1.0
        at = self.rows.index(self.most_rows) if self.most_rows in self.rows[1:] else -1
        return self.microseconds[0] * self.rows[at] / self.microseconds[at]


Wish = Literal["measured", "always", "never"]
"""Whether requests are run together: if the model gains from it, whatever was measured, or not at all."""

UNMEASURED: Final = Batching()
"""What is done with a model that could not be timed."""


def by_wish(wish: Wish, measured: Batching) -> Batching:
    """Return what is done, by what is wished and what was measured."""
    most = {"measured": measured.most_rows, "always": SIZES[-1], "never": 1}[wish]
    return msgspec.structs.replace(measured, most_rows=most)


def measure(run: Callable[[Sequence[Row]], object], rows: Sequence[Row], *, longest: float, seconds: float) -> Batching:
    """Time batches of several sizes.

    Args:
        run: Answers rows, from validated cells to JSON values.
        rows: Some that the model can answer; they are repeated.
        longest: How long a batch should take at most, in seconds.
        seconds: How long the timing should take, about. A batch that takes longer by itself is the last that is timed.

    Raises:
        ModelFailed: The model failed.

    """
    costs: list[float] = []
    for size in SIZES:
        costs.append(_cost(run, list(islice(cycle(rows), size)), seconds / len(SIZES)))
        if costs[-1] > min(seconds, 2 * max(longest, _PATIENCE * costs[0])):
            break  # larger ones would take too long, whatever they gain
    return decide(SIZES[: len(costs)], costs, longest=longest)


def decide(rows: Sequence[int], costs: Sequence[float], *, longest: float) -> Batching:
    """Return what follows from the costs of batches.

    Args:
        rows: Their sizes, ascending, from one row on.
        costs: How long each took, in seconds.
        longest: How long a batch should take at most, in seconds.

    """
    alone = costs[0]
    timed = list(zip(rows, costs, strict=True))
    worth = [size for size, cost in timed if cost <= max(longest, _PATIENCE * alone) and cost / size <= WORTH * alone]
    quick = [size for size, cost in timed if cost <= longest]
    return Batching(
        rows=tuple(rows),
        microseconds=tuple(round(cost * 1e6, 1) for cost in costs),
        most_rows=max(worth, default=1),
        quick_rows=max(quick, default=0),
    )


def _cost(run: Callable[[Sequence[Row]], object], rows: Sequence[Row], seconds: float) -> float:
    least = float("inf")
    ends = perf_counter() + seconds
    for _ in range(MOST_RUNS):
        began = perf_counter()
        run(rows)
        least = min(least, perf_counter() - began)
        if perf_counter() > ends:
            break
    return least
