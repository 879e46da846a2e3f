"""A limit on wrong keys from one address: guessing gets slow, and does not fill the log."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from sekisho.serving import problems
from sekisho.serving.problems import Problem

MOST_WRONG: Final = 20
"""Wrong keys that an address may try at once."""
SECONDS_PER_GUESS: Final = 3.0
"""After that, one more may be tried in this time."""
MOST_ADDRESSES: Final = 10_000
LINE_SECONDS: Final = 60.0
"""One line of the log in this time speaks of the wrong keys of one address."""
CODES: Final = frozenset(("key_unknown", "token_invalid", "too_many_guesses"))
"""What is answered to a wrong key."""


@dataclass(slots=True)
class _Silence:
    """A time in which no more lines are written about an address, and how many there would have been."""

    ends: float
    lines: int = 0


class GuessLimit:
    """Counts wrong keys by address, in this worker."""

    def __init__(self) -> None:
        self._paid: OrderedDict[str, float] = OrderedDict()
        self._silences: OrderedDict[str, _Silence] = OrderedDict()

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

    def deserves_line(self, address: str, now: float) -> bool:
        """Whether a line about a wrong key is to be written; if not, it is counted."""
        silence = self._silences.get(address)
        if silence is not None:
            silence.lines += 1
            return False
        self._silences[address] = _Silence(now + LINE_SECONDS)
        if len(self._silences) > MOST_ADDRESSES:
            self._silences.popitem(last=False)
        return True

    def unwritten(self, now: float) -> list[tuple[str, int]]:
        """Return the addresses about which a line is due, and how many were not written since the last one."""
        due: list[tuple[str, int]] = []
        while self._silences:
            address, silence = next(iter(self._silences.items()))
            if silence.ends > now:
                break
            del self._silences[address]
            if silence.lines:
                due.append((address, silence.lines))
                self._silences[address] = _Silence(now + LINE_SECONDS)
        return due
