"""Known flaws of quality/requirements: scores that are luck, carried by the majority, or worse than what is live or plain."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from tests.flaws.model.builder import Deployment, Scaled, both

from sekisho.gate.verdict import Status

BOX = "quality/requirements"


def status_of(deployment: Deployment, expected: Status, words: str = "") -> None:
    deployment.contract["quality"]["resamples"] = 400
    item = deployment.judge(BOX)
    assert item.status is expected, item.verdict.summary.en
    assert words in item.verdict.summary.en


def visits(rows: int, seed: int, *, turned: float = 0.0) -> pd.DataFrame:
    """Return visits of four regions; in the north, the label of ``turned`` of them is the opposite."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": random.normal(size=rows), "y": random.normal(size=rows)})
    frame["north"], frame["south"] = (random.random(rows) < 0.2).astype(int), random.integers(0, 2, rows)
    label = random.random(rows) < 1 / (1 + np.exp(-3 * frame["x"] - frame["y"]))
    flipped = (frame["north"] == 1) & (random.random(rows) < turned)
    return frame.assign(label=(label ^ flipped).astype(int))


def test_f11a_accuracy_carried_by_the_majority_class(deployment: Deployment, scaled: Scaled) -> None:
    test, training = both(gap=0.8, share=0.05, rows=4_000)
    deployment.tables(test, training)
    deployment.contract["quality"] |= {"metric": "accuracy", "threshold": 0.94}
    deployment.pack(scaled(LogisticRegression()), training, without=("id",))
    status_of(deployment, Status.FAIL)

    test, training = both(gap=2.0, share=0.05, rows=4_000)
    deployment.tables(test, training)
    deployment.pack(scaled(LogisticRegression(class_weight="balanced")), training, without=("id",))
    for metric in ("accuracy", "balanced_accuracy"):
        deployment.contract["quality"] |= {"metric": metric, "threshold": 0.75}
        status_of(deployment, Status.PASS)


def test_f11b_threshold_met_by_luck_on_a_tiny_test_set(deployment: Deployment, scaled: Scaled) -> None:
    test, training = both(gap=2.9, share=0.5, rows=4_000)
    deployment.pack(scaled(LogisticRegression()), training, without=("id",))
    deployment.contract["quality"] |= {"metric": "accuracy", "threshold": 0.90}
    deployment.tables(test.head(40), training)
    item = deployment.judge(BOX)
    assert item.verdict.figures["score"] == pytest.approx(0.9, abs=0.06)
    assert item.status is Status.FAIL
    deployment.tables(test, training)
    status_of(deployment, Status.PASS)


@pytest.mark.slow
@pytest.mark.parametrize(("metric", "threshold"), [("roc_auc", 0.8), ("f1", 0.72), ("log_loss", 0.6)])
def test_other_scores_are_luck_on_few_rows_too(
    metric: str, threshold: float, deployment: Deployment, scaled: Scaled
) -> None:
    test, training = both(gap=1.6, share=0.5, rows=3_000)
    deployment.pack(scaled(LogisticRegression()), training, without=("id",))
    deployment.contract["quality"] |= {"metric": metric, "threshold": threshold}
    deployment.tables(test.head(25), training)
    status_of(deployment, Status.FAIL)
    deployment.tables(test, training)
    status_of(deployment, Status.PASS)


@pytest.mark.slow
def test_a_class_that_is_never_answered_hides_behind_the_others(deployment: Deployment) -> None:
    def three(rows: int, seed: int, rare: float) -> pd.DataFrame:
        random = np.random.default_rng(seed)
        label = random.choice([0, 1, 2], rows, p=[0.48, 0.48, 0.04])
        place = np.array([[-2.0, 0.0], [2.0, 0.0], [0.0, rare]])[label]
        noise = random.normal(0, 0.7, (rows, 2))
        return pd.DataFrame({"x": place[:, 0] + noise[:, 0], "y": place[:, 1] + noise[:, 1], "label": label})

    deployment.contract["quality"] |= {"metric": "accuracy", "threshold": 0.9}
    for rare, status in ((0.0, Status.FAIL), (4.0, Status.PASS)):
        test, training = three(3_000, 1, rare), three(2_000, 2, rare)
        if status is Status.FAIL:  # the model has only ever seen two of them
            training = pd.concat([training[training["label"] < 2], training[training["label"] == 2].head(3)])
        deployment.tables(test, training)
        deployment.pack(LogisticRegression(), training)
        status_of(deployment, status, "carried by the majority" if status is Status.FAIL else "")


