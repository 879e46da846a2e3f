"""The log: one JSON object a line, written by a thread of its own so that a slow reader of the log stops nobody.

No line holds a feature's value, a key, a query string or a header: what a caller chose freely is either checked (the request id) or left
out. Lines about single requests are bounded: beyond so many a second they are only counted, and a summary says how many there were.
"""

from __future__ import annotations

import datetime as dt
import os
import select
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

Level = Literal["debug", "info", "warning", "error"]

FLUSH_SECONDS: Final = 0.1
MOST_WAITING: Final = 20_000
"""Lines that wait to be written; more are dropped and counted."""
LONGEST_WORD: Final = 500

_encoder: Final = msgspec.json.Encoder(enc_hook=str)


def line(level: Level, event: str, **members: Any) -> bytes:
    """Return one line of the log.

    Args:
        level: How bad it is.
        event: What happened, in a few words that never change.
        members: What else there is to say; strings are cut at 500 characters.

    """
    shown = {name: value[:LONGEST_WORD] if isinstance(value, str) else value for name, value in members.items()}
    return _encoder.encode({"time": timestamp(time.time()), "level": level, "event": event, **shown}) + b"\n"


def timestamp(seconds: float) -> str:
    """Return a moment as RFC 3339 in UTC, to the millisecond.

    Args:
        seconds: Since 1970 in UTC.

    """
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


class Trickle:
    """Lets so many lines a second through, and counts the others.

    Args:
        per_second: How many.

    """

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._second = 0
        self._left = per_second
        self._skipped = 0

    def passes(self, now: float) -> bool:
        """Whether one more line may be written at the second ``now``."""
        if int(now) != self._second:
            self._second, self._left = int(now), self._per_second
        self._left -= 1
        self._skipped += self._left < 0
        return self._left >= 0

    def skipped(self, now: float) -> int:
        """Return how many lines were held back in the seconds that are over, and forget them."""
        if int(now) == self._second:
            return 0
        skipped, self._skipped = self._skipped, 0
        return skipped


class Log:
    """Writes lines to a file descriptor from a thread of its own.

    Args:
        descriptor: Where to.
        per_second: Lines about single requests a second, before they are only counted.
        dropped: Told how many lines about requests were not written.
        always: Members of every line.

    """

    def __init__(
        self, descriptor: int, *, per_second: int, dropped: Callable[[int], None], always: dict[str, Any]
    ) -> None:
        self._descriptor = descriptor
        self._per_second = per_second
        self._dropped = dropped
        self._always = always
        self._lines: deque[tuple[Any, ...]] = deque()
        self._second = 0
        self._left = per_second
        self._skipped = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def say(self, level: Level, event: str, **members: Any) -> None:
        """Write a line about the service."""
        self._lines.append((level, event, time.time(), members))

    def request(
        self, status: int, route: str, request_id: str, caller: str, seconds: float, code: str | None, model: str = ""
    ) -> None:
        """Write a line about one request.

        Args:
            status: The HTTP status of the answer.
            route: The path as the service knows it, never as it was sent.
            request_id: Its id.
            caller: The id of the key, or the address of the peer.
            seconds: From the first byte of the request to the answer.
            code: The code of the problem; ``None`` if it was answered as asked.
            model: The artifact that was asked; empty if none was.

        """
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._left = self._per_second
        if self._left <= 0 or len(self._lines) >= MOST_WAITING:
            self._skipped += 1
            return
        self._left -= 1
        self._lines.append((status, route, now, request_id, caller, seconds, code, model))

    def close(self) -> None:
        """Write what is left, and end the thread."""
        self._ended.set()
        self._thread.join(2.0)

    def _write_all(self) -> None:
        while True:
            last = self._ended.wait(FLUSH_SECONDS)
            self._flush()
            if last:
                return

    def _flush(self) -> None:
        pieces = []
        while self._lines:
            pieces.append(self._render(self._lines.popleft()))
        skipped, self._skipped = self._skipped, 0
        if skipped:
            self._dropped(skipped)
            pieces.append(self._render(("info", "requests not logged one by one", time.time(), {"count": skipped})))
        for group in _groups(pieces):
            _write(self._descriptor, group)

    def _render(self, entry: tuple[Any, ...]) -> bytes:
        if isinstance(entry[0], str):
            level, event, now, members = entry
            shown = {name: value[:LONGEST_WORD] if isinstance(value, str) else value for name, value in members.items()}
        else:
            status, route, now, request_id, caller, seconds, code, model = entry
            level, event = ("info" if status < 500 else "error"), "request"
            shown = {
                "request_id": request_id,
                "route": route,
                "status": status,
                "latency_ms": round(seconds * 1e3, 3),
                "caller": caller,
            }
            if code is not None:
                shown["code"] = code
            if model:
                shown["model"] = model
        return (
            _encoder.encode({"time": timestamp(now), "level": level, "event": event, **shown, **self._always}) + b"\n"
        )


def _groups(lines: list[bytes]) -> list[bytes]:
    """Return whole lines in groups that a pipe takes in one piece, so that several workers can share it."""
    groups: list[list[bytes]] = [[]]
    size = 0
    for one in lines:
        if size + len(one) > select.PIPE_BUF and groups[-1]:
            groups.append([])
            size = 0
        groups[-1].append(one)
        size += len(one)
    return [b"".join(group) for group in groups if group]


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError:
        return  # nobody reads the log, or its disk is full: the service goes on
