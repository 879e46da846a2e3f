"""How much memory a service takes while something is done to it."""

from __future__ import annotations

import contextlib
import threading
from typing import Self

from tests.attacks.service.moves import MIB
from tests.attacks.service.target import Target


class Memory:
    """Looks at the memory of a service all the time while a block runs.

    Attributes:
        mib: By how many MiB it was larger than at the beginning, at most.

    """

    def __init__(self, target: Target) -> None:
        self._process = target.process
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._most = 0
        self.mib = 0.0

    def _look(self) -> None:
        while not self._stop.wait(0.01):
            with contextlib.suppress(OSError):
                self._most = max(self._most, self._process.rss())  # type: ignore[union-attr]

    def __enter__(self) -> Self:
        if self._process is not None:
            self._before = self._process.rss()
            self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process is not None:
            self._stop.set()
            self._thread.join()
            self.mib = round(max(0, self._most - self._before) / MIB, 1)


def twice_the_limit(target: Target) -> float:
    """Return how many MiB may be taken for a body: twice the limit, and a little for what everything takes."""
    return 2 * float(target.limits.get("body_bytes", 8 * MIB)) / MIB + 4
