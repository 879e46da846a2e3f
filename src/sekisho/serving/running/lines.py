"""Jobs that wait for the model: each caller has a line of their own, and the lines take turns.

Who sends ten times as much waits for it, and nobody else does. Turns are counted in rows, so that one caller's batches do not delay another's
single rows: a job is stamped with the virtual moment at which its turn would come if every line moved on evenly, and the earliest is taken
first (start-time fair queueing: Goyal, Vin and Cheng, SIGCOMM 1996).

How long one more job would wait is told beforehand: by the rows before it and the pace at which rows were answered of late, or by how long the
first of its line has waited, whichever is more. So who cannot be answered in time is told at once, and costs the model nothing.
"""

from __future__ import annotations

import heapq
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.serving.running.jobs import Job

MEMORY: Final = 0.9
"""What counts of an older measurement when a new one comes in."""
LONG: Final = 0.1
"""Seconds; a batch that takes no longer is never long."""


class Lines:
    """Jobs that wait.

    Args:
        lanes: How many batches run side by side.

    """

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        self._lines: dict[str, deque[_Waiting]] = {}
        self._heads: list[tuple[float, int, str]] = []
        """When the turn of each line comes, as a heap; who came first goes first."""
        self._numbers = iter(range(2**63))
        self._now = 0.0
        """The virtual moment: how many rows a line that never paused has had answered."""
        self._ends: dict[str, float] = {}
        """The virtual moment at which all that a caller has asked is answered."""
        self._jobs = 0
        self._rows = 0
        self._seconds = 0.0
        self._answered = 0.0
        self._quickest = 0.0

    def __len__(self) -> int:
        return self._jobs

    @property
    def seconds_per_row(self) -> float:
        """How long the model took for a row of late; 0 while nobody knows."""
        return self._seconds / self._answered if self._answered else 0.0

    @property
    def longest_batch(self) -> float:
        """How long a batch may take that is not called long, in seconds: two of the quickest, or a moment if that is more."""
        return max(LONG, 2.0 * self._quickest)

    def held(self, caller: str) -> int:
        """Return how many jobs of a caller wait."""
        return len(self._lines.get(caller, ()))

    def has_room(self, caller: str, most: int) -> bool:
        """Whether one more job of a caller may wait, if ``most`` may in all.

        Those who hold less than an equal part find room even when the others have taken it all, as long as there are not twice as many.
        """
        if self._jobs < most:
            return True
        callers = len(self._lines) + (caller not in self._lines)
        return self._jobs < 2 * most and self.held(caller) * callers < most

    def delay(self, caller: str) -> float:
        """Return how long one more job of a caller would wait, in seconds."""
        if not self._jobs:
            return 0.0
        line = self._lines.get(caller)
        turns = max(0.0, self._ends.get(caller, 0.0) - self._now)
        expected = min(self._rows, turns * len(self._lines)) * self.seconds_per_row / self._lanes
        return expected if line is None else max(expected, monotonic() - line[0].since)

    def measured(self, rows: int, seconds: float) -> None:
        """Take note of how long the model took for a batch."""
        self._seconds = MEMORY * self._seconds + seconds
        self._answered = MEMORY * self._answered + rows
        self._quickest = min(seconds, self._quickest * 1.05) if self._quickest else seconds

    def push(self, job: Job) -> None:
        """Let a job wait."""
        caller = job.exchange.admission.caller.id
        rows = len(job.question.rows)
        turn = max(self._now, self._ends.get(caller, 0.0))
        self._ends[caller] = turn + rows
        self._jobs += 1
        self._rows += rows
        line = self._lines.get(caller)
        if line is None:
            line = self._lines[caller] = deque()
            heapq.heappush(self._heads, (turn, next(self._numbers), caller))
        line.append(_Waiting(turn, monotonic(), job))

    def take(self, passes: Callable[[Job], bool], fits: Callable[[Job], bool]) -> Job | None:
        """Take the job whose turn it is.

        Args:
            passes: Whether a job may go on now; those that may not are left where they are, and let others pass.
            fits: Whether the job whose turn it is fits; if it does not, none is taken.

        """
        aside = []
        found = None
        while self._heads:
            head = heapq.heappop(self._heads)
            job = self._lines[head[2]][0].job
            if passes(job):
                if fits(job):
                    found = self._leave(head[2])
                else:
                    aside.append(head)
                break
            aside.append(head)
        for head in aside:
            heapq.heappush(self._heads, head)
        return found

    def keep(self, choose: Callable[[Sequence[Job]], Sequence[Job]]) -> None:
        """Let only those jobs wait on that are chosen."""
        everybody = [each for line in self._lines.values() for each in line]
        chosen = {id(job) for job in choose([each.job for each in everybody])}
        self._jobs = self._rows = 0
        for caller, line in list(self._lines.items()):
            left = deque(each for each in line if id(each.job) in chosen)
            self._jobs += len(left)
            self._rows += sum(len(each.job.question.rows) for each in left)
            if left:
                self._lines[caller] = left
            else:
                del self._lines[caller]
        self._heads = [(line[0].turn, next(self._numbers), caller) for caller, line in self._lines.items()]
        heapq.heapify(self._heads)
        self._ends = {caller: end for caller, end in self._ends.items() if end > self._now or caller in self._lines}

    def _leave(self, caller: str) -> Job:
        line = self._lines[caller]
        first = line.popleft()
        self._now = max(self._now, first.turn)
        self._jobs -= 1
        self._rows -= len(first.job.question.rows)
        if line:
            heapq.heappush(self._heads, (line[0].turn, next(self._numbers), caller))
        else:
            del self._lines[caller]
        return first.job


class _Waiting(NamedTuple):
    """A job that waits, the virtual moment of its turn, and since when it waits, in seconds of the monotonic clock."""

    turn: float
    since: float
    job: Job
