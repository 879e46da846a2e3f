"""D01, D03: nothing that was acknowledged is lost when a worker is killed; a full disk or a database that is gone stops nobody, or is said."""

from __future__ import annotations

import random
import resource
import subprocess
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from tests.attacks.service.books import Crowd, ids, kill_worker, pack_people, person, workers
from tests.serving.conftest import Running, serving, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack_people(tmp_path_factory.mktemp("books") / "people")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "book.sqlite")
    return str(request.getfixturevalue("postgres").url())


def is_ready(running: Running) -> bool:
    try:
        return running.ask("/health/ready").status == 200
    except OSError:
        return False


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_d03_every_acknowledged_prediction_is_in_a_durable_book_once(people: Path, address: str, kills: int) -> None:
    moments = random.Random(kills)
    with serving(people, ledger=address, ledger_durability="durable") as running, Crowd(running=running) as crowd:
        for _ in range(kills):
            until(lambda: is_ready(running), 60)
            answered = len(crowd.acknowledged)
            until(lambda answered=answered: len(crowd.acknowledged) > answered, 60)
            time.sleep(moments.uniform(0.0, 0.3))
            kill_worker(running)
        until(lambda: is_ready(running), 60)
        answered = len(crowd.acknowledged)
        until(lambda: len(crowd.acknowledged) > answered + 20, 60)
    found = ids(address)
    assert len(crowd.acknowledged) > 20 * kills
    assert [name for name in crowd.acknowledged if found[name] != 1] == []


def test_a_window_is_what_it_says(people: Path, address: str) -> None:
    with serving(people, ledger=address) as running:
        with Crowd(running=running) as crowd:
            until(lambda: len(crowd.acknowledged) > 200)
            time.sleep(0.5)
            before = len(crowd.acknowledged)
            time.sleep(1.0)
            kill_worker(running)
        until(lambda: is_ready(running), 60)
    found = ids(address)
    assert [name for name in crowd.acknowledged[:before] if found[name] != 1] == []
    assert max(found.values()) == 1


@contextmanager
def full_disk(running: Running) -> Iterator[None]:
    """Let no worker write to any file, as on a disk that is full."""
    for worker in workers(running):
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    yield
    for worker in workers(running):
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextmanager
def broken(running: Running, address: str, postgres: Any) -> Iterator[None]:
    """Take the book away for a while: the disk is full, or the database is gone."""
    if postgres is None:
        with full_disk(running):
            yield
    else:
        postgres.stop()
        try:
            yield
        finally:
            postgres.start()


@pytest.fixture
def server(request: pytest.FixtureRequest, address: str) -> Any:
    return request.getfixturevalue("postgres") if address.startswith("postgresql") else None


def test_d01_predictions_go_on_and_what_is_lost_is_counted(people: Path, address: str, server: Any) -> None:
    with serving(people, ledger=address) as running:
        with Crowd(running=running, callers=2) as crowd:
            until(lambda: running.metric("ml_ledger_written_total") > 50)
            with broken(running, address, server):
                until(lambda: running.metric("ml_ledger_dropped_total") > 0, 40)
                assert running.metric("ml_ledger_down") == 1
                assert running.ask("/health/ready").status == 200
                assert crowd.refused == {}
            until(lambda: running.metric("ml_ledger_down") == 0, 30)
            written = running.metric("ml_ledger_written_total")
            until(lambda: running.metric("ml_ledger_written_total") > written, 30)
        assert crowd.refused == {}
        dropped = int(running.metric("ml_ledger_dropped_total"))
        complaints = [line for line in running.lines if "predictions cannot be written" in line]
        mended = until(lambda: [line for line in running.lines if "predictions are written again" in line])
        assert (len(complaints), len(mended)) == (1, 1)
    found = ids(address)
    missing = [name for name in crowd.acknowledged if found[name] != 1]
    assert len(missing) == dropped
    assert max(found.values()) == 1


@pytest.mark.parametrize("settings", [{"ledger_durability": "durable"}, {"ledger_down": "refuse"}], ids=str)
def test_d01_predictions_are_refused_and_come_back_by_themselves(
    people: Path, address: str, server: Any, settings: dict[str, str]
) -> None:
    with serving(people, ledger=address, **settings) as running:
        until(lambda: running.ask("/predict", {"features": person(1)}).status == 200)
        with Crowd(running=running, callers=2) as crowd:
            until(lambda: len(crowd.acknowledged) > 20)
            with broken(running, address, server):
                until(lambda: crowd.refused[503, "ledger_unavailable"] > 20, 30)
                refused = running.ask("/predict", {"features": person(1)})
                assert (refused.status, refused.code) == (503, "ledger_unavailable")
                assert int(refused.headers["retry-after"]) >= 1
                ready = running.ask("/health/ready")
                assert (ready.status, ready.json()["status"]) == (503, "ledger_unavailable")
                assert running.ask("/health/live").status == 200
            until(lambda: is_ready(running), 30)
            before = len(crowd.acknowledged)
            until(lambda: len(crowd.acknowledged) > before + 20, 30)
        assert set(crowd.refused) == {(503, "ledger_unavailable")}
        assert running.metric("ml_ledger_dropped_total") == 0
    found = ids(address)
    assert [name for name in crowd.acknowledged if found[name] != 1] == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    try:
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("durability", ["window", "durable"])
def test_d01_a_disk_that_fills_up_and_is_cleared(people: Path, small_disk: Path, durability: str) -> None:
    filler, book = small_disk / "filler", small_disk / "b.sqlite"
    with serving(people, ledger=book, ledger_durability=durability) as running:
        with Crowd(running=running, callers=2) as crowd:
            until(lambda: running.metric("ml_ledger_written_total") > 20, 60)
            with filler.open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(b"\0" * 65_536)
            until(lambda: running.metric("ml_ledger_down") == 1, 120)
            if durability == "durable":
                until(lambda: crowd.refused[503, "ledger_unavailable"] > 5, 60)
            else:
                until(lambda: running.metric("ml_ledger_dropped_total") > 0, 60)
                assert crowd.refused == {}
            filler.unlink()
            until(lambda: running.metric("ml_ledger_down") == 0, 60)
            written = running.metric("ml_ledger_written_total")
            until(lambda: running.metric("ml_ledger_written_total") > written, 60)
        dropped = running.metric("ml_ledger_dropped_total")
    found = ids(book)
    missing = [name for name in crowd.acknowledged if found[name] != 1]
    assert len(missing) == dropped
    assert dropped == 0 or durability == "window"
