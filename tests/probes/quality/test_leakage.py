from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import pandas as pd
import pytest

from sekisho.checks.quality.test_evaluation import _leak
from sekisho.contract.sections import Contract
from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress
from sekisho.probes.quality.leakage import Leakage, leakage
from sekisho.probes.resources.tables import DataSetT, TestSet, TrainingSet

MakeContract = Callable[..., Contract]


class MakeDataSet(Protocol):
    def __call__(self, frame: pd.DataFrame, kind: type[DataSetT], asked: Contract) -> DataSetT: ...


Look = Callable[..., Leakage]


@pytest.fixture
def look(contract: MakeContract, data_set: MakeDataSet) -> Look:
    def make(test: pd.DataFrame, training: pd.DataFrame | None) -> Leakage:
        asked = contract(data={"target": "label"})
        known = None if training is None else data_set(training, TrainingSet, asked)
        found = leakage.measure(
            asked.quality, asked.data, data_set(test, TestSet, asked), known, None, None, Progress()
        )
        assert isinstance(found, Leakage)
        return found

    return make


def leaks(found: Leakage) -> set[str]:
    return {each.feature for each in found.features if _leak(each, found.metric) is not None}


def churn(rows: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    usage, calls = random.normal(size=rows), random.poisson(2, rows)
    label = random.random(rows) < 1 / (1 + np.exp(1.5 + 1.2 * usage - 0.3 * calls))
    plan = random.choice(["basic", "plus"], rows)
    return pd.DataFrame({"usage": usage, "calls": calls, "plan": plan, "label": np.where(label, "yes", "no")})


def pair(
    change: Callable[[pd.DataFrame, np.random.Generator], pd.Series | np.ndarray],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    made = []
    for rows, seed in ((1_500, 1), (4_000, 2)):
        frame = churn(rows, seed)
        made.append(frame.assign(suspect=change(frame, np.random.default_rng(seed + 10))))
    return made[0], made[1]


def yes(frame: pd.DataFrame) -> np.ndarray:
    return (frame["label"] == "yes").to_numpy()


LEAKS: dict[str, Callable[[pd.DataFrame, np.random.Generator], np.ndarray]] = {
    "an amount that is paid only after": lambda f, r: np.where(yes(f), r.uniform(5, 50, len(f)), 0.0),
    "an amount that is missing otherwise": lambda f, r: np.where(yes(f), r.uniform(5, 50, len(f)), np.nan),
    "an amount that is missing otherwise, and for some": lambda f, r: np.where(
        yes(f) & (r.random(len(f)) < 0.6), r.uniform(5, 50, len(f)), np.nan
    ),
    "the label in other words": lambda f, r: np.where(yes(f), "closed", "open"),
    "the label with noise": lambda f, r: yes(f) + r.normal(0, 0.3, len(f)),
    "the label, three in a hundred wrong": lambda f, r: np.where(r.random(len(f)) < 0.03, ~yes(f), yes(f)).astype(int),
    "not monotonic": lambda f, r: np.where(yes(f), r.choice([-3.0, 3.0], len(f)), 0) + r.normal(0, 0.5, len(f)),
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_feature_made_from_the_label_is_found(name: str, look: Look) -> None:
    test, training = pair(LEAKS[name])
    assert leaks(look(test, training)) == {"suspect"}
    assert leaks(look(test, None)) == {"suspect"}


WRITTEN: dict[str, Callable[[pd.DataFrame, np.random.Generator], np.ndarray]] = {
    "a case number that begins with the outcome": lambda f, r: np.array(
        [
            f"{'C' if one else 'A'}-{number:06d}"
            for one, number in zip(yes(f), r.integers(0, 10**6, len(f)), strict=True)
        ],
        dtype=object,
    ),
    "rounded where the answer is no": lambda f, r: np.where(
        yes(f), r.normal(50, 9, len(f)), r.normal(50, 9, len(f)).round(1)
    ),
    "numbers given out by outcome": lambda f, r: np.where(yes(f), 0, 10**6) + r.permutation(len(f)),
    "a one-to-one code": lambda f, r: np.where(yes(f), 7, 3),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_how_a_value_is_written_tells_too(name: str, look: Look) -> None:
    test, training = pair(WRITTEN[name])
    assert leaks(look(test, training)) == {"suspect"}


def test_two_columns_made_from_the_label_do_not_vouch_for_one_another(look: Look) -> None:
    test, training = pair(lambda f, r: yes(f) + r.normal(0, 0.2, len(f)))
    both = [
        frame.assign(other=yes(frame) * 2.0 + np.random.default_rng(len(frame)).normal(0, 0.4, len(frame)))
        for frame in (test, training)
    ]
    assert leaks(look(*both)) == {"suspect", "other"}


def test_what_production_does_not_have_is_named(contract: MakeContract, data_set: MakeDataSet) -> None:
    from sekisho.probes.resources.tables import ProductionSample

    asked = contract(data={"target": "label", "unavailable": ("plan",)})
    test, training = churn(800, 1), churn(2_000, 2)
    recent = churn(300, 3).drop(columns=["label", "calls"]).assign(usage=np.nan)
    found = leakage.measure(
        asked.quality,
        asked.data,
        data_set(test, TestSet, asked),
        data_set(training, TrainingSet, asked),
        None,
        data_set(recent, ProductionSample, asked),
        Progress(),
    )
    assert isinstance(found, Leakage)
    assert {each.feature: each.why for each in found.unavailable} == {
        "plan": "declared",
        "calls": "absent",
        "usage": "empty",
    }


def test_a_value_in_another_scale_is_found(look: Look) -> None:
    made = []
    for rows, seed in ((800, 1), (3_000, 2)):
        random = np.random.default_rng(seed)
        size = random.uniform(20, 120, rows)
        price = 3_000 * size + random.normal(0, 40_000, rows)
        made.append(pd.DataFrame({"size": size, "code": np.exp(price / 30_000), "label": price}))
    assert leaks(look(*made)) == {"code"}


def test_one_strong_feature_is_no_leak(look: Look) -> None:
    # Two normal distributions 2.087 standard deviations apart: the area under the curve is 0.93.
    test, training = pair(lambda f, r: 2.087 * yes(f) + r.normal(size=len(f)))
    found = look(test, training)
    assert found.features[0].feature == "suspect"
    assert found.features[0].score == pytest.approx(0.93, abs=0.015)
    assert leaks(found) == set()


def test_an_easy_problem_is_no_leak(look: Look) -> None:
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer(as_frame=True)
    frame = data.data.assign(label=data.target).sample(frac=1.0, random_state=1)
    assert leaks(look(frame.iloc[:220], frame.iloc[220:])) == set()


def test_two_strong_features_of_one_thing_are_no_leak(look: Look) -> None:
    from sklearn.datasets import load_iris

    data = load_iris(as_frame=True)  # the length and the width of a petal each tell the kind nearly alone
    frame = data.data.assign(label=data.target).sample(frac=1.0, random_state=1)
    assert leaks(look(frame.iloc[:70], frame.iloc[70:])) == set()


def test_a_value_made_from_the_target_is_found(look: Look) -> None:
    made = []
    for rows, seed in ((800, 1), (3_000, 2)):
        random = np.random.default_rng(seed)
        size = random.uniform(20, 120, rows)
        price = 3_000 * size + random.normal(0, 40_000, rows)
        made.append(pd.DataFrame({"size": size, "tax": price * 0.1 + random.normal(0, 200, rows), "label": price}))
    test, training = made
    assert leaks(look(test, training)) == {"tax"}
    honest = look(test.drop(columns="tax"), training.drop(columns="tax"))
    assert honest.features[0].score == pytest.approx(0.82, abs=0.06)
    assert leaks(honest) == set()


def test_several_classes(look: Look) -> None:
    made = []
    for rows, seed in ((900, 1), (2_000, 2)):
        random = np.random.default_rng(seed)
        label = random.integers(0, 4, rows)
        made.append(pd.DataFrame({"x": label * 0.5 + random.normal(size=rows), "code": label * 10, "label": label}))
    assert leaks(look(*made)) == {"code"}


def test_a_target_without_a_difference_is_not_measured(look: Look) -> None:
    frame = churn(200, 1).assign(label="no")
    with pytest.raises(NotMeasured):
        look(frame, None)
