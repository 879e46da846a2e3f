"""Whether rows are worth running together follows from what runs cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

from sekisho.errors import ModelFailed
from sekisho.predict.answers import model_failed
from sekisho.predict.batching import MOST_RUNS, SIZES, UNMEASURED, Batching, by_wish, decide, measure

LONGEST = 0.005


def costs(each: float, row: float) -> list[float]:
    return [each + row * size for size in SIZES]


def test_a_run_with_a_cost_of_its_own_is_shared() -> None:
    found = decide(SIZES, costs(10e-6, 0.5e-6), longest=LONGEST)
    assert found.most_rows == SIZES[-1]
    assert found.quick_rows == SIZES[-1]
    assert found.gain == pytest.approx(10.5e-6 * 1024 / (10e-6 + 512e-6), rel=0.01)


def test_rows_that_cost_the_same_together_are_run_apart() -> None:
    found = decide(SIZES, costs(0.0, 20e-6), longest=LONGEST)
    assert found.most_rows == 1
    assert found.quick_rows == 64
    assert found.gain == pytest.approx(1.0)


def test_rows_that_cost_more_together_are_run_apart() -> None:
    found = decide((1, 4, 16), [1e-5, 1e-4, 1e-3], longest=LONGEST)
    assert found.most_rows == 1
    assert found.gain < 1.0


def test_a_batch_does_not_keep_everybody_waiting() -> None:
    assert decide(SIZES, costs(100e-6, 50e-6), longest=LONGEST).most_rows == 64


def test_a_slow_run_that_hardly_depends_on_its_rows_is_shared_all_the_same() -> None:
    found = decide(SIZES, costs(0.1, 1e-5), longest=LONGEST)
    assert found.most_rows == SIZES[-1]
    assert found.quick_rows == 0


def test_a_single_size_decides_nothing() -> None:
    found = decide((1,), [0.3], longest=LONGEST)
    assert found == Batching(rows=(1,), microseconds=(300_000.0,), most_rows=1, quick_rows=0)
    assert found.gain == 1.0


@pytest.mark.parametrize(("wish", "most"), [("measured", 1), ("always", SIZES[-1]), ("never", 1)])
def test_a_wish_comes_before_the_measurement(wish: Any, most: int) -> None:
    measured = decide(SIZES, costs(0.0, 20e-6), longest=LONGEST)
    assert by_wish(wish, measured).most_rows == most
    assert by_wish(wish, measured).microseconds == measured.microseconds


class Recorded:
    """A model that sleeps: so long a run, and so long a row."""

    def __init__(self, each: float, row: float) -> None:
        self.each, self.row = each, row
        self.sizes: list[int] = []

    def __call__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self.sizes.append(len(rows))
        time.sleep(self.each + self.row * len(rows))


def test_every_size_is_timed_with_rows_that_repeat() -> None:
    model = Recorded(0.0005, 0.0)
    found = measure(model, [(1.0,), (2.0,)], longest=LONGEST, seconds=0.05)
    assert found.rows == SIZES
    assert set(model.sizes) == set(SIZES)
    assert len(model.sizes) <= MOST_RUNS * len(SIZES)
    assert found.most_rows == SIZES[-1]


def test_a_slow_model_is_not_asked_more_than_it_takes_to_know() -> None:
    model = Recorded(0.0, 0.02)
    found = measure(model, [(1.0,)], longest=LONGEST, seconds=0.05)
    assert model.sizes == [1, 4, 16][: len(found.rows)]
    assert found.most_rows == 1


def test_a_model_that_fails_says_so() -> None:
    def fails(rows: object) -> None:
        raise model_failed("ValueError")

    with pytest.raises(ModelFailed):
        measure(fails, [(1.0,)], longest=LONGEST, seconds=0.05)
    assert UNMEASURED.gain == 1.0
