"""Old predictions go, young ones stay, whatever the clock does."""

from __future__ import annotations

import datetime as dt

import pytest

from sekisho.ledger.predictions import BookModel, Entry, PredictionBook
from sekisho.ledger.retention import DAY, DOUBT_SECONDS, Clock, clock, retain

MODEL = BookModel(digest="d", version="1", names=("x",))
DAYS = 90
NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC).timestamp()
HOUR = 3_600.0


def at(seconds: float, *, up: float | None = None, boot: str = "a") -> Clock:
    """Return the clock so many seconds after the beginning."""
    return Clock(wall=NOW + seconds, uptime=1e6 + (seconds if up is None else up), boot=boot)


def write(book: PredictionBook, *ages: float) -> None:
    """Write a chunk for each age in days."""
    for age in ages:
        moment = dt.datetime.fromtimestamp(NOW - age * DAY, dt.UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
        book.write(MODEL, [Entry(f"age {age:g}", moment, 1.0, False, [[age]], ["p"], None, {})])


def ages(book: PredictionBook) -> list[float]:
    return [float(one.request_id.removeprefix("age ")) for one in book.recent(1_000)]


def test_what_is_older_goes_and_nothing_younger(book: PredictionBook) -> None:
    write(book, *range(100, -1, -1))
    done = retain(book, DAYS, at(0))
    assert (done.rows, done.doubted) == (10, False)
    assert ages(book) == list(range(90, -1, -1))
    assert retain(book, DAYS, at(HOUR)).rows == 1
    assert book.database.query("SELECT count(*) FROM ids_2") == [(90,)]


def test_everything_goes_when_everything_is_old_and_the_clock_has_run_on(book: PredictionBook) -> None:
    write(book, 1)
    for day in range(DAYS + 1):
        assert not retain(book, DAYS, at(day * DAY)).doubted
    assert ages(book) == []


@pytest.mark.parametrize("jump", [366 * DAY, 2 * HOUR])
def test_a_clock_that_jumps_ahead_and_back_erases_nothing(book: PredictionBook, jump: float) -> None:
    write(book, 200, 90 - jump / DAY / 2, 50, 1)
    retain(book, DAYS, at(0))
    before = ages(book)
    assert retain(book, DAYS, at(HOUR + jump, up=HOUR)).doubted
    assert retain(book, DAYS, at(2 * HOUR + jump, up=2 * HOUR)).doubted
    assert ages(book) == before
    assert retain(book, DAYS, at(3 * HOUR)).doubted
    assert not retain(book, DAYS, at(4 * HOUR + DOUBT_SECONDS)).doubted
    assert ages(book) == [age for age in before if age < DAYS - 1]


def test_a_clock_that_was_put_right_delays_erasing_by_less_than_a_day(book: PredictionBook) -> None:
    write(book, 89.9, 1)
    retain(book, DAYS, at(0))
    hours = 0
    while ages(book) == [89.9, 1]:
        hours += 1
        assert hours < 27
        retain(book, DAYS, at((hours + 3) * HOUR, up=hours * HOUR))
    assert ages(book) == [1]


def test_the_clock_of_another_start_of_the_machine_is_compared_with_the_last_look(book: PredictionBook) -> None:
    write(book, 100, 1)
    retain(book, 1_000, at(0))
    assert retain(book, DAYS, at(366 * DAY, up=0, boot="b")).doubted
    assert not retain(book, DAYS, at(DAY / 2, up=0, boot="c")).doubted
    assert ages(book) == [1]


def test_a_book_that_was_never_looked_at_is_compared_with_its_newest_chunk(book: PredictionBook) -> None:
    write(book, 100, 1)
    assert retain(book, DAYS, at(300 * DAY)).doubted
    assert ages(book) == [100, 1]
    assert not retain(book, DAYS, at(300 * DAY), believe=True).doubted
    assert ages(book) == []


def test_a_person_who_asks_is_believed_unless_everything_would_go(book: PredictionBook) -> None:
    write(book, 100, 80)
    assert retain(book, DAYS, at(0)).doubted
    with book.database.transaction() as run:
        run("DELETE FROM clocks_2")
    assert retain(book, 70, at(0), attended=True).doubted
    with book.database.transaction() as run:
        run("DELETE FROM clocks_2")
    assert retain(book, DAYS, at(0), attended=True).rows == 1


def test_what_a_wrong_clock_has_stamped_goes_with_its_neighbours(book: PredictionBook) -> None:
    retain(book, DAYS, at(-HOUR))
    write(book, 100, -400, 99, 20, 20_000, -300, 19)
    assert retain(book, DAYS, at(0)).rows == 3
    assert ages(book) == [20, 20_000, -300, 19]
    assert retain(book, DAYS, at(71 * DAY)).rows == 2
    assert ages(book) == [-300, 19]
    assert retain(book, DAYS, at(72 * DAY)).rows == 2


def test_outcomes_of_requests_that_are_gone_go(book: PredictionBook) -> None:
    write(book, 100, 1)
    book.add_outcome("age 100", 0, "p", at="2026-11-23T00:00:00Z")
    book.add_outcome("age 1", 0, "p", at="2026-01-01T00:00:00Z")
    book.add_outcome("of long ago", 0, "p", at="2026-01-01T00:00:00Z")
    retain(book, DAYS, at(0))
    assert [one.request_id for one in book.outcomes()] == ["age 1"]


def test_this_machine_has_a_clock() -> None:
    first, second = clock(), clock()
    assert first.boot == second.boot
    assert 0 <= second.uptime - first.uptime < 60
    assert first.before(1).endswith("Z")
