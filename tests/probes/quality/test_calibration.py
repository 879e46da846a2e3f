from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from sekisho.contract.sections import Contract
from sekisho.errors import NotMeasured
from sekisho.probes.quality.calibration import Calibration, calibration
from sekisho.probes.resources.scored import Scored

MakeContract = Callable[..., Contract]
MakeScored = Callable[..., Scored]


def measured(asked: Contract, answers: Scored) -> Calibration:
    found = calibration.measure(asked.quality, answers)
    assert isinstance(found, Calibration)
    return found


def stated(rows: int, seed: int, sharpened: float = 1.0) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows, and probabilities that are right, or too sure of themselves by a factor on the scale of their logarithm."""
    random = np.random.default_rng(seed)
    score = random.normal(size=rows)
    label = (random.random(rows) < 1 / (1 + np.exp(-score))).astype(int)
    return pd.DataFrame({"x": score, "label": label}), 1 / (1 + np.exp(-sharpened * score))


@pytest.mark.parametrize(("sharpened", "low", "high"), [(1.0, 0.0, 0.05), (3.0, 0.1, 0.25)])
def test_too_sure_probabilities_are_off(
    sharpened: float, low: float, high: float, contract: MakeContract, scored: MakeScored
) -> None:
    frame, second = stated(4_000, 1, sharpened)
    found = measured(contract(), scored(frame, (second > 0.5).astype(int), np.stack([1 - second, second], axis=1)))
    assert low <= found.error.low <= found.error.point <= found.error.high <= high
    assert sum(each.rows for each in found.claims) == 4_000
    assert [each.stated for each in found.claims] == sorted(each.stated for each in found.claims)
    assert found.of == "1"


def test_several_classes_are_judged_by_the_one_held_most_probable(contract: MakeContract, scored: MakeScored) -> None:
    random = np.random.default_rng(2)
    chances = random.dirichlet(np.ones(3), 5_000)
    label = (random.random(5_000)[:, None] > np.cumsum(chances, axis=1)).sum(axis=1)
    frame = pd.DataFrame({"x": chances[:, 0], "label": label})
    found = measured(contract(), scored(frame, chances.argmax(axis=1), chances))
    assert found.of is None
    assert found.error.low == 0
    assert found.error.high < 0.05


def test_a_model_without_probabilities_is_not_measured(contract: MakeContract, scored: MakeScored) -> None:
    frame, _ = stated(100, 3)
    with pytest.raises(NotMeasured):
        measured(contract(), scored(frame, frame["label"].to_numpy()))
