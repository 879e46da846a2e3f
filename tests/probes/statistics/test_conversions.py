from __future__ import annotations

import numpy as np
import pytest

from sekisho.probes.statistics.conversions import CONVERSIONS, Conversion, conversion, distance, part_converted


def sample(rows: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.random.default_rng(seed).lognormal(3, 0.5, rows)


@pytest.mark.parametrize("change", CONVERSIONS, ids=lambda change: change.words.en)
def test_every_change_of_unit_is_found(change: Conversion) -> None:
    known, asked = sample(2_000, 1), sample(800, 2)
    if distance(known, asked * change.factor + change.shift) < 0.2:
        pytest.skip("too small a change for such a spread")
    found = conversion(known, asked * change.factor + change.shift)
    assert found is not None
    assert change.words.en in found.en or abs(change.factor) in {1_000, 1 / 1_000, 1_024, 1 / 1_024}


def test_samples_of_one_kind_have_not_changed_unit() -> None:
    assert all(conversion(sample(300, seed), sample(300, seed + 1_000)) is None for seed in range(200))


def test_another_distribution_is_no_change_of_unit() -> None:
    uniform = np.random.default_rng(1).uniform(0, 500, 800)
    assert conversion(sample(2_000, 1), uniform) is None


def test_some_values_in_another_unit_are_found() -> None:
    known, asked = sample(2_000, 1), sample(1_000, 2)
    asked[:80] *= 1_000
    found = part_converted(known, asked)
    assert found is not None
    assert "1,000" in found[0].en
    assert found[1] == pytest.approx(0.08, abs=0.01)
    assert part_converted(known, sample(1_000, 3)) is None


def test_few_rows_say_nothing() -> None:
    assert conversion(sample(20, 1), sample(20, 2) * 1_000) is None
