"""More requests than a service can answer, at a constant rate, whatever becomes of those before; and what became of each."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tests.attacks.service.target import Target

from sekisho.drills.parts.ground import closed_loop
from sekisho.probes.wire.client import run
from sekisho.probes.wire.load import fire, timetable
from sekisho.probes.wire.message import Reply, Request, post

TURNED_AWAY = (429, 503)


@dataclass(kw_only=True)
class Flood:
    """What became of requests.

    Attributes:
        replies: The answers, in the order in which they came.
        waits: How long each took, in seconds from the moment at which it was due.
        seconds: From the first that was due to the last answer.

    """

    replies: list[Reply] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def statuses(self) -> Counter[int]:
        return Counter(reply.status for reply in self.replies)

    @property
    def answered(self) -> list[float]:
        """How long those took that were answered, in seconds."""
        return [wait for reply, wait in zip(self.replies, self.waits, strict=True) if reply.ok]

    @property
    def refused(self) -> list[Reply]:
        return [reply for reply in self.replies if reply.status in TURNED_AWAY]

    @property
    def goodput(self) -> float:
        """Answers with success a second, over all of the time that it took."""
        return len(self.answered) / self.seconds


def request_of(target: Target, *, key: str = "", body: bytes | None = None, path: str = "", **headers: str) -> Request:
    """Return a good request, or another body or path."""
    question = target.question
    sent = {
        **target.headers,
        **({"X-API-Key": key} if key else {}),
        **{n.replace("_", "-"): v for n, v in headers.items()},
    }
    return post(path or question.path, question.body if body is None else body).with_headers(*sent.items())


def flood(
    target: Target, request: Request, rate: float, seconds: float, *, connections: int = 1_024, timeout: float = 20.0
) -> Flood:
    """Send a request at a constant rate."""
    found = Flood()
    due = timetable(rate, seconds)
    ended = [0.0]

    def answered(index: int, reply: Reply) -> None:
        ended[0] = time.monotonic()
        found.replies.append(reply)
        found.waits.append(time.monotonic() - began - due[index])

    began = time.monotonic() + 0.02
    run(fire(target.url, [request], due, timeout=timeout, largest_pool=connections, on_reply=answered))
    found.seconds = ended[0] - began
    return found


@contextlib.contextmanager
def flooded(target: Target, request: Request, rate: float, seconds: float, **more: Any) -> Iterator[Flood]:
    """Flood a service from another thread while the block runs; what became of it is there after the block."""
    found = Flood()

    def work() -> None:
        whole = flood(target, request, rate, seconds, **more)
        found.replies, found.waits, found.seconds = whole.replies, whole.waits, whole.seconds

    thread = threading.Thread(target=work, daemon=True, name="flood")
    thread.start()
    try:
        yield found
    finally:
        thread.join(seconds + 60.0)


def capacity(target: Target, request: Request, *, connections: int = 8, seconds: float = 1.0) -> float:
    """Return how many requests a second are answered when each connection asks again at once."""
    return run(closed_loop(target.url, [request], connections, seconds)) / seconds


def quantile(values: list[float], share: float) -> float:
    """Return a quantile in milliseconds."""
    return float(np.quantile(values, share)) * 1e3
