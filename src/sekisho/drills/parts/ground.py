"""Where a drill takes place: the artifact, the settings of the contract, and good requests."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from sekisho.artifact.artifact import ModelArtifact
from sekisho.drills.parts.running import Running
from sekisho.drills.parts.traffic import Traffic
from sekisho.errors import NotMeasured
from sekisho.probes.resources.process import free_port, surroundings
from sekisho.probes.wire.client import Client, run
from sekisho.probes.wire.message import Request, post
from sekisho.serving.guards.keys import new_key
from sekisho.text import Text

WORKERS: Final = 2
UNLIMITED: Final = 10**8
"""Requests per second and key that no drill reaches."""
MOST_ROWS: Final = 200
SECONDS_OF_CAPACITY: Final = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """Where a drill takes place.

    Attributes:
        artifact: The folder of the artifact.
        project: The folder of the contract; ``None``: there is none.
        key_header: The header that carries a key.
        key, key_file: The key of the drill, and the file that its service knows it by.
        scratch: A folder that is gone afterwards.
        rate: Requests a second.
        seconds: How long what is watched is watched at least.
        more: What else is told to ``sekisho serve``.

    """

    artifact: Path
    project: Path | None
    key_header: str
    key: str
    key_file: Path
    scratch: Path
    rate: float
    seconds: float = 2.0
    more: tuple[str, ...] = ()

    @contextlib.contextmanager
    def service(self, *more: str, artifact: Path | None = None, port: int | None = None) -> Iterator[Running]:
        """Run a service with the settings of the contract, two workers, and a key and a book of its own.

        Args:
            more: More arguments.
            artifact: What it serves, if not the artifact of the ground.
            port: Where it listens; ``None``: anywhere.

        Raises:
            NotMeasured: It does not start.

        """
        running = self.start(*more, artifact=artifact, port=port)
        try:
            running.wait_until_ready()
            yield running
        finally:
            running.let_go()

    def start(self, *more: str, artifact: Path | None = None, port: int | None = None) -> Running:
        """Start such a service, and do not wait for it."""
        command = (
            *(sys.executable, "-m", "sekisho", "serve", str(artifact or self.artifact)),
            *(() if self.project is None else ("--project", str(self.project), "--no-tls", "--no-tokens")),
            *("--host", "127.0.0.1", "--port", str(port or free_port()), "--workers", str(WORKERS)),
            *("--key-file", str(self.key_file), "--ledger", str(self.book)),
            *("--rate-limit", f"{UNLIMITED}", "--burst", f"{UNLIMITED}", "--no-watch", *self.more, *more),
        )
        return Running(
            command,
            folder=self.project or self.scratch,
            environment=surroundings(SEKISHO_LANG="en"),
            headers=((self.key_header, self.key),),
        )

    @property
    def book(self) -> Path:
        """The book of predictions."""
        return self.scratch / "predictions.sqlite"

    def traffic(self, running: Running, *, rate: float | None = None, connections: int = 512) -> Traffic:
        """Return good traffic on a service."""
        signed = [request.with_headers(*running.headers) for request in self.requests()]
        return Traffic(running.url, signed, rate or self.rate, connections=connections)

    def requests(self) -> Sequence[Request]:
        """Return good requests: one for each golden row.

        Raises:
            NotMeasured: The artifact was packed without any.

        """
        rows = ModelArtifact.load(self.artifact).golden.rows[:MOST_ROWS]
        if not rows:
            raise NotMeasured(
                Text(
                    en="the artifact holds no golden rows to ask with",
                    ja="成果物に、送信に使うゴールデン行がありません",
                ),
                Text(en="pack the model again with its data", ja="データを渡してモデルを梱包し直してください"),
                where=self.artifact,
            )
        return [post("/predict", msgspec.json.encode({"features": dict(row)})) for row in rows]

    def capacity(self, running: Running, connections: int = 32) -> float:
        """Return how many requests a second the service answers when each connection asks again at once."""
        signed = [request.with_headers(*running.headers) for request in self.requests()]
        return run(closed_loop(running.url, signed, connections, SECONDS_OF_CAPACITY)) / SECONDS_OF_CAPACITY


def prepare(artifact: Path, scratch: Path, *, project: Path | None, key_header: str, rate: float) -> Ground:
    """Make a key, and return the ground for one drill."""
    secret, line = new_key("drill", ("predict", "metrics", "admin"))
    key_file = scratch / "keys"
    key_file.touch(mode=0o600)
    key_file.write_text(f"{line}\n", encoding="utf-8")
    return Ground(
        artifact=artifact,
        project=project,
        key_header=key_header,
        key=secret,
        key_file=key_file,
        scratch=scratch,
        rate=rate,
    )


async def closed_loop(url: str, requests: Sequence[Request], connections: int, seconds: float) -> int:
    """Let each connection ask again as soon as it is answered; return how many requests were answered with success."""
    client = Client(url)
    ends = time.monotonic() + seconds
    count = 0

    async def work(first: int) -> None:
        nonlocal count
        for number in itertools.count(first):
            if time.monotonic() > ends:
                return
            reply = await client.send(requests[number % len(requests)])
            count += reply.ok

    try:
        await asyncio.gather(*(work(number) for number in range(connections)))
    finally:
        client.close()
    return count
