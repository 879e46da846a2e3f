"""A limit over machines: a real Redis, several clients, and what happens when it goes."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.serving.conftest import serving, until

from sekisho.errors import WrongUse
from sekisho.serving.guards.interface import Caller
from sekisho.serving.guards.rate import RateLimit, make_table
from sekisho.serving.guards.rate_store import PASSWORD, PAUSE_SECONDS, TIMEOUT_SECONDS, SharedRateLimit, client_of
from sekisho.serving.settings import settings_of

needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")


class Store:
    """A Redis that can go and come back."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, *more: str) -> None:
        command = ("redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", *more)
        self._process = subprocess.Popen(command, cwd=self._folder, stdout=subprocess.DEVNULL)
        until(self._listens, 10)

    def _listens(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


@contextmanager
def storing(folder: Path, *more: str) -> Iterator[Store]:
    store = Store(folder)
    store.begin(*more)
    try:
        yield store
    finally:
        store.end()


def caller(name: str) -> Caller:
    return Caller(id=name, scopes=frozenset())


class Machine:
    """One machine's view of the limit."""

    def __init__(self, folder: Path, name: str, store: Store, *, refuse: bool = False, **rate: Any) -> None:
        make_table(folder / name)
        self.failures = 0
        local = RateLimit(folder / name, shared=False, **rate)
        self.limit = SharedRateLimit(store.url, name="m", local=local, refuse=refuse, failed=self._failed)

    def _failed(self) -> None:
        self.failures += 1

    async def tries(self, name: str, times: int) -> int:
        """Return how many of ``times`` requests at once pass."""
        answers = await asyncio.gather(*(self.limit.check(caller(name)) for _ in range(times)))
        return sum(answer is None for answer in answers)


@needs_redis
@pytest.mark.slow
def test_machines_share_one_limit(tmp_path: Path) -> None:
    async def run(store: Store) -> None:
        machines = [Machine(tmp_path, name, store, per_second=20.0, burst=50) for name in "abc"]
        began = time.monotonic()
        passed = sum(await asyncio.gather(*(machine.tries("x", 60) for machine in machines)))
        assert 50 <= passed <= 50 + 20 * (time.monotonic() - began) + 1
        assert await machines[0].tries("y", 10) == 10  # another caller
        refusal = await machines[1].limit.check(caller("x"))
        assert refusal is not None
        assert refusal.kind.code == "rate_limited"
        assert 1 <= int(dict(refusal.fields)[b"retry-after"]) <= 60
        # Three times the limit for two seconds: what passes is the limit.
        passed, began = 0, time.monotonic()
        while time.monotonic() < began + 2.0:
            passed += sum([await machine.tries("x", 1) for machine in machines])
            await asyncio.sleep(0.05)
        assert passed == pytest.approx(20 * (time.monotonic() - began), abs=3)
        assert not any(machine.failures for machine in machines)
        for machine in machines:
            await machine.limit.close()

    with storing(tmp_path) as store:
        asyncio.run(run(store))


@needs_redis
@pytest.mark.slow
def test_rows_are_paid_for_on_every_machine(tmp_path: Path) -> None:
    async def run(store: Store) -> None:
        one, other = (Machine(tmp_path, name, store, per_second=10.0, burst=2) for name in "ab")
        assert await one.tries("x", 1) == 1
        one.limit.charge(caller("x"), 205)
        await asyncio.sleep(0.2)
        assert await other.tries("x", 5) == 0
        for machine in (one, other):
            await machine.limit.close()

    with storing(tmp_path) as store:
        asyncio.run(run(store))


@needs_redis
@pytest.mark.slow
@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_a_store_that_goes_and_comes_back(tmp_path: Path, how: str) -> None:
    async def run(store: Store) -> None:
        lenient = Machine(tmp_path, "a", store, per_second=0.1, burst=3)
        strict = Machine(tmp_path, "b", store, per_second=0.1, burst=3, refuse=True)
        assert await lenient.tries("x", 5) == 3
        if how == "killed":
            store.end()
        else:
            store.send(signal.SIGSTOP)
        began = time.monotonic()
        assert await lenient.tries("x", 5) == 3  # this machine's own limit
        assert time.monotonic() - began < TIMEOUT_SECONDS + 0.5
        assert lenient.failures >= 1
        began = time.monotonic()
        assert await lenient.tries("x", 5) == 0
        assert time.monotonic() - began < 0.1  # it is left alone for a moment
        problem = await strict.limit.check(caller("x"))
        assert problem is not None
        assert problem.kind.code == "limits_unknown"
        if how == "killed":
            store.begin()
        else:
            store.send(signal.SIGCONT)
        await asyncio.sleep(PAUSE_SECONDS + 0.2)
        assert await strict.tries("z", 5) == 3
        for machine in (lenient, strict):
            await machine.limit.close()

    with storing(tmp_path) as store:
        asyncio.run(run(store))


@needs_redis
@pytest.mark.slow
def test_a_password_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(store: Store) -> None:
        monkeypatch.delenv(PASSWORD, raising=False)
        without = Machine(tmp_path, "a", store, per_second=1.0, burst=3, refuse=True)
        assert await without.tries("x", 1) == 0
        monkeypatch.setenv(PASSWORD, "opensesame")
        knowing = Machine(tmp_path, "b", store, per_second=1.0, burst=3, refuse=True)
        assert await knowing.tries("x", 1) == 1
        for machine in (without, knowing):
            await machine.limit.close()

    with storing(tmp_path, "--requirepass", "opensesame") as store:
        asyncio.run(run(store))


@needs_redis
@pytest.mark.slow
def test_two_services_share_one_limit(people_artifact: Path, tmp_path: Path, good: dict[str, Any]) -> None:
    with storing(tmp_path) as store:
        given = {"rate_store": store.url, "rate_limit": 0.05, "burst": 10}
        with serving(people_artifact, **given) as one, serving(people_artifact, **given) as other:
            answers = Counter(running.predict(good).status for _ in range(12) for running in (one, other))
            assert answers == {200: 10, 429: 14}
            store.end()
            answers = Counter(running.predict(good).status for _ in range(12) for running in (one, other))
            assert answers == {200: 20, 429: 4}
            assert one.metric("ml_rate_store_failures_total") >= 1
            assert one.ask("/health").status == 200


@pytest.mark.parametrize("url", ["http://h", "redis://", "h:6379", "redis://h 1", "redis://h\n"])
def test_what_is_no_store_is_refused(url: str) -> None:
    with pytest.raises(WrongUse):
        settings_of(rate_limit=1.0, rate_store=url)


def test_a_store_needs_a_limit_and_a_port_that_is_one() -> None:
    with pytest.raises(WrongUse):
        settings_of(rate_store="redis://h")
    assert settings_of(rate_limit=1.0, rate_store="redis://h").rate_store_down == "local"
    with pytest.raises(WrongUse):
        client_of("redis://h:port")
