"""One running service: where it listens, with which keys it is asked, and what is known of its start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress
from sekisho.probes.resources.process import Child
from sekisho.probes.wire.client import USUAL, Client, Trust, run
from sekisho.probes.wire.message import Reply, Request
from sekisho.text import Text

TOO_MANY: Final = 429
LAST_BREATH: Final = 0.5
"""Seconds in which a process that answers no more may be found to have ended."""
PATIENCE: Final = 120.0
"""Seconds that a rate limit is waited for, for all requests together."""


class Caller(Enum):
    """Who asks."""

    FULL = "full"
    """The key that may do everything the probes need."""
    SECOND = "second"
    """Another key that may predict."""
    OTHER = "other"
    """A valid key without the right to predict."""
    NOBODY = "nobody"
    """No key at all."""


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Keys:
    """The keys of the run; ``None`` for those that there are none of.

    Attributes:
        header: The name of the header that carries a key.
        full, second, other: As in :class:`Caller`.

    """

    header: str
    full: str | None = None
    second: str | None = None
    other: str | None = None

    def of(self, caller: Caller) -> str | None:
        """Return the key of ``caller``."""
        return None if caller is Caller.NOBODY else getattr(self, caller.value)

    @property
    def secrets(self) -> tuple[str, ...]:
        """All keys that there are."""
        return tuple(key for key in (self.full, self.second, self.other) if key)


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """A service that answers.

    Attributes:
        url: Where it listens.
        trust: Whose certificates are believed there.
        keys: The keys to ask it with.
        child: Its process; ``None`` when somebody else started it.
        start_seconds: From its start until it said that it is ready; ``None`` when somebody else started it.
        first_reply: What came of the first prediction after its start; ``None`` when somebody else started it.

    """

    url: str
    keys: Keys
    trust: Trust = USUAL
    child: Child | None = None
    start_seconds: float | None = None
    first_reply: Reply | None = None

    @property
    def log(self) -> Path | None:
        """The file with all that it wrote to standard output and error."""
        return None if self.child is None else self.child.log

    @property
    def has_ended(self) -> bool:
        """Whether its process is gone."""
        return self.child is not None and self.child.exit_code is not None

    def must_live(self, replies: Sequence[Reply] = ()) -> None:
        """Make sure that what was measured was a living service.

        Args:
            replies: What came; where nothing did, its end may be a moment away.

        Raises:
            NotMeasured: Its process has ended meanwhile.

        """
        end = time.monotonic() + (LAST_BREATH if any(not reply.status for reply in replies) else 0.0)
        while not self.has_ended and time.monotonic() < end:
            time.sleep(0.05)
        if self.child is None or not self.has_ended:
            return
        said = self.child.last_line()
        raise NotMeasured(
            Text(
                en=f"the service ended while it was asked (exit code {self.child.exit_code}): {said or 'it wrote nothing'}",
                ja=f"問い合わせの途中でサービスが終了しました（終了コード {self.child.exit_code}）: {said or '出力なし'}",
            ),
            Text(en="find out what ended it: its log is kept", ja="保存されたログで終了の原因を確認してください"),
            where=self.child.log,
        )

    def signed(self, request: Request, caller: Caller = Caller.FULL) -> Request:
        """Return ``request`` with the key of ``caller``."""
        key = self.keys.of(caller)
        return request if key is None else request.with_headers((self.keys.header, key))

    def ask(
        self,
        requests: Sequence[Request],
        *,
        caller: Caller = Caller.FULL,
        connections: int = 1,
        timeout: float = 30.0,
        patient: bool = True,
        progress: Progress | None = None,
        share: tuple[float, float] = (0.0, 1.0),
    ) -> list[Reply]:
        """Send all requests and return the replies in the same order.

        Args:
            requests: What to send.
            caller: Whose key is added.
            connections: How many requests may be under way at a time.
            timeout: Seconds after which a request is given up.
            patient: Whether to wait and ask again when the rate limit refuses a request.
            progress: Where to say how far it is.
            share: The part of the whole measurement that these requests are, from and to.

        """
        signed = [self.signed(request, caller) for request in requests]
        return run(self._ask(signed, connections, timeout, patient, progress or Progress(), share))

    async def _ask(
        self,
        requests: Sequence[Request],
        connections: int,
        timeout: float,
        patient: bool,
        progress: Progress,
        share: tuple[float, float],
    ) -> list[Reply]:
        client = Client(self.url, timeout=timeout, trust=self.trust)
        replies: dict[int, Reply] = {}
        queue = iter(range(len(requests)))
        deadline = time.monotonic() + (PATIENCE if patient else 0.0)

        async def work() -> None:
            for index in queue:
                reply = await client.send(requests[index])
                while reply.status == TOO_MANY and time.monotonic() < deadline:
                    await asyncio.sleep(_wait_of(reply))
                    reply = await client.send(requests[index])
                    progress.advance(share[0])
                replies[index] = reply
                if len(replies) % 50 == 0:
                    progress.advance(share[0] + (share[1] - share[0]) * len(replies) / len(requests))

        try:
            await asyncio.gather(*(work() for _ in range(max(1, min(connections, len(requests))))))
        finally:
            client.close()
        return [replies[index] for index in range(len(requests))]


def _wait_of(reply: Reply) -> float:
    """Return how long a refused client is asked to wait, within reason (RFC 9110, section 10.2.3)."""
    said = reply.headers.get("retry-after", "")
    return min(float(said), 5.0) if said.isdecimal() and int(said) > 0 else 0.2
