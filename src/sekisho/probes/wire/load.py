"""A load that does not wait: requests leave on a fixed timetable, whatever became of those before.

A client that sends its next request only when the last one was answered slows down together with the service, and never
sees the waiting that its users see ("coordinated omission", Tene 2013, "How NOT to measure latency"). Here the latency of
a request runs from the moment it was due. When the generator itself cannot keep the timetable, the lag says so.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sekisho.probes.wire.client import USUAL, Address, Connection, Trust
from sekisho.probes.wire.message import Reply, Request

NO_ANSWER = 0
STOPS_WITHIN = 0.1
"""Seconds."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Load:
    """What became of ``n`` requests that were due one after the other.

    Attributes:
        due: Shape ``(n,)``, float64, seconds from the start.
        lag: Shape ``(n,)``, float64, seconds by which the generator itself was late.
        latency: Shape ``(n,)``, float64, seconds from the moment due to the last byte of the answer (or to giving up).
        status: Shape ``(n,)``, int64, HTTP status; 0 when no answer came.

    """

    due: NDArray[np.float64]
    lag: NDArray[np.float64]
    latency: NDArray[np.float64]
    status: NDArray[np.int64]


async def fire(
    url: str,
    requests: Sequence[Request],
    due: Sequence[float],
    *,
    timeout: float = 10.0,
    largest_pool: int = 512,
    spread: int = 1,
    source: str | None = None,
    trust: Trust = USUAL,
    on_reply: Callable[[int, Reply], None] | None = None,
    on_way: Callable[[float], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Load:
    """Send one request at each moment of ``due``; those that are left when ``stop`` says so are not sent, and not returned.

    Args:
        url: Where the service listens.
        requests: Sent in turn, over and over.
        due: Seconds from the start, ascending.
        timeout: Seconds after which a request is given up.
        largest_pool: Connections at most; a request that finds none free waits, and its waiting counts.
        spread: Connections at least, used in turn, so that each of several workers gets its part.
        source: The address of this machine that the requests come from.
        trust: Whose certificates are believed.
        on_reply: Called with the index in ``due`` and the reply; must not raise.
        on_way: Called now and then with the fraction that has been sent; what it raises ends the load.
        stop: Asked before each request whether to send no more.

    """
    pool = _Pool(Address(url, trust), timeout, range(spread, largest_pool), source)
    payloads = [pool.address.render(request) for request in requests]
    lag = np.zeros(len(due))
    latency = np.full(len(due), np.nan)
    status = np.zeros(len(due), dtype=np.int64)
    loop = asyncio.get_running_loop()
    start = loop.time() + 0.02

    def answered(index: int, reply: Reply) -> None:
        latency[index] = loop.time() - start - due[index]
        status[index] = reply.status
        if on_reply is not None:
            on_reply(index, reply)

    told = max(1, len(due) // 40)
    sent = 0
    try:
        for index, moment in enumerate(due):
            if stop is not None and stop():
                break
            delay = start + moment - loop.time()
            if delay > 0:
                await _sleep(delay, stop)
                if stop is not None and stop():
                    break
            elif index % 64 == 63:
                await asyncio.sleep(0)  # late: answers must still be read
            lag[index] = max(0.0, loop.time() - start - moment)
            if on_way is not None and index % told == 0:
                on_way(index / len(due))
            pool.send(payloads[index % len(payloads)], partial(answered, index))
            sent += 1
        await pool.settled()
    finally:
        pool.close()
    moments = np.asarray(due, dtype=np.float64)
    return Load(due=moments[:sent], lag=lag[:sent], latency=latency[:sent], status=status[:sent])


async def _sleep(seconds: float, stop: Callable[[], bool] | None) -> None:
    """Sleep, but not long past the moment at which ``stop`` says so."""
    while stop is not None and seconds > STOPS_WITHIN and not stop():
        await asyncio.sleep(STOPS_WITHIN)
        seconds -= STOPS_WITHIN
    await asyncio.sleep(max(seconds, 0.0) if stop is None or not stop() else 0.0)


class _Pool:
    """Connections that are opened as they are needed; what finds none free when there are enough waits its turn.

    Args:
        address: Where they lead.
        timeout: Seconds after which a request is given up.
        size: The least and the most connections; the least are opened before any is used twice.
        source: The address of this machine that they come from.

    """

    def __init__(self, address: Address, timeout: float, size: range, source: str | None) -> None:
        self.address = address
        self._timeout = timeout
        self._size = size
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._idle: deque[Connection] = deque()
        self._waiting: deque[tuple[bytes, Callable[[Reply], None]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._opened = 0
        self._under_way = 0
        self._quiet = asyncio.Event()

    def send(self, data: bytes, done: Callable[[Reply], None]) -> None:
        """Send the bytes of one request; ``done`` is called once with what came of it."""
        self._under_way += 1
        self._quiet.clear()
        self._dispatch(data, done)

    async def settled(self) -> None:
        """Wait until every request has come to something."""
        if self._under_way:
            await self._quiet.wait()

    def close(self) -> None:
        """Close every idle connection, and open no more."""
        for task in self._tasks:
            task.cancel()
        while self._idle:
            self._idle.pop().close()

    def _dispatch(self, data: bytes, done: Callable[[Reply], None]) -> None:
        while self._idle and self._opened >= self._size.start:
            connection = self._idle.popleft()
            if connection.is_open:
                self._send(connection, data, done)
                return
            self._opened -= 1
        if self._opened >= self._size.stop:
            self._waiting.append((data, done))
            return
        self._open(data, done)

    def _open(self, data: bytes, done: Callable[[Reply], None]) -> None:
        self._opened += 1
        task = self._loop.create_task(self._open_and_send(data, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open_and_send(self, data: bytes, done: Callable[[Reply], None]) -> None:
        try:
            connection = await self.address.connect(self._timeout, self._source)
        except (OSError, TimeoutError):
            self._opened -= 1
            self._settle(done, Reply(status=NO_ANSWER, fault="refused"))
            self._next()
            return
        self._send(connection, data, done)

    def _send(self, connection: Connection, data: bytes, done: Callable[[Reply], None]) -> None:
        timer = self._loop.call_later(self._timeout, connection.give_up)
        is_used = connection.answered > 0

        def finished(reply: Reply) -> None:
            timer.cancel()
            if not connection.is_open:
                self._opened -= 1
            if is_used and reply.fault == "closed" and not reply.headers and not reply.body:
                self._open(data, done)  # the service had closed it between two requests (RFC 9112, section 9.3.1)
                return
            self._settle(done, reply)
            if connection.is_open:
                self._idle.append(connection)
            self._next()

        connection.send(data, finished)

    def _settle(self, done: Callable[[Reply], None], reply: Reply) -> None:
        done(reply)
        self._under_way -= 1
        if not self._under_way:
            self._quiet.set()

    def _next(self) -> None:
        if self._waiting:
            self._dispatch(*self._waiting.popleft())


def timetable(rate: float, seconds: float) -> list[float]:
    """Return the moments of a constant rate, in seconds from the start."""
    return [index / rate for index in range(max(1, round(rate * seconds)))]


def success(status: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which requests did what they asked for; ``status`` of any shape."""
    return (status >= 200) & (status < 300)
