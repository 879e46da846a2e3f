"""Bounds of quantiles and of rare events: they hold as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sekisho.probes.statistics.exact import lower_bound, silent_trials_needed, upper_bound
from sekisho.probes.statistics.quantiles import quantile_interval, values_needed


@pytest.mark.parametrize(("fraction", "count"), [(0.99, 400), (0.99, 900), (0.95, 200), (0.5, 60)])
def test_each_bound_holds_in_nearly_all_samples(fraction: float, count: int) -> None:
    random = np.random.default_rng(3)
    true = -np.log(1 - fraction)
    missed_low = missed_high = 0
    for _ in range(1_500):
        interval = quantile_interval(np.sort(random.exponential(size=count)), fraction, 0.95)
        assert interval is not None
        assert interval.low <= interval.point <= interval.high
        missed_low += interval.low > true
        missed_high += interval.high < true
    # at most 2.5 % each; five standard deviations of the simulation above it
    assert missed_low / 1_500 < 0.025 + 5 * 0.004
    assert missed_high / 1_500 < 0.025 + 5 * 0.004


def test_too_few_values_bound_nothing() -> None:
    enough = values_needed(0.99, 0.95)
    ordered = np.arange(float(enough))
    assert quantile_interval(ordered, 0.99, 0.95) is not None
    assert quantile_interval(ordered[:-1], 0.99, 0.95) is None
    assert quantile_interval(ordered[:0], 0.99, 0.95) is None


@pytest.mark.parametrize(("count", "trials"), [(0, 10), (1, 50), (29, 29), (40, 100), (0, 2_156)])
def test_exact_bounds_leave_the_tail_that_they_promise(count: int, trials: int) -> None:
    if count < trials:
        assert stats.binom.cdf(count, trials, upper_bound(count, trials, 0.95)) == pytest.approx(0.05)
    if count:
        assert stats.binom.sf(count - 1, trials, lower_bound(count, trials, 0.95)) == pytest.approx(0.05)
    assert upper_bound(trials, trials, 0.95) == 1.0
    assert lower_bound(0, trials, 0.95) == 0.0


def test_nothing_tried_is_nothing_known() -> None:
    assert (lower_bound(0, 0, 0.95), upper_bound(0, 0, 0.95)) == (0.0, 1.0)


@pytest.mark.parametrize("rate", [1 / 720, 1 / 30, 0.2])
def test_as_many_silent_trials_as_needed_and_no_more(rate: float) -> None:
    needed = silent_trials_needed(rate, 0.95)
    assert upper_bound(0, needed, 0.95) <= rate < upper_bound(0, needed - 1, 0.95)
