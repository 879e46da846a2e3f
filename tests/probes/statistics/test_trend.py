"""The slope of a series, and when it is surely there."""

from __future__ import annotations

import numpy as np

from sekisho.probes.statistics.trend import slope


def test_a_line_has_its_slope() -> None:
    moments = np.arange(20.0)
    found = slope(moments, 3 * moments + 5, 0.95)
    assert found.low == found.point == found.high == 3.0


def test_one_jump_is_no_trend() -> None:
    moments = np.arange(40.0)
    values = np.random.default_rng(0).normal(size=40)
    values[20] += 1_000
    found = slope(moments, values, 0.95)
    assert found.low < 0 < found.high


def test_noise_is_seldom_taken_for_growth() -> None:
    random = np.random.default_rng(1)
    moments = np.arange(25.0)
    wrong = sum(slope(moments, random.normal(size=25), 0.95).low > 0 for _ in range(400))
    assert wrong <= 20  # 2.5 % are due
