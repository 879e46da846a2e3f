"""What the detector promises, by simulation with fixed seeds. ``benchmarks/drift/calibration.py`` measures the same at length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sekisho.watch.drift.correction import SECONDS_PER_DAY, alpha_per_look
from sekisho.watch.drift.detector import DriftDetector

Window = dict[str, np.ndarray]
DAYS = 30


@pytest.fixture(scope="module")
def detector(make_table: Any) -> DriftDetector:
    return DriftDetector(make_table(10_000, seed=100))


def test_a_clean_week_is_silent(detector: DriftDetector, make_table: Any) -> None:
    alpha = alpha_per_look(1.0, 24.0)
    assert sum(detector.detect_drift(make_table(1_000, seed=seed), alpha).detected for seed in range(7 * 24)) == 0


@pytest.mark.slow
def test_thirty_clean_days_hold_one_false_alarm_at_most(make_table: Any) -> None:
    """With several references, for one that is unlucky would speak in all its windows."""
    alpha = alpha_per_look(1.0, 24.0)
    alarms = 0
    for run in range(5):
        detector = DriftDetector(make_table(10_000, seed=1_000 + run))
        for hour in range(DAYS * 24 // 5):
            alarms += detector.detect_drift(make_table(1_000, seed=10_000 * (run + 1) + hour), alpha).detected
    assert alarms <= 1


def test_the_budget_also_binds_without_a_smallest_effect(make_table: Any) -> None:
    """The promise rests on the p-values; the smallest effect only adds to it."""
    detector = DriftDetector(make_table(2_000, seed=101), smallest_effect=0.0)
    alarms = sum(detector.detect_drift(make_table(300, seed=200 + seed), 0.2).detected for seed in range(150))
    assert alarms <= 45


def test_overlapping_looks_keep_to_the_budget(make_table: Any) -> None:
    """A day of looks every five minutes at the last 1,000 of 20,000 rows, at the budget of looks every five seconds."""
    detector = DriftDetector(make_table(10_000, seed=102), smallest_effect=0.0)
    day = make_table(20_000, seed=103)
    alpha = alpha_per_look(1.0, SECONDS_PER_DAY / 5)
    looks = [
        detector.detect_drift({name: values[start : start + 1_000] for name, values in day.items()}, alpha).detected
        for start in range(0, 19_000, 66)
    ]
    assert len(looks) == 288
    assert not any(looks)


def _psi_shift(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A shift of a normal column by 0.45 standard deviations has a population stability index of 0.2."""
    return values + 0.45 * 12


CHANGES: dict[str, tuple[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]]] = {
    "half a standard deviation": ("age", lambda v, r: v + 6),
    "PSI 0.2": ("age", _psi_shift),
    "a spread of 1.5": ("age", lambda v, r: 40 + 1.5 * (v - 40)),
    "a new category, 2 %": ("work", lambda v, r: np.where(r.random(len(v)) < 0.02, "new", v).astype(object)),
    "nulls, 2 %": ("age", lambda v, r: np.where(r.random(len(v)) < 0.02, np.nan, v)),
    "a boolean from 30 % to 45 %": ("member", lambda v, r: r.random(len(v)) < 0.45),
}


@pytest.mark.parametrize("change", CHANGES)
def test_power_at_a_thousand_rows_and_a_look_every_five_seconds(
    change: str, detector: DriftDetector, make_table: Any
) -> None:
    name, apply = CHANGES[change]
    random = np.random.default_rng(104)
    alpha = alpha_per_look(1.0, SECONDS_PER_DAY / 5)
    caught = 0
    for seed in range(40):
        window = make_table(1_000, seed=300 + seed)
        window[name] = apply(window[name], random)
        caught += [column.name for column in detector.detect_drift(window, alpha).drifted] == [name]
    assert caught >= 38
