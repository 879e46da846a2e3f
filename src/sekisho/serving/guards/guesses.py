"""A limit on wrong keys from one address: guessing gets slow, and does not fill the log."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from sekisho.serving import problems
from sekisho.serving.problems import Problem

MOST_WRONG: Final = 20
"""Wrong keys that an address may try at once."""
SECONDS_PER_GUESS: Final = 3.0
"""After that, one more may be tried in this time."""
MOST_ADDRESSES: Final = 10_000


class GuessLimit:
    """Counts wrong keys by address, in this worker."""

    def __init__(self) -> None:
        self._paid: OrderedDict[str, float] = OrderedDict()

    def is_exhausted(self, address: str, now: float) -> Problem | None:
        """Return a problem if ``address`` has guessed too often.

        Args:
            address: The peer.
            now: Seconds of the monotonic clock.

        """
        owed = self._paid.get(address, 0.0) - now
        if owed <= (MOST_WRONG - 1) * SECONDS_PER_GUESS:
            return None
        return Problem(kind=problems.TOO_MANY_GUESSES, fields=problems.retry_after(int(SECONDS_PER_GUESS)))

    def wrong(self, address: str, now: float) -> None:
        """Count a wrong key."""
        self._paid[address] = max(self._paid.pop(address, 0.0), now) + SECONDS_PER_GUESS
        if len(self._paid) > MOST_ADDRESSES:
            self._paid.popitem(last=False)
