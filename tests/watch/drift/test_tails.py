"""Every bound is compared with the exact probability: by enumeration where that is possible, else by SciPy or by simulation."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sekisho.watch.drift.tails import (
    all_current,
    beyond_noise,
    hypergeometric,
    never_in_reference,
    smirnov,
    total_variation_noise,
)


def divisions(total: int, current: int) -> np.ndarray:
    """Every way to choose which of the pooled rows are the current ones, as masks of shape (ways, total)."""
    ways = list(itertools.combinations(range(total), current))
    masks = np.zeros((len(ways), total), dtype=bool)
    for row, way in enumerate(ways):
        masks[row, list(way)] = True
    return masks


def exact_smirnov(distance: float, n: int, m: int) -> float:
    """The exact p-value without ties: the share of lattice paths from (0, 0) to (n, m) that leave the strip."""
    left = np.zeros(m + 1)
    for steps in range(1, n + m + 1):
        current = np.arange(max(0, steps - n), min(m, steps) + 1)
        straight, aside = left[current], np.where(current > 0, left[current - 1], 0.0)
        reached = ((steps - current) * straight + current * aside) / steps
        outside = np.abs((steps - current) / n - current / m) >= distance - 1e-12
        left[current] = np.where(outside, 1.0, reached)
    return float(left[m])


@pytest.mark.parametrize(
    ("n", "m"),
    [
        (1, 1),
        (1, 7),
        (2, 3),
        (4, 4),
        (5, 9),
        (20, 20),
        (50, 50),
        (60, 150),
        (457, 457),
        (50, 3_000),
        (1_000, 1_000),
        (5_000, 500),
    ],
)
def test_smirnov_is_never_below_the_exact_p_value(n: int, m: int) -> None:
    for distance in np.linspace(0.02, 0.8, 15):
        attained = round(distance * n * m) / (n * m)
        assert smirnov(attained, n, m) >= exact_smirnov(attained, n, m) * (1 - 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("m", [200, 1_000, 5_000])
def test_smirnov_is_never_below_the_exact_p_value_at_the_sizes_in_use(m: int) -> None:
    for distance in np.linspace(0.01, 0.3, 30):
        assert smirnov(distance, 10_000, m) >= exact_smirnov(distance, 10_000, m) * (1 - 1e-9)


def test_exact_path_counts_are_those_of_scipy() -> None:
    before, now = np.arange(12.0), np.arange(9.0) + 4.5
    found = stats.ks_2samp(before, now, method="exact")
    assert exact_smirnov(found.statistic, 12, 9) == pytest.approx(found.pvalue)


def test_smirnov_is_close_enough_to_see_what_matters() -> None:
    exact = stats.kstwobign.sf(0.1 * math.sqrt(10_000 / 11))
    assert smirnov(0.1, 10_000, 1_000) < 1.5 * exact


@pytest.mark.parametrize("labels", ["aaaabbbb", "aaabbbcc", "abcdefgh", "aaaaaaab", "aabbccdde"])
@pytest.mark.parametrize("m", [2, 4])
def test_total_variation_bounds_hold_for_every_division(labels: str, m: int) -> None:
    codes = np.array([sorted(set(labels)).index(label) for label in labels])
    masks = divisions(len(codes), m)
    n, k = len(codes) - m, len(set(labels))
    pooled = np.bincount(codes, minlength=k)
    current = np.array([np.bincount(codes[mask], minlength=k) for mask in masks])
    distances = np.abs((pooled - current) / n - current / m).sum(axis=1) / 2
    noise = total_variation_noise(pooled, n, m)
    assert noise >= distances.mean() - 1e-12
    for distance in np.unique(distances):
        assert beyond_noise(distance, noise, n, m).p_value >= np.mean(distances >= distance - 1e-12) - 1e-12


def test_the_noise_of_many_rare_labels_is_no_effect() -> None:
    random = np.random.default_rng(5)
    before = np.bincount(random.integers(0, 100_000, 200_000), minlength=100_000)
    now = np.bincount(random.integers(0, 100_000, 20_000), minlength=100_000)
    distance = float(np.abs(before / 200_000 - now / 20_000).sum() / 2)
    noise = total_variation_noise(before + now, 200_000, 20_000)
    assert distance > 0.5
    assert noise < 1.3 * distance
    assert beyond_noise(distance, noise, 200_000, 20_000).effect == 0.0


@settings(max_examples=200)
@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_hypergeometric_is_fishers_exact_test_or_a_little_more(n: int, m: int, data: st.DataObject) -> None:
    marked = data.draw(st.integers(0, n + m))
    seen = data.draw(st.integers(0, m))
    exact = float(stats.hypergeom.sf(seen - 1, n + m, marked, m))
    bound = hypergeometric(seen, marked, n, m)
    assert 1.0 >= bound >= exact * (1 - 1e-9)


def test_hypergeometric_is_tight_in_the_tail_and_at_a_million_rows() -> None:
    assert hypergeometric(30, 110, 10_000, 1_000) < 1.2 * stats.hypergeom.sf(29, 11_000, 110, 1_000)
    exact = stats.hypergeom.sf(5_499, 2_000_000, 10_000, 1_000_000)
    assert exact < hypergeometric(5_500, 10_000, 1_000_000, 1_000_000) < 1.2 * exact


@pytest.mark.parametrize(("n", "m", "rows"), [(5, 4, 1), (5, 4, 4), (6, 3, 2)])
def test_all_current_is_exact(n: int, m: int, rows: int) -> None:
    masks = divisions(n + m, m)
    assert all_current(rows, n, m) == pytest.approx(masks[:, :rows].all(axis=1).mean())
    assert all_current(m + 1, n, m) == 0.0


@pytest.mark.parametrize("labels", ["aaaabbbb", "abcdefgh", "aabbccdd", "aaaaabcd", "aaabbbccd"])
@pytest.mark.parametrize("m", [2, 3, 4])
def test_never_in_reference_holds_for_every_division(labels: str, m: int) -> None:
    masks = divisions(len(labels), m)
    sizes = Counter(labels)
    unseen = np.array([_unseen_rows(labels, mask, sizes) for mask in masks])
    for rows in range(1, m + 1):
        bound = never_in_reference(rows, np.array(list(sizes.values())), len(labels) - m, m)
        assert bound.expected == pytest.approx(unseen.mean())
        assert bound.p_value >= (unseen >= rows).mean() - 1e-12


def _unseen_rows(labels: str, mask: np.ndarray, sizes: Counter[str]) -> int:
    current = Counter(label for label, chosen in zip(labels, mask, strict=True) if chosen)
    return sum(count for label, count in current.items() if count == sizes[label])


def test_a_new_label_is_certain_and_new_names_in_a_column_of_names_are_not() -> None:
    one_new = never_in_reference(20, np.array([5_000, 5_980, 20]), 10_000, 1_000)
    assert one_new.p_value < 1e-15
    only_names = never_in_reference(1_000, np.ones(11_000, dtype=np.int64), 10_000, 1_000)
    assert only_names.p_value == 1.0
    many_new = never_in_reference(300, np.array([*[100] * 107, *[1] * 300]), 10_000, 1_000)
    assert many_new.p_value < 1e-15


def test_rows_of_labels_that_nobody_has_are_no_surprise() -> None:
    assert never_in_reference(0, np.array([10, 10]), 10, 10).p_value == 1.0
    assert never_in_reference(0, np.array([], dtype=np.int64), 10, 10).p_value == 1.0
