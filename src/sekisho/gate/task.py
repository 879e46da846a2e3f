"""Work on a thread of its own that can be given up.

A probe may hang in a library that never returns. Python cannot end a thread, so a task that overruns is cancelled (its
:class:`~sekisho.gate.probe.Progress` raises at the next report) and, if that does not help, left behind until the run is
over, when the child processes that its thread started are ended too. It is a daemon thread and dies with the process.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from sekisho.gate.probe import Cancelled, Progress

CLOSING: Final = 20.0
"""Seconds that a resource has to close."""
GRACE: Final = 3.0
"""Seconds that a cancelled task has to clean up before the child processes of its thread are killed."""


class Task:
    """One piece of work; it begins with :meth:`start`.

    Args:
        work: What to do; it is given a progress through which it is shown and cancelled.
        limit: Seconds that it may take, counted from its start and anew from each step forward.
        finished: Where the task puts itself when it has ended.
        advanced: What is told each fraction that the work reports, on the thread of the work.

    Attributes:
        result: What the work returned.
        error: What it raised.
        seconds: How long it took.

    """

    def __init__(
        self,
        work: Callable[[Progress], object],
        *,
        limit: float,
        finished: queue.SimpleQueue[Task],
        advanced: Callable[[float], None] | None = None,
    ) -> None:
        self.result: object = None
        self.error: BaseException | None = None
        self.seconds = 0.0
        self._work = work
        self._limit = limit
        self._finished = finished
        self._advanced = advanced
        self._fraction = 0.0
        self._alive_at = 0.0
        self._cancelled = threading.Event()
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._run,), daemon=True)

    def start(self) -> None:
        """Begin."""
        self._alive_at = time.monotonic()
        self._thread.start()

    @property
    def deadline(self) -> float:
        """When the work is overdue, on the clock of :func:`time.monotonic`."""
        return self._alive_at + self._limit

    def advance(self, fraction: float) -> None:
        """Note a step forward; called by the work.

        Raises:
            Cancelled: Nobody waits for the work any more.

        """
        if self._cancelled.is_set():
            raise Cancelled
        if fraction > self._fraction:
            self._fraction = min(fraction, 1.0)
            self._alive_at = time.monotonic()
            if self._advanced is not None:
                self._advanced(self._fraction)

    def wait(self, seconds: float) -> bool:
        """Wait for the thread, and return whether it has ended; one that never began has."""
        if self._thread.ident is None:
            return True
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """Ask the work to end, without waiting; its child processes, which others may be using, go on."""
        self._cancelled.set()

    def end(self, grace: float = GRACE) -> bool:
        """End the work and the child processes of its thread as far as can be done, and return whether it has ended."""
        self.cancel()
        self._signal_children(signal.SIGTERM)
        if self.wait(grace):
            return True
        self._signal_children(signal.SIGKILL)
        return self.wait(grace)

    def _run(self) -> None:
        began = time.monotonic()
        try:
            self.result = self._work(_Reporter(self))
        except BaseException as error:  # handed to the thread that waits
            self.error = error
        self.seconds = time.monotonic() - began
        self._finished.put(self)

    def _signal_children(self, signum: signal.Signals) -> None:
        # Linux lists the children of each thread apart, so that only those of this work are met.
        with contextlib.suppress(OSError):
            for pid in Path(f"/proc/self/task/{self._thread.native_id}/children").read_text().split():
                os.kill(int(pid), signum)


class HeldTask(Task):
    """A resource: open until it is let go, and closed on the thread that opened it.

    Args:
        work: A generator function that yields the resource once and then cleans up.
        limit: Seconds that opening may take.
        finished: Where the task puts itself when the resource is open, or could not be opened.

    """

    def __init__(
        self, work: Callable[[Progress], Iterator[object]], *, limit: float, finished: queue.SimpleQueue[Task]
    ) -> None:
        super().__init__(self._open, limit=limit, finished=finished)
        self._opens = work
        self._opened: Iterator[object] = iter(())
        self._let_go = threading.Event()
        self.closing_error: BaseException | None = None

    def let_go(self) -> bool:
        """Close the resource, by force if need be, and return whether it is closed."""
        self._let_go.set()
        return self.wait(CLOSING) or super().end()

    def cancel(self) -> None:
        """Ask the work to end; a resource that opens after all is closed at once."""
        self._let_go.set()
        super().cancel()

    def _open(self, progress: Progress) -> object:
        self._opened = self._opens(progress)
        return next(self._opened)

    def _run(self) -> None:
        super()._run()
        if self.error is None:
            self._let_go.wait()
            try:
                next(self._opened, None)
            except BaseException as error:  # read by the thread that lets go
                self.closing_error = error


class _Reporter(Progress):
    """The progress that a task gives to its work."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def advance(self, fraction: float) -> None:
        self._task.advance(fraction)
