"""Known flaws of quality/test-evaluation: what the test set shares with the training set, and features that know the answer.

Most are flaws of the tables alone: no artifact is packed where none is looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from tests.flaws.model.builder import Deployment, Scaled, both

from sekisho.gate.verdict import Status

BOX = "quality/test-evaluation"
Pair = tuple[pd.DataFrame, pd.DataFrame]


def judged(
    deployment: Deployment, test: pd.DataFrame, training: pd.DataFrame, expected: Status, words: str = ""
) -> None:
    deployment.tables(test, training)
    item = deployment.judge(BOX)
    assert item.status is expected, item.verdict.summary.en
    assert words in item.verdict.summary.en, item.verdict.summary.en


def claims(rows: int, seed: int) -> pd.DataFrame:
    """Return insurance claims; how much was claimed and when tell a little about whether they were refused."""
    random = np.random.default_rng(seed)
    amount, age = random.lognormal(6, 0.7, rows), random.integers(18, 90, rows)
    score = 0.8 * (np.log(amount) - 6) + 0.02 * (age - 50) + random.normal(0, 0.8, rows)
    return pd.DataFrame(
        {
            "amount": amount.round(2),
            "age": age,
            "height": random.normal(170, 9, rows).round(1),
            "city": random.choice(["Osaka", "Kobe", "Nara"], rows),
            "label": np.where(score > 0.4, "refused", "paid"),
        }
    )


def refused(frame: pd.DataFrame) -> np.ndarray:
    return (frame["label"] == "refused").to_numpy()


@pytest.fixture(scope="module")
def tables() -> Pair:
    return claims(1_200, 1), claims(3_000, 2)


def with_column(tables: Pair, name: str, make: Callable[[pd.DataFrame, np.random.Generator], Any]) -> Pair:
    test, training = tables
    return test.assign(**{name: make(test, np.random.default_rng(11))}), training.assign(
        **{name: make(training, np.random.default_rng(12))}
    )


def test_f12a_test_rows_inside_the_training_set(deployment: Deployment, scaled: Scaled) -> None:
    test, training = both()
    deployment.contract["data"]["identifier"] = "id"
    deployment.pack(scaled(LogisticRegression()), training, without=("id",))
    copied = test.sample(frac=0.2, random_state=1)
    judged(deployment, test, pd.concat([training, copied]), Status.FAIL)
    # Readings that look alike and were taken of other cases.
    others = copied.assign(id=np.arange(len(copied)) * 17 + 5)
    judged(deployment, test, pd.concat([training, others]), Status.PASS)


def test_f12b_label_leaks_through_a_feature(deployment: Deployment, scaled: Scaled) -> None:
    test, training = (
        frame.assign(refund=np.where(frame["label"] == 1, 20 + frame["y"], 0.0)) for frame in both(gap=0.8)
    )
    deployment.contract["data"]["ignored"] = ("id",)
    deployment.pack(scaled(LogisticRegression()), training, without=("id",))
    judged(deployment, test, training, Status.FAIL, "refund")

    random = np.random.default_rng(3)
    test, training = (
        frame.assign(strong=2.087 * frame["label"] + random.normal(size=len(frame))) for frame in both(gap=0.8)
    )
    deployment.pack(scaled(LogisticRegression()), training, without=("id",))
    deployment.tables(test, training)
    item = deployment.judge(BOX)
    assert item.status is Status.PASS, item.verdict.summary.en
    assert item.verdict.figures["best_feature_score"] == pytest.approx(0.93, abs=0.02)


COPIES: dict[str, Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]] = {
    "as they are": lambda f, r: f,
    "with a little noise": lambda f, r: f.assign(amount=f["amount"] * (1 + r.normal(0, 1e-4, len(f)))),
    "rounded": lambda f, r: f.assign(amount=f["amount"].round(-2)),
    "in another currency": lambda f, r: f.assign(amount=f["amount"] * 150),
    "with the label corrected": lambda f, r: f.assign(label=np.where(refused(f), "paid", "refused")),
    "with words in capitals": lambda f, r: f.assign(city=f["city"].str.upper() + " "),
    "with columns in another order": lambda f, r: f[f.columns[::-1]],
    "with one word drawn anew": lambda f, r: f.assign(city=r.choice(["Osaka", "Kobe", "Nara"], len(f))),
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_of_test_rows(name: str, deployment: Deployment, tables: Pair) -> None:
    test, training = tables
    copied = COPIES[name](test.sample(frac=0.2, random_state=1), np.random.default_rng(4))
    judged(deployment, test, pd.concat([training, copied], ignore_index=True), Status.FAIL)


def test_independent_rows_of_one_kind_pass(deployment: Deployment, tables: Pair) -> None:
    judged(deployment, *tables, Status.PASS)
    # As many rows again that are only like the others.
    judged(deployment, tables[0], pd.concat([tables[1], claims(600, 3)]), Status.PASS)


def test_a_few_coarse_columns_repeat_themselves(deployment: Deployment) -> None:
    def survey(rows: int, seed: int) -> pd.DataFrame:
        random = np.random.default_rng(seed)
        frame = pd.DataFrame({f"q{place}": random.integers(1, 6, rows) for place in range(4)})
        return frame.assign(label=(frame["q0"] + random.normal(0, 1.5, rows) > 3).astype(int))

    judged(deployment, survey(1_500, 1), survey(4_000, 2), Status.PASS)
    # One fine column more, and rows that are the same have been copied.
    test, training = (
        frame.assign(minutes=np.random.default_rng(len(frame)).gamma(2, 9, len(frame)))
        for frame in (survey(1_500, 1), survey(4_000, 2))
    )
    judged(deployment, test, training, Status.PASS)
    judged(deployment, test, pd.concat([training, test.head(150)]), Status.FAIL)


def test_the_same_household_on_both_sides(deployment: Deployment, tables: Pair) -> None:
    test, training = tables
    deployment.contract["data"]["group"] = "household"
    random = np.random.default_rng(5)
    training = training.assign(household=random.integers(0, 900, len(training)))
    judged(deployment, test.assign(household=random.integers(0, 900, len(test))), training, Status.FAIL, "group")
    judged(deployment, test.assign(household=random.integers(900, 1_200, len(test))), training, Status.PASS)


@pytest.mark.slow
def test_the_same_patient_seen_again(deployment: Deployment, tables: Pair) -> None:
    test, training = tables
    deployment.contract["data"]["identifier"] = "patient"
    random = np.random.default_rng(6)
    training = training.assign(patient=[f"P{number}" for number in random.integers(0, 900, len(training))])
    again = test.assign(patient=[f"P{number}" for number in random.integers(0, 900, len(test))])
    others = test.assign(patient=[f"P{number}" for number in random.integers(2_000, 2_900, len(test))])
    judged(deployment, again, training, Status.FAIL, "patient")
    judged(deployment, others, training, Status.PASS)


def test_the_future_was_learned(deployment: Deployment, tables: Pair) -> None:
    def in_days(frame: pd.DataFrame, first: str) -> pd.DataFrame:
        days = pd.Timestamp(first) + pd.to_timedelta(np.arange(len(frame)) % 90, unit="D")
        return frame.assign(day=days.strftime("%Y-%m-%d"))

    deployment.contract["data"]["time"] = "day"
    training = in_days(tables[1], "2026-01-01")
    judged(deployment, in_days(tables[0], "2025-09-01"), training, Status.FAIL, "before the last training row")
    judged(deployment, in_days(tables[0], "2026-02-01"), training, Status.FAIL)
    judged(deployment, in_days(tables[0], "2026-04-01"), training, Status.PASS)


LEAKS: dict[str, Callable[[pd.DataFrame, np.random.Generator], Any]] = {
    "missing unless it was refused": lambda f, r: np.where(refused(f), r.uniform(1, 9, len(f)), np.nan),
    "an identifier given out by outcome": lambda f, r: np.where(refused(f), 0, 500_000) + r.permutation(len(f)),
    "the outcome in another code": lambda f, r: np.where(refused(f), "R2", "P1"),
    "a case number that begins with the outcome": lambda f, r: [
        f"{'R' if one else 'P'}{number}"
        for one, number in zip(refused(f), r.integers(10**6, 10**7, len(f)), strict=True)
    ],
    "a letter sent after the decision": lambda f, r: np.where(refused(f) & (r.random(len(f)) < 0.98), "sent", "none"),
}
TWINS: dict[str, Callable[[pd.DataFrame, np.random.Generator], Any]] = {
    "missing at random": lambda f, r: np.where(r.random(len(f)) < 0.5, r.uniform(1, 9, len(f)), np.nan),
    "an identifier in order of arrival": lambda f, r: r.permutation(len(f)) + 10**6,
    "a code of its own": lambda f, r: r.choice(["R2", "P1"], len(f)),
    "a case number that means nothing": lambda f, r: [f"C{number}" for number in r.integers(10**6, 10**7, len(f))],
    "a strong sign": lambda f, r: 1.9 * refused(f) + r.normal(0, 1, len(f)),
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_column_that_knows_the_answer(name: str, deployment: Deployment, tables: Pair) -> None:
    judged(deployment, *with_column(tables, "extra", LEAKS[name]), Status.FAIL, "extra")


@pytest.mark.slow
@pytest.mark.parametrize("name", TWINS)
def test_a_column_of_the_same_form_that_does_not(name: str, deployment: Deployment, tables: Pair) -> None:
    judged(deployment, *with_column(tables, "extra", TWINS[name]), Status.PASS)


@pytest.mark.slow
def test_a_mean_of_the_label_taken_over_all_rows(deployment: Deployment, tables: Pair) -> None:
    """Each shop's share of refusals, with the row's own label in it; and with the labels of the training rows only."""
    test, training = tables
    random = np.random.default_rng(7)
    sides = {
        "test": test.assign(shop=random.integers(0, 3_000, len(test))),
        "training": training.assign(shop=random.integers(0, 3_000, len(training))),
    }
    whole = pd.concat(sides.values())
    shares = whole.assign(share=refused(whole)).groupby("shop")["share"].mean()
    leaking = [frame.assign(share=frame["shop"].map(shares)).drop(columns="shop") for frame in sides.values()]
    judged(deployment, leaking[0], leaking[1], Status.FAIL, "share")
    known = training.assign(shop=sides["training"]["shop"], share=refused(training))
    sums, counts = known.groupby("shop")["share"].transform("sum"), known.groupby("shop")["share"].transform("count")
    honest_training = training.assign(share=(sums - known["share"] + 0.4) / counts)  # without the row's own label
    means = known.groupby("shop")["share"].mean()
    honest_test = test.assign(share=sides["test"]["shop"].map(means).fillna(0.4))
    judged(deployment, honest_test, honest_training, Status.PASS)


def test_a_value_made_from_the_target(deployment: Deployment) -> None:
    def homes(rows: int, seed: int) -> pd.DataFrame:
        random = np.random.default_rng(seed)
        size, rooms = random.uniform(20, 120, rows), random.integers(1, 6, rows)
        price = 3.0 * size + 12 * rooms + random.normal(0, 45, rows)
        return pd.DataFrame({"size": size, "rooms": rooms, "label": price})

    test, training = homes(900, 1), homes(3_000, 2)
    judged(deployment, test, training, Status.PASS)
    scale = [frame.assign(band=np.exp(frame["label"] / 80)) for frame in (test, training)]
    judged(deployment, scale[0], scale[1], Status.FAIL, "band")
    judged(deployment, test, pd.concat([training, test.sample(frac=0.2, random_state=1)]), Status.FAIL)


def test_a_feature_that_nobody_has_in_time(deployment: Deployment, scaled: Scaled) -> None:
    test, training = (frame.drop(columns="id") for frame in both())
    deployment.pack(scaled(LogisticRegression()), training)
    deployment.contract["data"]["unavailable"] = ("y",)
    judged(deployment, test, training, Status.FAIL, "moment of prediction")
    deployment.contract["data"]["unavailable"] = ("z",)
    judged(deployment, test, training, Status.PASS)
    deployment.contract["data"]["production"] = "production.csv"
    for recent, status in (
        (test.assign(y=np.nan), Status.FAIL),
        (test.drop(columns="y"), Status.FAIL),
        (test, Status.PASS),
    ):
        recent.head(300).drop(columns="label").to_csv(deployment.root / "production.csv", index=False)
        judged(deployment, test, training, status)


def test_the_model_was_trained_on_the_test_set(deployment: Deployment, scaled: Scaled) -> None:
    test, training = (frame.drop(columns="id") for frame in both())
    deployment.pack(scaled(LogisticRegression()), test)
    judged(deployment, test, training, Status.FAIL, "made from the test set")
    deployment.pack(scaled(LogisticRegression()), training)
    judged(deployment, test, training, Status.PASS)


@pytest.mark.slow
def test_rows_that_are_there_twice_and_classes_that_are_hardly_there(deployment: Deployment, tables: Pair) -> None:
    test, training = tables
    judged(deployment, pd.concat([test, test.head(150)]), training, Status.FAIL, "repeat another")
    few = pd.concat([test[~refused(test)], test[refused(test)].head(20)])
    judged(deployment, few, training, Status.FAIL, "refused: 20")
    enough = pd.concat([test[~refused(test)], test[refused(test)].head(40)])
    judged(deployment, enough, training, Status.PASS)


def test_tiny_tables(deployment: Deployment) -> None:
    judged(deployment, claims(120, 1), claims(150, 2), Status.PASS)
    judged(deployment, claims(120, 1), pd.concat([claims(150, 2), claims(120, 1).head(12)]), Status.FAIL)
