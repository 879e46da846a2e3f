"""The signals that a service takes: to end in order, and to look anew for what it serves."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class Received:
    """What signals have said.

    Attributes:
        number: The last one that said that the service shall end.
        reload: Whether one has said that it shall look anew for what it serves.

    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.reload = False

    def __call__(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Note a signal."""
        if number == signal.SIGHUP:
            self.reload = True
        else:
            self.number = number


@contextlib.contextmanager
def signals() -> Iterator[Received]:
    """Take SIGTERM, SIGINT and SIGHUP for a while; only the main thread can, and elsewhere nothing is changed.

    Started from a terminal, the service still ends when that is closed.
    """
    received = Received()
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    taken = [signal.SIGTERM, signal.SIGINT, *(() if sys.stdin is not None and sys.stdin.isatty() else (signal.SIGHUP,))]
    before = {number: signal.signal(number, received) for number in taken}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
