"""A limit on requests per second and caller that holds over all workers together.

The generic cell rate algorithm (ITU-T I.371) keeps one number a caller: the moment at which all that was taken would be paid for. It lies in
a table that the workers share, under a lock of the file. A request passes while that moment is less than the burst ahead of now; what it
costs is known only after its body was read, and is added then: every ten rows of a batch cost as much as one more request, which is about
what they cost to compute, so that large batches are paid for by waiting.

The table has a fixed size. A caller's place is found by a keyed hash (nobody can choose to collide) and free again as soon as all is paid; if
a million callers want places at once, some share one.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import random
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sekisho.serving import problems
from sekisho.serving.problems import Problem
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.serving.guards.interface import Caller

PLACES: Final = 65_536
ROWS_PER_REQUEST: Final = 10
"""Rows of a batch that cost as much as one request."""
_TRIES: Final = 8
_KEY_BYTES: Final = 32


def make_table(path: Path) -> None:
    """Make the table that all workers of one service share.

    Args:
        path: A file that is not there yet.

    """
    with path.open("xb") as file:
        file.write(os.urandom(_KEY_BYTES))
        file.truncate(_KEY_BYTES + PLACES * 16)


class RateLimit:
    """The limit.

    Args:
        path: The table that :func:`make_table` made.
        per_second: Requests per second and caller.
        burst: Requests at once after a pause; ``None``: those of one second, at least one.
        shared: Whether other processes use the table.

    """

    def __init__(self, path: Path, *, per_second: float, burst: int | None, shared: bool) -> None:
        self.per_second = per_second
        self.burst = burst or max(1, ceil(per_second))
        self._interval = 1.0 / per_second
        # A request passes while less than this is owed: "burst" requests at once, and not one more.
        self._tolerance = (self.burst - 1) * self._interval
        descriptor = os.open(path, os.O_RDWR)
        self._lock = descriptor if shared else None
        table = mmap.mmap(descriptor, 0)
        self._key = table[:_KEY_BYTES]
        self._owners = memoryview(table)[_KEY_BYTES : _KEY_BYTES + PLACES * 8].cast("Q")
        self._paid = memoryview(table)[_KEY_BYTES + PLACES * 8 :].cast("d")
        self._marks: dict[str, int] = {}

    def check(self, caller: Caller, now: float) -> Problem | None:
        """Take one request, or say when to come back."""
        if self._lock is not None:
            fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            place = self._place(caller.id, now)
            owed = max(self._paid[place], now) - now
            # Clocks are floats: a billionth of a second is no debt.
            if owed <= self._tolerance + 1e-9:
                self._paid[place] = now + owed + self._interval
                return None
        finally:
            if self._lock is not None:
                fcntl.lockf(self._lock, fcntl.LOCK_UN)
        return self.refusal(owed - self._tolerance)

    def charge(self, caller: Caller, rows: int, now: float) -> None:
        """Add what a request with many rows costs besides itself."""
        more = rows // ROWS_PER_REQUEST
        if not more:
            return
        if self._lock is not None:
            fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            place = self._place(caller.id, now)
            self._paid[place] = max(self._paid[place], now) + more * self._interval
        finally:
            if self._lock is not None:
                fcntl.lockf(self._lock, fcntl.LOCK_UN)

    def _place(self, caller: str, now: float) -> int:
        mark = self._marks.get(caller)
        if mark is None:
            digest = hashlib.blake2b(caller.encode(), key=self._key, digest_size=8).digest()
            mark = int.from_bytes(digest, "little") | 1
            if len(self._marks) >= PLACES:
                self._marks.clear()
            self._marks[caller] = mark
        first = mark >> 1
        free = -1
        for step in range(_TRIES):
            place = (first + step) % PLACES
            if self._owners[place] == mark:
                return place
            if free < 0 and self._paid[place] <= now:
                free = place
        if free < 0:
            return first % PLACES
        self._owners[free] = mark
        self._paid[free] = 0.0
        return free

    def refusal(self, seconds: float) -> Problem:
        """Return what a caller is told who owes ``seconds`` too much."""
        # Spread, so that those who were turned away together do not come back together.
        wait = min(60, ceil(seconds + random.random() * min(2.0, seconds)))  # noqa: S311 - no secret
        detail = Text(
            en=f"the limit is {self.per_second:g} requests per second", ja=f"上限は毎秒 {self.per_second:g} 件です"
        )
        return Problem(kind=problems.RATE_LIMITED, detail=detail, fields=problems.retry_after(wait))
