from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from sekisho.contract.sections import Contract
from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress
from sekisho.probes.quality.slices import Slices, slices
from sekisho.probes.resources.scored import Scored

MakeContract = Callable[..., Contract]
MakeScored = Callable[..., Scored]


def measured(asked: Contract, answers: Scored) -> Slices:
    found = slices.measure(asked.quality, asked.data, answers, Progress())
    assert isinstance(found, Slices)
    return found


def shop(rows: int, seed: int, *, wrong: float = 0.0) -> tuple[pd.DataFrame, np.ndarray]:
    """Customers, and the probability that a model states; among the young of the north it has ``wrong`` of them inverted."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "spent": random.normal(size=rows),
            "age": random.integers(18, 80, rows),
            "region": random.choice(["north", "south", "east", "west"], rows),
            "noise": random.normal(size=rows),
        }
    )
    chance = 1 / (1 + np.exp(-2.5 * frame["spent"]))
    frame["label"] = (random.random(rows) < chance).astype(int)
    inverted = ((frame["region"] == "north") & (frame["age"] < 30) & (random.random(rows) < wrong)).to_numpy()
    stated = chance.to_numpy()
    return frame, np.where(inverted, 1 - stated, stated)


def answers_of(scored: MakeScored, frame: pd.DataFrame, stated: np.ndarray) -> Scored:
    return scored(frame, (stated > 0.5).astype(int), np.stack([1 - stated, stated], axis=1))


@pytest.mark.parametrize("metric", ["balanced_accuracy", "roc_auc", "accuracy", "log_loss"])
def test_a_part_in_which_the_model_is_wrong_is_found(metric: str, contract: MakeContract, scored: MakeScored) -> None:
    found = measured(
        contract(data={"target": "label"}, quality={"metric": metric}), answers_of(scored, *shop(8_000, 1, wrong=1.0))
    )
    worst = found.slices[0]
    assert "region = north" in worst.name
    assert "age 18" in worst.name
    assert worst.uninformed
    assert worst.score is not None


@pytest.mark.parametrize("metric", ["balanced_accuracy", "roc_auc"])
def test_nothing_is_surely_wrong_with_an_honest_model(metric: str, contract: MakeContract, scored: MakeScored) -> None:
    for seed in range(2, 6):
        found = measured(
            contract(data={"target": "label"}, quality={"metric": metric}), answers_of(scored, *shop(6_000, seed))
        )
        assert not any(each.uninformed for each in found.slices)
        assert found.looked_at > 50
        # The border between the classes is no weak part: there the model says that it does not know.
        assert not any("spent" in each.name and ("region" not in each.name) for each in found.slices[:1])


def test_what_the_search_found_by_luck_does_not_hold_on_the_other_half(
    contract: MakeContract, scored: MakeScored
) -> None:
    """Of answers that are right at random no part is weak; each found one regresses to the mean."""
    random = np.random.default_rng(7)
    below, several = 0, 0
    for seed in range(12):
        frame, _ = shop(3_000, seed)
        right = random.random(3_000) < 0.8
        given = np.where(right, frame["label"], 1 - frame["label"])
        found = measured(
            contract(data={"target": "label"}, quality={"metric": "accuracy", "resamples": 400}), scored(frame, given)
        )
        for each in found.slices:
            assert each.score is not None
            below += each.score.high < 0.8
            several += 1
    assert below <= max(1, 0.05 * several)


def test_declared_parts_are_scored_on_all_their_rows(contract: MakeContract, scored: MakeScored) -> None:
    frame, stated = shop(4_000, 3)
    asked = contract(
        data={"target": "label"},
        quality={"metric": "roc_auc", "slices": ("region", "age < 25 and region = north", "age >= 200")},
    )
    found = measured(asked, answers_of(scored, frame, stated))
    declared = {each.name: each for each in found.slices if each.declared}
    assert set(declared) == {
        "region = north",
        "region = south",
        "region = east",
        "region = west",
        "age < 25 and region = north",
        "age >= 200",
    }
    young = ((frame["age"] < 25) & (frame["region"] == "north")).sum()
    assert declared["age < 25 and region = north"].rows == young
    assert declared["age >= 200"].score is None
    assert found.confidence == pytest.approx(1 - 0.05 / len(found.slices), abs=1e-3)


@pytest.mark.parametrize("words", ["nowhere = 1", "region < 3", "age < old", "region north"])
def test_a_part_that_cannot_be_is_not_measured(words: str, contract: MakeContract, scored: MakeScored) -> None:
    with pytest.raises(NotMeasured) as caught:
        measured(contract(data={"target": "label"}, quality={"slices": (words,)}), answers_of(scored, *shop(300, 1)))
    assert "quality.slices" in str(caught.value)


def test_values_are_weak_where_a_constant_would_be_better(contract: MakeContract, scored: MakeScored) -> None:
    random = np.random.default_rng(5)
    frame = pd.DataFrame({"x": random.normal(size=6_000), "site": random.choice(["a", "b", "c"], 6_000)})
    frame["label"] = 10 + 3 * frame["x"] + random.normal(size=6_000)
    given = (10 + 3 * frame["x"]).to_numpy()
    honest = measured(
        contract(data={"target": "label"}, quality={"metric": "rmse"}), scored(frame, given, task="regression")
    )
    assert not any(each.uninformed for each in honest.slices)
    moved = np.where(frame["site"] == "b", given * 2.2, given)  # another unit at one site
    found = measured(
        contract(data={"target": "label"}, quality={"metric": "rmse"}), scored(frame, moved, task="regression")
    )
    assert found.slices[0].uninformed
    assert "site = b" in found.slices[0].name


def test_nulls_and_rare_words_are_parts_too(contract: MakeContract, scored: MakeScored) -> None:
    frame, stated = shop(6_000, 6)
    missing = np.random.default_rng(1).random(6_000) < 0.15
    frame.insert(0, "income", np.where(missing, np.nan, np.random.default_rng(2).normal(size=6_000)))
    stated = np.where(missing, 1 - stated, stated)
    found = measured(
        contract(data={"target": "label"}, quality={"metric": "accuracy"}), answers_of(scored, frame, stated)
    )
    assert [each for each in found.slices if each.name == "income = —" and each.uninformed], found
