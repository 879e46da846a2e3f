"""How many rows go to the model at once: as many as still make a row cheaper.

A batch of twice as many rows pays where much of a call does not depend on the rows. Where it does not, everybody in the batch only waits for
the others. So the size doubles while a row becomes cheaper by it, as measured; the next size is tried now and then, because models and
machines change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.predict.batching import SIZES, WORTH

if TYPE_CHECKING:
    from sekisho.predict.batching import Wish

BATCHES_BETWEEN_TRIES: Final = 64
MOST_ROWS: Final = SIZES[-1]
FORGETTING: Final = 1.02
"""By how much the quickest measurement of a size is trusted less each time: a busy machine makes things look slower, never quicker."""


class Sizing:
    """How many rows go to one model at once.

    Args:
        wish: Whether that is measured at all.

    """

    def __init__(self, wish: Wish = "measured") -> None:
        self._wish = wish
        self._seconds_per_row: dict[int, float] = {}
        """By size: 0 is one row, and each is twice as large as the one before."""
        self._batches = 0

    @property
    def rows(self) -> int:
        """How many rows the next batch of several requests may have."""
        if self._wish != "measured":
            return MOST_ROWS if self._wish == "always" else 1
        size = 0
        while self._pays(size + 1):
            size += 1
        tries = size + 1 not in self._seconds_per_row or self._batches % BATCHES_BETWEEN_TRIES == 0
        return int(min(MOST_ROWS, 2 ** (size + (tries and size in self._seconds_per_row))))

    def measured(self, rows: int, seconds: float) -> None:
        """Take note of how long the model took for a batch."""
        self._batches += 1
        size = rows.bit_length() - 1
        now = seconds / rows
        known = self._seconds_per_row.get(size, now)
        self._seconds_per_row[size] = min(now, known * FORGETTING)

    def _pays(self, size: int) -> bool:
        smaller, larger = self._seconds_per_row.get(size - 1), self._seconds_per_row.get(size)
        return smaller is not None and larger is not None and larger <= WORTH * smaller
