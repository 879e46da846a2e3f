"""The processes of a service: how a worker and a companion are started, and what is known of each."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sekisho.serving.layout import METRICS_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.serving.layout import RunFolder

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
"""Seconds before a process that died is started again: doubled each time, until it has lived for a while."""
STEADY_SECONDS: Final = 10.0

Started = tuple[subprocess.Popen[bytes], socket.socket | None]
"""A process, and the way to it if it is a worker."""


@dataclass(kw_only=True, slots=True, eq=False)
class Child:
    """A process that is brought back when it dies.

    Attributes:
        name: What the log calls it.
        start: Starts it.
        process: The process; ``None`` while it waits to be started.
        control: The way to a worker; ``None`` for a companion.
        began: When it was started last, in seconds of the monotonic clock.
        due: When it is to be started again.
        pause: How long it waits before that.
        state: What a worker said last.
        received: Bytes of a word that has not ended.

    """

    name: str
    start: Callable[[], Started]
    process: subprocess.Popen[bytes] | None = None
    control: socket.socket | None = None
    began: float = 0.0
    due: float = 0.0
    pause: float = FIRST_PAUSE
    state: str = "starting"
    received: bytes = b""

    def begin(self, now: float) -> None:
        """Start it."""
        self.process, self.control = self.start()
        self.began = now
        self.state = "starting"
        self.received = b""

    def died(self, now: float) -> int | None:
        """Return the exit code of a process that has ended since it was looked at last, and set when it is due again."""
        code = None if self.process is None else self.process.poll()
        if code is None:
            if now - self.began > STEADY_SECONDS:
                self.pause = FIRST_PAUSE
            return None
        self.process = None
        self.due = now + self.pause
        self.pause = min(LONGEST_PAUSE, 2 * self.pause)
        return code


@dataclass(frozen=True, kw_only=True, slots=True)
class Starter:
    """Starts the processes of one service.

    Attributes:
        run: The folder that the processes share.
        listener: The descriptor of the socket that the workers listen on.
        log: The descriptor that the log goes to.
        stray: The descriptor that whatever else a worker prints goes to.

    """

    run: RunFolder
    listener: int
    log: int
    stray: int

    def worker(self, number: int) -> Started:
        """Start a worker."""
        ours, theirs = socket.socketpair()
        descriptors = (self.listener, theirs.fileno(), self.log)
        try:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "sekisho.serving.worker"),
                    *(str(self.run.path), str(number)),
                    *map(str, descriptors),
                ],
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=self.stray,
                stderr=self.stray,
                env=self._environment(),
            )
        finally:
            theirs.close()
        return process, ours

    def companion(self, command: Sequence[str]) -> Started:
        """Start a companion; what it says goes into the log as it is."""
        process = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=self._environment()
        )
        return process, None

    def _environment(self) -> dict[str, str]:
        # One thread does nearly all the work of a worker: an arena of memory for each other one would lie empty.
        return {"MALLOC_ARENA_MAX": "2", **os.environ, METRICS_VARIABLE: str(self.run.metrics)}