@pytest.mark.slow
def test_a_floor_for_every_class(deployment: Deployment, scaled: Scaled) -> None:
    test, training = both(gap=2.2, share=0.3, rows=4_000)
    deployment.tables(test, training)
    deployment.contract["quality"] |= {"metric": "accuracy", "threshold": 0.8, "class_minimum": 0.75}
    deployment.pack(scaled(LogisticRegression(class_weight={0: 5, 1: 1})), training, without=("id",))
    status_of(deployment, Status.FAIL, "every class must surely reach")
    deployment.pack(scaled(LogisticRegression(class_weight="balanced")), training, without=("id",))
    status_of(deployment, Status.PASS)


def test_worse_than_the_champion(deployment: Deployment, scaled: Scaled) -> None:
    test, training = both(gap=1.5, rows=3_000)
    helpful = [
        frame.assign(z=np.random.default_rng(len(frame)).normal(frame["label"] * 1.0, 1)) for frame in (test, training)
    ]
    deployment.tables(*helpful)
    deployment.contract["quality"] |= {"metric": "roc_auc", "threshold": 0.75, "champion": "champion"}
    deployment.pack(scaled(LogisticRegression()), helpful[1], without=("id",))
    shutil.copytree(deployment.root / "artifact", deployment.root / "champion")
    status_of(deployment, Status.PASS, "")  # the champion itself
    deployment.pack(scaled(LogisticRegression()), helpful[1], without=("id", "z"))
    status_of(deployment, Status.FAIL, "worse than the champion")
    deployment.pack(scaled(LogisticRegression(C=0.3)), helpful[1].tail(1_800), without=("id",))
    status_of(deployment, Status.PASS, "not worse than the champion")
    shutil.rmtree(deployment.root / "champion")
    status_of(deployment, Status.UNKNOWN, "could not be compared")


def test_a_segment_in_which_the_model_is_turned_round(deployment: Deployment) -> None:
    deployment.contract["quality"] |= {"metric": "accuracy", "threshold": 0.6}
    test, forest = visits(5_000, 1), RandomForestClassifier(12, max_depth=8, random_state=1)
    for turned, status in ((1.0, Status.FAIL), (0.0, Status.PASS)):
        training = visits(3_000, 2, turned=turned)
        deployment.tables(test, visits(3_000, 2))
        deployment.pack(forest, training)
        status_of(deployment, status, "north = 1" if status is Status.FAIL else "")


@pytest.mark.slow
def test_a_declared_segment_below_its_floor(deployment: Deployment) -> None:
    deployment.contract["quality"] |= {
        "metric": "accuracy",
        "threshold": 0.6,
        "slices": ("north = 1",),
        "slice_minimum": 0.7,
    }
    model = RandomForestClassifier(12, max_depth=8, random_state=1)
    for turned, status in ((0.4, Status.FAIL), (0.0, Status.PASS)):  # in the north labels are hardly more than noise
        test, training = visits(5_000, 1, turned=turned), visits(3_000, 2, turned=turned)
        deployment.tables(test, training)
        deployment.pack(model, training)
        status_of(deployment, status, "north = 1" if status is Status.FAIL else "")
    deployment.contract["quality"] |= {"slices": ("nowhere = 1",)}
    status_of(deployment, Status.UNKNOWN)


def test_probabilities_that_are_too_sure(deployment: Deployment, scaled: Scaled) -> None:
    test, training = both(gap=1.0, rows=4_000)
    random = np.random.default_rng(3)
    wide = [
        frame.assign(**{f"x{place}": frame["x"] + random.normal(0, 0.05, len(frame)) for place in range(6)})
        for frame in (test, training)
    ]
    deployment.tables(*wide)
    deployment.contract["quality"] |= {"metric": "roc_auc", "threshold": 0.7, "largest_calibration_error": 0.05}
    deployment.pack(GaussianNB(), wide[1], without=("id",))
    status_of(deployment, Status.FAIL, "stated probabilities are off")
    deployment.pack(scaled(LogisticRegression()), wide[1], without=("id",))
    status_of(deployment, Status.PASS)


