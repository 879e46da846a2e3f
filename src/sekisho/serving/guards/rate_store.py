"""A limit on requests per second and caller that holds over machines: the same rule as in :mod:`~sekisho.serving.guards.rate`, in Redis.

One script looks at what a caller owes and adds to it, by the clock of the store alone. A request waits for what it says, and others go on. If the store does not answer soon, requests are judged by the table of this machine, or turned
away, as the service was told; and the store is left alone for a moment, so that not every request waits for it in vain.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from math import ceil
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from sekisho.errors import MissingExtra, WrongUse
from sekisho.serving import problems
from sekisho.serving.guards.rate import ROWS_PER_REQUEST
from sekisho.serving.problems import Problem
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.serving.guards.interface import Caller
    from sekisho.serving.guards.rate import RateLimit

PASSWORD: Final = "SEKISHO_RATE_STORE_PASSWORD"  # noqa: S105 - the name of a variable
TIMEOUT_SECONDS: Final = 0.5
PAUSE_SECONDS: Final = 1.0
"""How long a store that has failed is left alone."""
MOST_CONNECTIONS: Final = 16
_MICROSECONDS: Final = 1_000_000

_SCRIPT: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local paid = tonumber(redis.call('GET', KEYS[1]) or '0')
local cost, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])
local owed = math.max(paid - now, 0)
if tolerance >= 0 and owed > tolerance then
  return owed - tolerance
end
local after = owed + cost
redis.call('SET', KEYS[1], string.format('%.0f', now + after), 'PX', math.ceil(after / 1000) + 1000)
return 0
"""
"""Takes ``cost`` from a caller who does not owe more than ``tolerance`` (less than nothing: from any), and returns 0; or how long to wait."""


class SharedRateLimit:
    """The limit.

    Args:
        url: Where the store is.
        name: Whose limits these are: services with one name share them.
        local: The limit of this machine: its rate and burst, and what is asked while the store is down.
        refuse: Whether requests are turned away while the store is down.
        failed: Told about each time that the store did not answer.

    Raises:
        MissingExtra: The client of Redis is not installed.
        WrongUse: The address is none.

    """

    def __init__(self, url: str, *, name: str, local: RateLimit, refuse: bool, failed: Callable[[], None]) -> None:
        self._local = local
        self._refuse = refuse
        self._failed = failed
        self._prefix = f"sekisho:rate:{name}:"
        self._cost = max(1, round(_MICROSECONDS / local.per_second))
        self._tolerance = (local.burst - 1) * self._cost
        self._rests_until = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        client = client_of(url)
        self._client = client
        self._script: Any = client.register_script(_SCRIPT)

    async def check(self, caller: Caller) -> Problem | None:
        """Take one request, or say when to come back."""
        wait = await self._ask(caller, self._cost, self._tolerance)
        if wait is None:
            if self._refuse:
                return Problem(kind=problems.LIMITS_UNKNOWN, fields=problems.retry_after(ceil(PAUSE_SECONDS)))
            return self._local.check(caller, monotonic())
        return None if wait <= 0 else self._local.refusal(wait / _MICROSECONDS)

    def charge(self, caller: Caller, rows: int) -> None:
        """Add what a request with many rows costs besides itself; nobody waits for that."""
        more = rows // ROWS_PER_REQUEST
        if more:
            task = asyncio.get_running_loop().create_task(self._charge(caller, more))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Let go of the store."""
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._client.aclose()

    async def _charge(self, caller: Caller, more: int) -> None:
        if await self._ask(caller, more * self._cost, -1) is None:
            self._local.charge(caller, more * ROWS_PER_REQUEST, monotonic())

    async def _ask(self, caller: Caller, cost: int, tolerance: int) -> int | None:
        """Return how many microseconds to wait; ``None`` if the store does not say."""
        from redis.exceptions import RedisError

        if monotonic() < self._rests_until:
            return None
        key = self._prefix + hashlib.blake2b(caller.id.encode(), digest_size=16).hexdigest()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return int(await self._script(keys=[key], args=[cost, tolerance]))
        except (RedisError, OSError, TimeoutError, ValueError, TypeError):
            self._rests_until = monotonic() + PAUSE_SECONDS
            self._failed()
            return None


def client_of(url: str) -> Any:
    """Return a client of the store, which has not been asked yet.

    Raises:
        MissingExtra: The client of Redis is not installed.
        WrongUse: The address is none.

    """
    try:
        import redis.asyncio
    except ImportError:
        raise MissingExtra("redis", "redis") from None
    password = os.environ.get(PASSWORD)
    given = {} if password is None else {"password": password}
    try:
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url,
            max_connections=MOST_CONNECTIONS,
            timeout=TIMEOUT_SECONDS,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            **given,
        )
    except (ValueError, TypeError):
        raise WrongUse(
            Text(en="the store of limits has no such address", ja="レート制限の保存先の URL が正しくありません"),
            Text(en="give one like redis://host:6379/0", ja="redis://host:6379/0 のように指定してください"),
        ) from None
    return redis.asyncio.Redis.from_pool(pool)
