"""The lines before the model: fair in rows, told in seconds, and none can be taken over by one caller."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from sekisho.serving.running.lines import LONG, Lines


def job(caller: str, rows: int = 1) -> Any:
    """Return what the lines look at of a job."""
    asked = SimpleNamespace(admission=SimpleNamespace(caller=SimpleNamespace(id=caller)))
    return SimpleNamespace(exchange=asked, question=SimpleNamespace(rows=[()] * rows))


def taken(lines: Lines, count: int = 10**6) -> list[Any]:
    found: list[Any] = []
    while len(found) < count and (one := lines.take(lambda job: True, lambda job: True)) is not None:
        found.append(one)
    return found


def callers(jobs: list[Any]) -> list[str]:
    return [one.exchange.admission.caller.id for one in jobs]


def test_one_caller_is_served_in_order() -> None:
    lines = Lines(1)
    jobs = [job("a", rows) for rows in (1, 5, 2, 1)]
    for one in jobs:
        lines.push(one)
    assert taken(lines) == jobs
    assert len(lines) == 0


def test_a_flood_of_one_does_not_delay_another() -> None:
    lines = Lines(1)
    for _ in range(100):
        lines.push(job("flood"))
    assert callers(taken(lines, 10)) == ["flood"] * 10
    lines.push(job("normal"))
    assert callers(taken(lines, 1)) == ["normal"]
    assert len(lines) == 90


def test_turns_are_counted_in_rows() -> None:
    lines = Lines(1)
    for _ in range(40):
        lines.push(job("batches", 50))
    for _ in range(200):
        lines.push(job("singles"))
    first = taken(lines, 102)
    assert Counter(callers(first)) == {"singles": 100, "batches": 2}


def test_who_paused_has_saved_nothing_up() -> None:
    lines = Lines(1)
    for _ in range(50):
        lines.push(job("busy"))
    taken(lines, 40)
    for _ in range(50):
        lines.push(job("late"))
    assert Counter(callers(taken(lines, 20)))["late"] in range(9, 12)


def test_those_that_may_not_go_let_others_pass_and_keep_their_turn() -> None:
    lines = Lines(1)
    long = job("long", 500)
    lines.push(long)
    lines.push(job("short"))
    small = lines.take(lambda one: len(one.question.rows) < 100, lambda one: True)
    assert small is not None
    assert small.exchange.admission.caller.id == "short"
    assert lines.take(lambda one: False, lambda one: True) is None
    assert lines.take(lambda one: True, lambda one: False) is None
    assert taken(lines) == [long]


def test_the_delay_is_that_of_the_rows_before_at_the_pace_of_late() -> None:
    lines = Lines(2)
    assert lines.delay("a") == 0.0
    lines.measured(10, 0.1)
    for _ in range(100):
        lines.push(job("a"))
    assert lines.delay("a") == pytest.approx(100 * 0.01 / 2, abs=1e-3)
    assert lines.delay("b") == 0.0  # their turn comes first
    for _ in range(20):
        lines.measured(10, 0.2)
    assert lines.delay("a") == pytest.approx(1.0, rel=0.1)


def test_a_line_that_does_not_move_is_told_by_its_first() -> None:
    lines = Lines(1)
    lines.push(job("a"))
    assert lines.delay("a") < 0.1  # nobody knows the pace yet
    line = lines._lines["a"]
    line[0] = line[0]._replace(since=line[0].since - 3.0)
    assert lines.delay("a") == pytest.approx(3.0, abs=0.1)


def test_there_is_room_for_those_who_hold_less_than_their_part() -> None:
    lines = Lines(1)
    for _ in range(10):
        assert lines.has_room("flood", 10)
        lines.push(job("flood"))
    assert not lines.has_room("flood", 10)
    for number in range(10):
        assert lines.has_room(f"other {number}", 10)
        lines.push(job(f"other {number}"))
    assert not lines.has_room("anybody", 10)  # twice as many at most


def test_who_leaves_is_forgotten() -> None:
    lines = Lines(1)
    stay, leave = [job("a") for _ in range(5)], [job("a"), *(job("b") for _ in range(5))]
    for one in (*stay, *leave):
        lines.push(one)
    lines.keep(lambda jobs: [one for one in jobs if any(one is each for each in stay)])
    assert (len(lines), lines.held("a"), lines.held("b")) == (5, 5, 0)
    assert taken(lines) == stay


def test_batches_may_be_as_long_as_two_of_the_quickest() -> None:
    lines = Lines(1)
    assert lines.longest_batch == LONG
    lines.measured(1, 0.001)
    assert lines.longest_batch == LONG
    for _ in range(400):
        lines.measured(1, 0.4)
    assert lines.longest_batch == pytest.approx(0.8, rel=0.1)
