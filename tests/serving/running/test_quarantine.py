"""Rows that end the process of the model wait longer and longer, and others never."""

from __future__ import annotations

from sekisho.serving.running.quarantine import LONGEST_SECONDS, MOST_REQUESTS, MOST_ROWS, PATIENCE, Quarantine

ROWS = [(1.0, "a", None), (2.0, "b", True)]


def test_rows_wait_after_the_third_time_and_twice_as_long_after_each() -> None:
    quarantine = Quarantine()
    assert not quarantine
    now = 100.0
    for _ in range(PATIENCE):
        assert quarantine.refusal(ROWS, now) is None
        quarantine.blame(ROWS, now)
    waits = []
    for _ in range(10):
        assert quarantine.refusal(ROWS, now) is not None
        wait = next(step for step in range(1, 200) if quarantine.refusal(ROWS, now + step) is None)
        waits.append(wait)
        now += wait
        quarantine.blame(ROWS, now)
    assert waits == [1, 2, 4, 8, 16, 32, *[LONGEST_SECONDS] * 4]
    assert quarantine.refusal([(1.0, "a", None)], now) is None


def test_what_is_answered_after_all_is_forgotten() -> None:
    quarantine = Quarantine()
    for _ in range(PATIENCE):
        quarantine.blame(ROWS, 0.0)
    quarantine.clear(ROWS)
    assert not quarantine
    assert quarantine.refusal(ROWS, 0.1) is None


def test_deaths_that_lie_far_apart_are_no_pattern() -> None:
    quarantine = Quarantine()
    for number in range(10):
        quarantine.blame(ROWS, number * 1_000.0)
        assert quarantine.refusal(ROWS, number * 1_000.0) is None


def test_it_takes_no_more_room_than_it_may() -> None:
    quarantine = Quarantine()
    for number in range(10 * MOST_REQUESTS):
        quarantine.blame([(float(number),)], 0.0)
    assert len(quarantine._records) == MOST_REQUESTS
    large = [(0.0,)] * (MOST_ROWS + 1)
    for _ in range(PATIENCE):
        quarantine.blame(large, 0.0)
    assert quarantine.refusal(large, 0.0) is None
