from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.watch.drift.correction import alpha_per_look, holm


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([]) == ()


@given(st.lists(st.floats(0, 1), max_size=30))
def test_holm_keeps_order_and_lies_between_nothing_and_bonferroni(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    for raw, corrected in zip(p_values, adjusted, strict=True):
        assert raw <= corrected <= min(1.0, len(p_values) * raw)
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert [adjusted[index] for index in order] == sorted(adjusted)


def test_holm_keeps_the_chance_of_one_false_rejection() -> None:
    random = np.random.default_rng(1)
    rejected = sum(min(holm(random.random(50).tolist())) <= 0.05 for _ in range(2_000))
    assert 0.03 * 2_000 < rejected < 0.07 * 2_000


def test_the_budget_of_thirty_days_is_spent_evenly() -> None:
    alpha = alpha_per_look(1.0, 24.0)
    assert alpha * 30 * 24 == pytest.approx(1.0)
    assert alpha_per_look(1_000.0, 1.0) == 0.5
