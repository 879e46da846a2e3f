"""Good requests at a constant rate, from another thread, and when each was sent and what came of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from sekisho.probes.wire.client import run
from sekisho.probes.wire.load import fire, timetable
from sekisho.probes.wire.message import Reply, Request

MOST_SECONDS: Final = 120.0
CONNECTIONS: Final = 16
"""Connections at least, so that every worker has some."""
TURNED_AWAY: Final = frozenset((429, 503))


@dataclass(frozen=True, kw_only=True, slots=True)
class Shot:
    """One request.

    Attributes:
        sent, ended: When, in seconds of the monotonic clock.
        status: The HTTP status; 0 when no answer came.
        fault: Why none came: ``refused``, ``closed``, ``timeout`` or ``malformed``.
        retry_after: What the answer says of trying again.
        version: The version of the model that made the answer, as it says.

    """

    sent: float
    ended: float
    status: int
    fault: str | None = None
    retry_after: str | None = None
    version: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it was answered with success."""
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Whether it was turned away in order, or nobody listened."""
        return self.fault == "refused" or (self.status in TURNED_AWAY and self.retry_after is not None)


class Traffic:
    """A load that does not wait for answers, as long as the block runs.

    Args:
        url: Where the service listens.
        requests: Sent in turn.
        rate: How many a second.
        timeout: Seconds after which an answer is waited for no longer.
        connections: How many there may be at most.

    """

    def __init__(
        self, url: str, requests: Sequence[Request], rate: float, *, timeout: float = 15.0, connections: int = 512
    ) -> None:
        self._url = url
        self._requests = requests
        self._rate = rate
        self._timeout = timeout
        self._connections = connections
        self._shots: list[Shot] = []
        self._ended = threading.Event()
        self._failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._work, name="traffic", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(self._timeout + 5.0)

    @property
    def shots(self) -> list[Shot]:
        """What has come to something so far."""
        return list(self._shots)

    def until(self, count: int, seconds: float = 20.0) -> None:
        """Wait until so many more were answered with success, but not for ever."""
        ends = time.monotonic() + seconds
        wanted = sum(shot.ok for shot in self.shots) + count
        while time.monotonic() < ends and sum(shot.ok for shot in self.shots) < wanted:
            time.sleep(0.02)

    def stop(self) -> list[Shot]:
        """Send no more, wait for the answers that are due, and return what came of all."""
        self._ended.set()
        self._thread.join()
        if self._failed:
            raise self._failed[0]
        return sorted(self._shots, key=lambda shot: shot.sent)

    def _work(self) -> None:
        def answered(index: int, reply: Reply) -> None:  # noqa: ARG001
            now = time.monotonic()
            self._shots.append(
                Shot(
                    sent=now - reply.seconds,
                    ended=now,
                    status=reply.status,
                    fault=reply.fault,
                    retry_after=reply.headers.get("retry-after"),
                    version=_version(reply),
                )
            )

        try:
            run(
                fire(
                    self._url,
                    self._requests,
                    timetable(self._rate, MOST_SECONDS),
                    timeout=self._timeout,
                    largest_pool=self._connections,
                    spread=min(CONNECTIONS, self._connections),
                    on_reply=answered,
                    stop=self._ended.is_set,
                )
            )
        except BaseException as error:
            self._failed.append(error)


def _version(reply: Reply) -> str | None:
    said = reply.json() if reply.ok else None
    version = said.get("model_version") if isinstance(said, dict) else None
    return version if isinstance(version, str) else None
