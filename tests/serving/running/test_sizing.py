"""How many rows go together: as many as make a row cheaper, for models of every kind."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from sekisho.serving.running.sizing import BATCHES_BETWEEN_TRIES, MOST_ROWS, Sizing


def settled(seconds: Callable[[int], float], batches: int = 400) -> list[int]:
    """Let a model answer batches that are always full; return their sizes of late."""
    sizing = Sizing()
    sizes = []
    for _ in range(batches):
        rows = sizing.rows
        sizing.measured(rows, seconds(rows))
        sizes.append(rows)
    return sizes[-100:]


def test_nothing_is_known_at_first() -> None:
    assert Sizing().rows == 1


def test_no_batches_where_they_gain_nothing() -> None:
    sizes = settled(lambda rows: 0.005 * rows + 0.0005)
    assert sizes.count(1) >= len(sizes) - len(sizes) // BATCHES_BETWEEN_TRIES - 1
    assert max(sizes) <= 2


@pytest.mark.parametrize("call", [0.002, 0.01, 0.3])
def test_large_batches_where_the_call_costs_most(call: float) -> None:
    assert min(settled(lambda rows: call + 1e-5 * call * rows)) == MOST_ROWS


def test_in_between_as_many_as_pay() -> None:
    sizes = settled(lambda rows: 0.010 + 0.001 * rows)
    assert min(sizes) == 16  # of 32 rows, one would take 1.3 ms instead of 1.6
    assert max(sizes) == 32


def test_a_busy_machine_misleads_nobody() -> None:
    chance = random.Random(5)

    def seconds(rows: int) -> float:
        return (0.005 * rows + 0.0005) * (1 + chance.expovariate(1.0))

    sizes = settled(seconds, 2_000)
    assert sum(sizes) / len(sizes) < 1.5


def test_a_model_that_becomes_another_is_noticed() -> None:
    sizing = Sizing()
    for number in range(4_000):
        rows = sizing.rows
        sizing.measured(rows, 0.005 * rows if number < 1_000 else 0.02 + 1e-5 * rows)
    assert sizing.rows >= 512
