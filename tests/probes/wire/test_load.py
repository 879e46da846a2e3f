"""The open-loop load: a late answer delays nobody, and its waiting counts from the moment it was due."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from sekisho.probes.wire.client import run
from sekisho.probes.wire.load import fire, timetable
from sekisho.probes.wire.message import Reply, Request

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Serve = Callable[[Talk], str]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def test_a_stall_is_felt_by_every_request_that_was_due_in_it(serve: Serve) -> None:
    """A closed loop would see one slow answer; users see all that came while the service stood still."""
    stall = 0.4
    began: list[float] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while await reader.readuntil(b"\r\n\r\n"):
            began.append(loop.time())
            left = began[0] + stall - loop.time()
            if left > 0:
                await asyncio.sleep(left)
            writer.write(OK)

    load = run(fire(serve(talk), [Request(target="/")], timetable(100, 1.0)))
    assert (load.status == 200).all()
    due_in_stall = load.due < stall - 0.1
    assert (load.latency[due_in_stall] > stall - load.due[due_in_stall] - 0.1).all()
    assert due_in_stall.sum() >= 25


def test_every_request_gets_one_status_and_all_are_sent(serve: Serve) -> None:
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readuntil(b"\r\n\r\n"):
            heard.append(line.split(b" ")[1])
            status = b"429 Too Many" if len(heard) % 3 == 0 else b"200 OK"
            writer.write(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status)

    seen: dict[int, Reply] = {}
    requests = [Request(target="/a"), Request(target="/b")]
    load = run(fire(serve(talk), requests, timetable(500, 0.2), on_reply=seen.__setitem__))
    assert len(load.status) == len(seen) == len(heard) == 100
    assert sorted(set(heard)) == [b"/a", b"/b"]
    assert [seen[index].status for index in range(100)] == load.status.tolist()
    assert (load.status == 429).sum() == 33


def test_connections_are_bounded_and_those_who_wait_are_served(serve: Serve) -> None:
    opened = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        while await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(0.02)
            writer.write(OK)

    load = run(fire(serve(talk), [Request(target="/")], timetable(1_000, 0.1), largest_pool=4))
    assert opened <= 4
    assert (load.status == 200).all()
    assert load.latency[-1] > 0.2  # a hundred answers of 20 ms, four at a time: the last one has queued


def test_no_service_and_no_answer_have_status_zero(serve: Serve) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    for url in ("http://127.0.0.1:1", serve(silent)):
        load = run(fire(url, [Request(target="/")], timetable(100, 0.05), timeout=0.1))
        assert load.status.tolist() == [0] * 5
        assert np.isfinite(load.latency).all()


def test_a_timetable_keeps_its_rate() -> None:
    due = np.array(timetable(40, 2.0))
    assert len(due) == 80
    assert np.allclose(np.diff(due), 1 / 40)


def test_a_load_that_is_interrupted_ends_at_once(serve: Serve) -> None:
    class Interrupted(BaseException):
        pass

    sent = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while await reader.readuntil(b"\r\n\r\n"):
            sent += 1
            writer.write(OK)

    def interrupt(fraction: float) -> None:
        if fraction > 0.1:
            raise Interrupted

    with pytest.raises(Interrupted):
        run(fire(serve(talk), [Request(target="/")], timetable(200, 5.0), on_way=interrupt))
    assert sent < 500


def test_a_spread_load_uses_its_connections_in_turn(serve: Serve) -> None:
    counts: list[int] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine = len(counts)
        counts.append(0)
        while await reader.readuntil(b"\r\n\r\n"):
            counts[mine] += 1
            writer.write(OK)

    load = run(fire(serve(talk), [Request(target="/")], timetable(400, 0.3), spread=12))
    assert (load.status == 200).all()
    assert len(counts) >= 12
    assert min(counts) >= 1
    assert sum(counts) == 120
    assert max(counts) <= 20


def test_a_service_that_freezes_for_two_seconds_shows_them_at_the_99th_percentile(serve: Serve) -> None:
    """One client after another would have seen one slow answer among hundreds, and a 99th percentile of a millisecond."""
    began: list[float] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while await reader.readuntil(b"\r\n\r\n"):
            began.append(loop.time())
            since = loop.time() - began[0]
            if 0.5 < since < 2.5:
                await asyncio.sleep(2.5 - since)
            writer.write(OK)

    load = run(fire(serve(talk), [Request(target="/")], timetable(60, 4.0)))
    assert (load.status == 200).all()
    assert float(np.quantile(load.latency, 0.99)) >= 1.9
    assert float(np.quantile(load.latency, 0.30)) < 0.5


def test_a_connection_that_the_service_closes_between_two_requests_is_no_failure(serve: Serve) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)  # and closes, although it said that it would not
        await writer.drain()
        await reader.readuntil(b"\r\n\r\n")

    load = run(fire(serve(talk), [Request(target="/")], timetable(40, 0.5)))
    assert (load.status == 200).all()


def test_a_load_that_is_stopped_returns_what_was_sent(serve: Serve) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(OK)

    heard: list[int] = []
    load = run(
        fire(
            serve(talk),
            [Request(target="/")],
            timetable(100, 60.0),
            on_reply=lambda index, _: heard.append(index),
            stop=lambda: len(heard) >= 10,
        )
    )
    assert 10 <= len(load.status) == len(load.due) == len(load.lag) == len(load.latency) < 30
    assert (load.status == 200).all()


def test_a_stop_ends_a_long_pause(serve: Serve) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(OK)

    heard: list[int] = []
    requests = [Request(target="/")]
    moments = [0.0, 3_600.0]
    load = run(fire(serve(talk), requests, moments, on_reply=lambda *_: heard.append(1), stop=lambda: bool(heard)))
    assert load.status.tolist() == [200]
