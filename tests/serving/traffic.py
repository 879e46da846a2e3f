"""Clients that never stop asking, and remember every answer: what was asked, what came back, and between which moments."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer."""

    began: float
    ended: float
    asked: float
    version: str
    prediction: Any


class Traffic:
    """Keeps asking ``/predict`` with one feature ``x``, on connections that stay open; some clients send several requests at a time.

    Between two rounds each waits for ``pause`` seconds. Every answer that is not 200, and every connection that ends, is a failure: nobody is asked twice.
    """

    def __init__(
        self,
        port: int,
        *,
        clients: int = 16,
        pipelined: int = 4,
        path: str = "/predict",
        key: str | None = None,
        pause: float = 0.001,
    ) -> None:
        self.seen: list[Seen] = []
        self.failures: Counter[str] = Counter()
        self._port = port
        self._path = path
        self._pause = pause
        self._key = "" if key is None else f"X-API-Key: {key}\r\n"
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(number, 8 if number < pipelined else 1), daemon=True)
            for number in range(clients)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        self.wait(200)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self, more: int, seconds: float = 30.0) -> None:
        """Wait until so many more answers have come."""
        wanted, ends = len(self.seen) + more, time.monotonic() + seconds
        while len(self.seen) < wanted and time.monotonic() < ends:
            time.sleep(0.01)
        assert len(self.seen) >= wanted, self.failures

    def stop(self) -> None:
        """End, after the answers that are due."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def versions(self, after: float = 0.0, before: float = float("inf")) -> set[str]:
        """Return the versions that made the answers to requests that were sent, and answered, between two moments."""
        return {one.version for one in self.seen if one.began >= after and one.ended <= before}

    def _work(self, number: int, at_once: int) -> None:
        asked = float(number + 1)
        connection, stream = self._connect()
        body = json.dumps({"features": [asked]}).encode()
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{self._key}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        while not self._stop.wait(self._pause):
            began = time.monotonic()
            try:
                connection.sendall((head.encode() + body) * at_once)
                for _ in range(at_once):
                    status, ends, answer = _read(stream)
                    if status != 200 or ends:
                        self.failures[f"{status}{' and closed' if ends else ''} {answer[:200]!r}"] += 1
                        continue
                    told = json.loads(answer)
                    self.seen.append(Seen(began, time.monotonic(), asked, told["model_version"], told["prediction"]))
            except (OSError, ValueError) as error:
                self.failures[type(error).__name__] += 1
                connection.close()
                time.sleep(0.05)
                connection, stream = self._connect()
        connection.close()

    def _connect(self) -> tuple[socket.socket, Any]:
        connection = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        return connection, connection.makefile("rb")


def _read(stream: Any) -> tuple[int, bool, bytes]:
    """Return the status of the next answer, whether the connection ends after it, and its body."""
    first = stream.readline()
    if not first:
        raise ConnectionError("closed")
    fields = {}
    while (line := stream.readline().rstrip(b"\r\n")) != b"":
        name, _, value = line.partition(b":")
        fields[name.lower()] = value.strip()
    body = stream.read(int(fields[b"content-length"]))
    return int(first.split()[1]), fields.get(b"connection") == b"close", body
