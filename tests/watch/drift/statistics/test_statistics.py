"""Each statistic against figures computed by hand or by SciPy, and all of them against the promise of the shelf."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from sekisho import shelf
from sekisho.artifact.column import plain
from sekisho.watch.drift.detector import STATISTICS
from sekisho.watch.drift.pairs import LabelPair, NullPair, NumberPair, Pair, pairs_of
from sekisho.watch.drift.sides import side_of
from sekisho.watch.drift.statistics.composition import composition
from sekisho.watch.drift.statistics.interface import Statistic, change_of_share
from sekisho.watch.drift.statistics.nulls import nulls
from sekisho.watch.drift.statistics.outside import outside
from sekisho.watch.drift.statistics.shape import shape
from sekisho.watch.drift.statistics.shift import shift
from sekisho.watch.drift.statistics.unseen import unseen


def pairs(before: np.ndarray, now: np.ndarray) -> dict[type, Pair]:
    reference, current = plain("x", before), plain("x", now)
    one, other = side_of(reference, reference.kind), side_of(current, reference.kind)
    assert one is not None
    assert other is not None
    return {type(pair): pair for pair in pairs_of(reference.kind, one, other)}


def labels(**rows: int) -> np.ndarray:
    return np.repeat(np.array(list(rows), dtype=object), list(rows.values()))


def test_the_shelf_holds_every_statistic() -> None:
    assert list(shelf.units(STATISTICS, Statistic)) == ["composition", "nulls", "outside", "shape", "shift", "unseen"]


def test_shift_is_the_kolmogorov_smirnov_distance() -> None:
    random = np.random.default_rng(1)
    before, now = random.normal(size=700), random.normal(0.3, 1, 400)
    found = shift.measure(pairs(before, now)[NumberPair])
    expected = stats.ks_2samp(before, now)
    assert found.value == found.effect == pytest.approx(expected.statistic)
    assert expected.pvalue <= found.p_value <= 2 * expected.pvalue
    at = float(found.reason.en.split("up to ")[1].split(":")[0])
    assert at == pytest.approx(expected.statistic_location, rel=1e-3)


def test_shape_sees_a_wider_spread_that_shift_hardly_does() -> None:
    random = np.random.default_rng(2)
    pair = pairs(random.normal(size=10_000), random.normal(0, 1.5, 1_000))[NumberPair]
    moved, spread = shift.measure(pair), shape.measure(pair)
    assert spread.value == pytest.approx(0.19, abs=0.04)
    assert spread.effect > 1.5 * moved.effect
    assert spread.p_value < moved.p_value


def test_shape_names_the_part_that_changed_most() -> None:
    before = np.arange(1_000.0)
    now = np.concatenate([np.arange(0.0, 1_000.0, 4), np.full(100, 999.0)])
    found = shape.measure(pairs(before, now)[NumberPair])
    assert found.reason.en.startswith("values above ")
    assert found.reason.ja.endswith("31%")


@pytest.mark.parametrize(("below", "above"), [(0, 3), (2, 0), (2, 3), (0, 0)])
def test_outside_counts_both_ends_and_knows_how_often_chance_does_it(below: int, above: int) -> None:
    before = np.linspace(0, 1, 500)
    now = np.concatenate([np.full(below, -1.0), np.linspace(0.1, 0.9, 100 - below - above), np.full(above, 2.0)])
    found = outside.measure(pairs(before, now)[NumberPair])
    rows = below + above
    assert found.value == rows / 100
    one_way = np.prod([(100 - index) / (600 - index) for index in range(rows)])
    assert found.p_value == pytest.approx(min(1.0, (rows + 1) * one_way))


def test_outside_says_that_time_goes_on() -> None:
    before = np.datetime64("2026-01-01T00:00:00") + np.arange(1_000)
    found = outside.measure(pairs(before, before + np.timedelta64(1, "D"))[NumberPair])
    assert found.value == 1.0
    assert "as time itself goes on" in found.reason.en
    assert "2026-01-01 00:16" in found.reason.ja


def test_composition_is_half_the_sum_of_differences() -> None:
    found = composition.measure(pairs(labels(a=500, b=300, c=200), labels(a=40, b=30, c=25, d=5))[LabelPair])
    assert found.value == pytest.approx((0.1 + 0.0 + 0.05 + 0.05) / 2)
    assert 0.0 < found.effect < found.value
    assert "'a': 50% of the reference, 40% now" in found.reason.en


def test_unseen_names_the_new_label() -> None:
    found = unseen.measure(pairs(labels(a=900, b=100), labels(a=90, b=7, 新規=3))[LabelPair])
    assert found.value == 0.03
    assert found.effect == pytest.approx(change_of_share(0, 0.03), abs=0.01)
    assert found.p_value < 0.01
    assert "新規" in found.reason.en
    none = unseen.measure(pairs(labels(a=900, b=100), labels(a=100))[LabelPair])
    assert (none.value, none.effect, none.p_value) == (0.0, 0.0, 1.0)


def test_nulls_is_fishers_exact_test() -> None:
    before, now = np.full(1_000, 1.0), np.full(200, 1.0)
    before[:50], now[:30] = np.nan, np.nan
    found = nulls.measure(pairs(before, now)[NullPair])
    exact = stats.fisher_exact(np.array([[30, 170], [50, 950]]), alternative="greater").pvalue
    assert found.value == pytest.approx(0.10)
    assert 2 * exact <= found.p_value <= 3 * exact
    fewer = nulls.measure(pairs(now, before)[NullPair])
    assert fewer.value == pytest.approx(-0.10)
    assert fewer.p_value == pytest.approx(found.p_value, rel=0.5)


def test_a_change_of_share_weighs_more_near_zero() -> None:
    assert change_of_share(0.5, 0.6) == pytest.approx(0.10, abs=0.002)
    assert change_of_share(0.0, 0.01) == pytest.approx(0.10, abs=0.002)
    assert change_of_share(0.99, 1.0) == pytest.approx(0.10, abs=0.002)
    assert change_of_share(0.0, 1.0) == 1.0
    assert change_of_share(0.3, 0.3) == 0.0


@pytest.mark.parametrize("names", ["abcdefghijklmn", "aaaaaaabbbbccd", "aabbccddeeffgg", "aaaaaaaaaaaaab"])
def test_p_values_of_labels_are_valid_over_every_division(names: str) -> None:
    """Of all ways to divide the pooled rows, no more than a share ``p`` may have a p-value of ``p`` or less."""
    known = sorted(set(names))
    codes = np.array([known.index(name) for name in names])
    pooled = np.bincount(codes)
    found: dict[str, list[float]] = {"composition": [], "unseen": []}
    for chosen in itertools.combinations(range(len(names)), 5):
        current = np.bincount(codes[list(chosen)], minlength=len(known))
        order = np.argsort(pooled - current == 0, kind="stable")  # those of the reference first, as pairs have them
        pair = LabelPair(
            n=len(names) - 5,
            m=5,
            labels=tuple(known[index] for index in order),
            reference=(pooled - current)[order],
            current=current[order],
            shown=True,
        )
        found["composition"].append(composition.measure(pair).p_value)
        found["unseen"].append(unseen.measure(pair).p_value)
    for p_values in found.values():
        ordered = np.sort(p_values)
        share = np.searchsorted(ordered, ordered, side="right") / len(ordered)
        assert (share <= ordered + 1e-12).all()


def _normal(random: np.random.Generator, rows: int) -> np.ndarray:
    return random.normal(size=rows)


def _counts(random: np.random.Generator, rows: int) -> np.ndarray:
    return random.poisson(0.8, rows)


def _names(random: np.random.Generator, rows: int) -> np.ndarray:
    return np.char.add("n", np.minimum(random.zipf(1.5, rows), 10**6).astype(str)).astype(object)


def _half_null(random: np.random.Generator, rows: int) -> np.ndarray:
    return np.where(random.random(rows) < 0.02, np.nan, random.normal(size=rows))


@pytest.mark.parametrize("draw", [_normal, _counts, _names, _half_null])
@pytest.mark.parametrize(("n", "m"), [(100, 60), (2_000, 200)])
def test_p_values_are_never_too_small_when_nothing_has_changed(draw: object, n: int, m: int) -> None:
    """Of 400 unchanged windows, no more than binomial luck allows have a p-value of 10 % or 2 % or less."""
    assert callable(draw)
    random = np.random.default_rng(3)
    units = tuple(shelf.units(STATISTICS, Statistic).values())
    found: dict[str, list[float]] = {}
    for _ in range(400):
        for pair in pairs(draw(random, n), draw(random, m)).values():
            for unit in units:
                if isinstance(pair, unit.pair):
                    found.setdefault(unit.id, []).append(unit.measure(pair).p_value)
    assert found
    for p_values in found.values():
        for level in (0.1, 0.02):
            allowed = stats.binom.ppf(0.9999, len(p_values), level)
            assert sum(p <= level for p in p_values) <= allowed
