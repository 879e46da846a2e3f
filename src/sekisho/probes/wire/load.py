"""A load that does not wait: requests leave on a fixed timetable, whatever became of those before.

A client that sends its next request only when the last one was answered slows down together with the service, and never
sees the waiting that its users see ("coordinated omission", Tene 2013, "How NOT to measure latency"). Here the latency of
a request runs from the moment it was due. When the generator itself cannot keep the timetable, the lag says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sekisho.probes.wire.client import Address, Connection
from sekisho.probes.wire.message import Reply, Request

NO_ANSWER = 0


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
    on_reply: Callable[[int, Reply], None] | None = None,
    on_way: Callable[[float], None] | None = None,
) -> Load:
    """Send one request at each moment of ``due``.

    Args:
        url: Where the service listens.
        requests: Sent in turn, over and over.
        due: Seconds from the start, ascending.
        timeout: Seconds after which a request is given up.
        largest_pool: Connections at most; a request that finds none free waits, and its waiting counts.
        on_reply: Called with the index in ``due`` and the reply; must not raise.
        on_way: Called now and then with the fraction that has been sent; what it raises ends the load.

    """
    count = len(due)
    address = Address(url)
    payloads = [address.render(request) for request in requests]
    lag = np.zeros(count)
    latency = np.full(count, np.nan)
    status = np.zeros(count, dtype=np.int64)
    idle: list[Connection] = []
    waiting: list[int] = []
    tasks: set[asyncio.Task[None]] = set()
    opened = 0
    left = count
    told = max(1, count // 40)
    loop = asyncio.get_running_loop()
    finished = loop.create_future()
    start = loop.time() + 0.02

    def settle(index: int, reply: Reply) -> None:
        nonlocal left
        latency[index] = loop.time() - start - due[index]
        status[index] = reply.status
        if on_reply is not None:
            on_reply(index, reply)
        left -= 1
        if not left and not finished.done():
            finished.set_result(None)

    def send(connection: Connection, index: int) -> None:
        def done(reply: Reply) -> None:
            nonlocal opened
            timer.cancel()
            settle(index, reply)
            if not connection.is_open:
                opened -= 1
                if waiting:
                    dispatch(waiting.pop(0))
            elif waiting:
                send(connection, waiting.pop(0))
            else:
                idle.append(connection)

        timer = loop.call_later(timeout, connection.give_up)
        connection.send(payloads[index % len(payloads)], done)

    async def open_and_send(index: int) -> None:
        nonlocal opened
        try:
            connection = await address.connect(timeout)
        except (OSError, TimeoutError):
            opened -= 1
            settle(index, Reply(status=NO_ANSWER, fault="refused"))
            return
        send(connection, index)

    def dispatch(index: int) -> None:
        nonlocal opened
        while idle:
            connection = idle.pop()
            if connection.is_open:
                send(connection, index)
                return
            opened -= 1
        if opened >= largest_pool:
            waiting.append(index)
            return
        opened += 1
        task = loop.create_task(open_and_send(index))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    try:
        for index, moment in enumerate(due):
            delay = start + moment - loop.time()
            if delay > 0:
                await asyncio.sleep(delay)
            elif index % 64 == 63:
                await asyncio.sleep(0)  # late: answers must still be read
            lag[index] = max(0.0, loop.time() - start - moment)
            if on_way is not None and index % told == 0:
                on_way(index / count)
            dispatch(index)
        await finished
    finally:
        for task in tasks:
            task.cancel()
        for connection in idle:
            connection.close()
    return Load(due=np.asarray(due, dtype=np.float64), lag=lag, latency=latency, status=status)


def timetable(rate: float, seconds: float) -> list[float]:
    """Return the moments of a constant rate, in seconds from the start."""
    return [index / rate for index in range(max(1, round(rate * seconds)))]
