"""Counting gives what sorting gives, and both give what SciPy gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from sekisho.watch.drift import counting
from sekisho.watch.drift.counting import by_counting
from sekisho.watch.drift.gaps import Gaps, by_sorting
from sekisho.watch.drift.sides import Numbers

Draw = Callable[[np.random.Generator, int], np.ndarray]


def numbers(values: np.ndarray, *, whole: bool = False) -> Numbers:
    values = np.asarray(values, dtype=np.float64)
    return Numbers(values=values, ordered=False, whole=whole, rows=len(values), nulls=0)


SHAPES: dict[str, Draw] = {
    "normal": lambda random, n: random.normal(size=n),
    "far from zero": lambda random, n: random.normal(1e6, 1e-3, size=n),
    "heavy tails": lambda random, n: random.standard_cauchy(n),
    "wide": lambda random, n: random.lognormal(0, 4, n),
    "counts": lambda random, n: random.poisson(5, n),
    "identifiers": lambda random, n: random.integers(0, 10**9, n),
    "prices": lambda random, n: np.round(random.lognormal(3, 1, n), 2),
    "mostly zero": lambda random, n: np.where(random.random(n) < 0.7, 0.0, random.exponential(1.0, n)),
    "one value": lambda random, n: np.full(n, 3.25),
    "two values": lambda random, n: random.choice([-0.5, 1e6], n),
    "with infinities": lambda random, n: np.where(random.random(n) < 0.01, np.inf, random.normal(size=n)),
    "denormal": lambda random, n: random.integers(0, 5, n) * 5e-324,
    "largest": lambda random, n: random.choice([-1.7e308, 0.0, 1.7e308], n),
}


@pytest.mark.parametrize("changed", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_counting_finds_what_sorting_finds(shape: str, changed: bool) -> None:
    random = np.random.default_rng(11)
    before, now = (SHAPES[shape](random, n) for n in (60_000, 50_000))
    if changed:
        with np.errstate(over="ignore"):
            now = np.where(random.random(len(now)) < 0.1, before[: len(now)] * 1.5 + 1, now)
    reference, current = numbers(before), numbers(now)
    expected, counted = by_sorting(reference, current), by_counting(reference, current)
    if counted is None:
        assert shape in {"one value", "denormal", "largest"}
        return
    for one, other in ((expected.lower, counted.lower), (expected.upper, counted.upper)):
        assert one.size == pytest.approx(other.size, abs=1e-15)
        if one.size > 0:
            assert (one.reference - one.current) == pytest.approx(other.reference - other.current, abs=1e-15)
    assert _total(counted) == _total(expected) == (60_000, 50_000)
    shares = counted.parts.reference + counted.parts.current
    assert shares.max() <= 11_000 + _heaviest(before, now)


def _total(gaps: Gaps) -> tuple[int, int]:
    assert gaps.parts.reference.sum() == gaps.drawn.reference.sum()
    assert gaps.parts.current.sum() == gaps.drawn.current.sum()
    return int(gaps.parts.reference.sum()), int(gaps.parts.current.sum())


def _heaviest(before: np.ndarray, now: np.ndarray) -> int:
    """Rows of the most frequent value, or of those that share a fine bin with it."""
    values = np.concatenate([before, now])
    grid = counting._grid(numbers(before), numbers(now))
    assert grid is not None
    return int(np.bincount(grid.bin_of(values)).max())


finite = arrays.arrays(
    np.float64, st.integers(1, 40), elements=st.one_of(st.integers(-3, 3).map(float), st.floats(-1e300, 1e300))
)


@settings(max_examples=300, deadline=None)
@given(finite, finite)
def test_sorting_and_counting_agree_with_scipy(before: np.ndarray, now: np.ndarray) -> None:
    reference, current = numbers(before), numbers(now)
    less, greater = (
        stats.ks_2samp(before, now, alternative=side, method="asymp").statistic for side in ("less", "greater")
    )
    for found in (by_sorting(reference, current), by_counting(reference, current)):
        if found is None:
            continue
        assert found.lower.size == pytest.approx(greater, abs=1e-12)
        assert found.upper.size == pytest.approx(less, abs=1e-12)
        for gap in (found.lower, found.upper):
            if gap.size > 0:
                assert gap.reference == np.mean(before <= gap.at)
                assert gap.current == np.mean(now <= gap.at)
        assert _total(found) == (len(before), len(now))
        assert (np.diff(found.parts.edges) >= 0).all()
        assert (np.diff(found.drawn.edges) > 0).all()


@settings(max_examples=200, deadline=None)
@given(finite, finite)
def test_parts_hold_what_their_edges_say(before: np.ndarray, now: np.ndarray) -> None:
    parts = by_sorting(numbers(before), numbers(now)).parts
    inner = parts.edges[1:-1]
    assert np.cumsum(parts.reference)[:-1].tolist() == [int((before <= edge).sum()) for edge in inner]
    assert np.cumsum(parts.current)[:-1].tolist() == [int((now <= edge).sum()) for edge in inner]
    assert len(parts.reference) <= 10


def test_whole_numbers_fall_evenly_into_the_bins_that_are_drawn() -> None:
    ages = np.arange(100).repeat(50)
    drawn = by_sorting(numbers(ages, whole=True), numbers(ages, whole=True)).drawn
    assert len(set(drawn.reference[:-1].tolist())) == 1
