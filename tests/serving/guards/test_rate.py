"""The rate limit: exact over time and processes, fair to others, of a fixed size."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.serving.guards.guesses import MOST_ADDRESSES, MOST_WRONG, SECONDS_PER_GUESS, GuessLimit
from sekisho.serving.guards.interface import Caller
from sekisho.serving.guards.rate import RateLimit, make_table

NUMBERS = itertools.count()


def caller(name: str) -> Caller:
    return Caller(id=name, scopes=frozenset())


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("limits")


def limit(
    folder: Path, name: str = "table", *, per_second: float, burst: int | None = None, shared: bool = False
) -> RateLimit:
    path = folder / name
    if not path.exists():
        make_table(path)
    return RateLimit(path, per_second=per_second, burst=burst, shared=shared)


def test_a_burst_passes_and_then_the_rate(tmp_path: Path) -> None:
    limited = limit(tmp_path, per_second=10.0, burst=5)
    passed = [limited.check(caller("a"), 100.0) is None for _ in range(20)]
    assert passed == [True] * 5 + [False] * 15
    # Three times the limit for ten seconds: what passes is the limit.
    moments = [100.0 + step / 30.0 for step in range(1, 301)]
    assert sum(limited.check(caller("a"), now) is None for now in moments) == 100
    assert limited.check(caller("b"), 110.0) is None


@given(st.lists(st.floats(0.0, 5.0), min_size=1, max_size=200), st.floats(0.5, 200.0), st.integers(1, 50))
def test_no_more_than_the_burst_and_the_rate_ever_pass(
    tables: Path, moments: list[float], rate: float, burst: int
) -> None:
    limited = limit(tables, per_second=rate, burst=burst)
    who = caller(f"caller-{next(NUMBERS)}")
    moments = sorted(moments)
    start = 1000.0
    passed = [now for now in moments if limited.check(who, start + now) is None]
    assert passed[:1] == moments[:1]
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst + rate * (passed[last] - passed[first]) + 1e-3


def test_rows_are_paid_for_by_waiting(tmp_path: Path) -> None:
    limited = limit(tmp_path, per_second=10.0, burst=1)
    assert limited.check(caller("a"), 0.0) is None
    limited.charge(caller("a"), 205, 0.0)  # twenty more requests' worth
    assert limited.check(caller("a"), 2.0) is not None
    assert limited.check(caller("a"), 2.11) is None
    limited.charge(caller("a"), 9, 2.11)
    assert limited.check(caller("a"), 2.22) is None


def test_who_is_refused_hears_when_to_return(tmp_path: Path) -> None:
    limited = limit(tmp_path, per_second=0.1, burst=1)
    limited.check(caller("a"), 0.0)
    problems = [limited.check(caller("a"), 0.0) for _ in range(50)]
    waits = {int(value) for problem in problems if problem for name, value in problem.fields if name == b"retry-after"}
    assert min(waits) >= 10
    assert max(waits) <= 60
    assert len(waits) > 1  # spread, so that they do not all come back together


WORKER = """
import sys
from pathlib import Path
from sekisho.serving.guards.interface import Caller
from sekisho.serving.guards.rate import RateLimit
limited = RateLimit(Path(sys.argv[1]), per_second=1.0, burst=300, shared=True)
who = Caller(id="a", scopes=frozenset())
print(sum(limited.check(who, 50.0) is None for _ in range(300)))
"""


def test_processes_share_one_limit(tmp_path: Path) -> None:
    path = tmp_path / "table"
    make_table(path)
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(path)], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    passed = [int(worker.communicate(timeout=60)[0]) for worker in workers]
    assert sum(passed) == 300


def test_a_hundred_thousand_callers_take_no_more_room(tmp_path: Path) -> None:
    limited = limit(tmp_path, per_second=1.0, burst=2)
    size = (tmp_path / "table").stat().st_size
    refused = sum(limited.check(caller(str(number)), 10.0) is not None for number in range(100_000))
    assert (tmp_path / "table").stat().st_size == size
    # More callers at once than there are places: some share one, and are held to the limit together.
    assert refused < 50_000
    # All is paid a while later, and the places are free again.
    assert all(limited.check(caller(f"late-{number}"), 1_000.0) is None for number in range(1_000))


def test_wrong_keys_are_counted_by_address_and_forgotten_in_time() -> None:
    guesses = GuessLimit()
    for _ in range(MOST_WRONG):
        assert guesses.is_exhausted("1.2.3.4", 5.0) is None
        guesses.wrong("1.2.3.4", 5.0)
    assert guesses.is_exhausted("1.2.3.4", 5.0) is not None
    assert guesses.is_exhausted("5.6.7.8", 5.0) is None
    assert guesses.is_exhausted("1.2.3.4", 5.0 + SECONDS_PER_GUESS + 0.1) is None


def test_the_wrong_keys_of_one_address_are_one_line_a_minute() -> None:
    guesses = GuessLimit()
    written = [second for second in range(600) for _ in range(5) if guesses.deserves_line("1.2.3.4", float(second))]
    assert written == [0]
    assert guesses.deserves_line("5.6.7.8", 599.0)
    assert guesses.unwritten(600.0) == [("1.2.3.4", 2_999)]
    assert not guesses.deserves_line("1.2.3.4", 601.0)
    assert guesses.unwritten(640.0) == []
    assert guesses.unwritten(661.0) == [("1.2.3.4", 1)]
    assert guesses.unwritten(730.0) == []
    assert guesses.deserves_line("1.2.3.4", 731.0)


def test_as_many_addresses_as_there_are_take_no_more_room() -> None:
    guesses = GuessLimit()
    for number in range(30_000):
        guesses.wrong(str(number), 0.0)
        guesses.deserves_line(str(number), 0.0)
    assert len(guesses._paid) == len(guesses._silences) == MOST_ADDRESSES