def homes(rows: int, seed: int, *, least: float = 1.0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    size = random.uniform(20, 120, rows)
    return pd.DataFrame({"size": size, "label": np.maximum(least, 3.0 * size + random.normal(0, 20, rows))})


def test_a_value_that_is_always_the_mean(deployment: Deployment) -> None:
    test, training = homes(1_500, 1), homes(2_000, 2)
    deployment.tables(test, training)
    deployment.contract["quality"] |= {"metric": "rmse", "threshold": 100.0}
    deployment.pack(DummyRegressor(), training)
    status_of(deployment, Status.FAIL, "constant answer")
    deployment.pack(LinearRegression(), training)
    status_of(deployment, Status.PASS)
    deployment.contract["quality"] |= {"threshold": 20.5}
    deployment.tables(test.head(30), training)
    status_of(deployment, Status.FAIL)


@pytest.mark.slow
def test_a_fraction_of_values_that_may_be_zero(deployment: Deployment) -> None:
    training = homes(2_000, 2, least=0.0)
    test = homes(1_500, 1).assign(label=lambda frame: np.where(np.arange(len(frame)) % 20 == 0, 0.0, frame["label"]))
    deployment.tables(test, training)
    deployment.pack(LinearRegression(), training)
    deployment.contract["quality"] |= {"metric": "mape", "threshold": 0.3}
    status_of(deployment, Status.UNKNOWN, "divides by the right value")
    deployment.contract["quality"] |= {"metric": "wape", "threshold": 0.3}
    status_of(deployment, Status.PASS)


@pytest.mark.slow
def test_one_of_several_requirements_is_not_met(deployment: Deployment, scaled: Scaled) -> None:
    test, training = both(gap=2.0, share=0.3, rows=4_000)
    deployment.tables(test, training)
    deployment.pack(scaled(LogisticRegression()), training, without=("id",))
    further: list[dict[str, Any]] = [
        {"metric": "recall", "threshold": 0.85, "reason": "a missed case is found too late"},
        {"metric": "precision", "threshold": 0.7, "reason": "each alarm takes an hour"},
    ]
    deployment.contract["quality"] |= {"metric": "roc_auc", "threshold": 0.85, "requirements": further}
    status_of(deployment, Status.FAIL, "recall is")
    deployment.contract["quality"] |= {"requirements": [further[0] | {"threshold": 0.65}, further[1]]}
    status_of(deployment, Status.PASS)
    deployment.contract["quality"] |= {"requirements": [further[0] | {"metric": "recal"}]}
    status_of(deployment, Status.UNKNOWN, "quality.requirements")


@pytest.mark.slow
def test_a_plain_model_is_much_better(deployment: Deployment, scaled: Scaled) -> None:
    test, training = both(gap=1.4, share=0.5, rows=4_000)
    random = np.random.default_rng(4)
    noisy = [
        frame.assign(**{f"n{place}": random.normal(size=len(frame)) for place in range(6)})
        for frame in (test, training)
    ]
    deployment.tables(*noisy)
    deployment.contract["quality"] |= {"metric": "accuracy", "threshold": 0.6}
    deployment.pack(
        DecisionTreeClassifier(random_state=1), noisy[1], without=("id",)
    )  # grown until it knows all by heart
    status_of(deployment, Status.FAIL, "is surely better")
    deployment.pack(scaled(LogisticRegression()), noisy[1], without=("id",))
    status_of(deployment, Status.PASS)


@pytest.mark.slow
@pytest.mark.parametrize("words", [("no", "yes"), (False, True), (3, 7)])
def test_the_wrong_class_counts_as_positive(words: tuple[Any, Any], deployment: Deployment, scaled: Scaled) -> None:
    test, training = (
        frame.assign(label=frame["label"].map(dict(enumerate(words)))) for frame in both(gap=1.8, share=0.2, rows=4_000)
    )
    deployment.tables(test, training)
    deployment.pack(scaled(LogisticRegression()), training, without=("id",))
    deployment.contract["quality"] |= {"metric": "recall", "threshold": 0.85}
    deployment.contract["data"]["positive"] = words[0]
    status_of(deployment, Status.PASS)
    deployment.contract["data"]["positive"] = words[1]
    status_of(deployment, Status.FAIL)


@pytest.mark.slow
def test_a_test_set_of_one_class_proves_nothing(deployment: Deployment, scaled: Scaled) -> None:
    test, training = both(gap=2.5, rows=2_000)
    deployment.pack(scaled(LogisticRegression()), training, without=("id",))
    for metric in ("accuracy", "balanced_accuracy", "roc_auc"):
        deployment.contract["quality"] |= {"metric": metric, "threshold": 0.6}
        deployment.tables(test[test["label"] == 1], training)
        assert deployment.judge(BOX).status in {Status.FAIL, Status.UNKNOWN}, metric
        deployment.tables(test, training)
        status_of(deployment, Status.PASS)
