from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sekisho.probes.statistics.intervals import Share, difference, holm, mean_of_shares, ratio, wilson

shares = st.integers(1, 5_000).flatmap(
    lambda trials: st.builds(lambda count: Share(count=count, trials=trials), st.integers(0, trials))
)


@given(shares, st.sampled_from([0.9, 0.95, 0.99]))
def test_wilson_is_that_of_scipy(share: Share, confidence: float) -> None:
    expected = stats.binomtest(share.count, share.trials).proportion_ci(confidence, method="wilson")
    found = wilson(share, confidence)
    assert found.low == pytest.approx(expected.low, abs=1e-9)
    assert found.high == pytest.approx(expected.high, abs=1e-9)
    assert 0 <= found.low <= found.point <= found.high <= 1


def test_nothing_is_known_without_trials() -> None:
    found = wilson(Share(count=0, trials=0), 0.95)
    assert (found.low, found.high) == (0, 1)


def test_difference_is_newcombes_example() -> None:
    # R. G. Newcombe 1998, table II, example (a): 56/70 - 48/80, method 10.
    found = difference(Share(count=56, trials=70), Share(count=48, trials=80), 0.95)
    assert found.point == pytest.approx(0.2)
    assert found.low == pytest.approx(0.0524, abs=5e-5)
    assert found.high == pytest.approx(0.3339, abs=5e-5)


@given(shares, shares)
def test_difference_turns_round_with_its_sides(one: Share, other: Share) -> None:
    there, back = difference(one, other, 0.95), difference(other, one, 0.95)
    assert there.low == pytest.approx(-back.high)
    assert there.low <= there.point <= there.high


def test_ratio_covers_the_four_fifths_rule() -> None:
    unequal = ratio(Share(count=300, trials=1_000), Share(count=600, trials=1_000), 0.95)
    alike = ratio(Share(count=558, trials=1_000), Share(count=600, trials=1_000), 0.95)
    assert unequal is not None
    assert alike is not None
    assert unequal.point == pytest.approx(0.5)
    assert unequal.high < 0.8
    assert alike.high > 0.8
    assert ratio(Share(count=1, trials=10), Share(count=0, trials=10), 0.95) is None
    none_at_all = ratio(Share(count=0, trials=500), Share(count=250, trials=500), 0.95)
    assert none_at_all is not None
    assert none_at_all.high < 0.1


def test_mean_of_equal_shares_is_narrower_than_each() -> None:
    share = Share(count=80, trials=100)
    both, one = mean_of_shares([share, share], 0.95), wilson(share, 0.95)
    assert both.point == pytest.approx(0.8)
    assert both.high - both.low == pytest.approx((one.high - one.low) / 2**0.5)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_lowers_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(after >= before for after, before in zip(adjusted, p_values, strict=True))
    assert min(adjusted) == pytest.approx(min(1.0, min(p_values) * len(p_values)))
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    assert [adjusted[index] for index in order] == sorted(adjusted)
