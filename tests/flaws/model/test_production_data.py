"""Known flaws of quality/production-data, and kinds like them: each must fail, and what it was made from must pass."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tests.flaws.model.builder import Deployment

from sekisho.gate.report import Item
from sekisho.gate.verdict import Status

BOX = "quality/production-data"
TODAY = dt.datetime.now(dt.UTC).date()
NUMERIC = ["income", "temperature", "waited", "share"]
WORDS = ["plan", "member", "since"]
Change = Callable[[pd.DataFrame], pd.DataFrame]


def people(first: dt.date, days: int, *, count: int = 900, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    moments = pd.Timestamp(first) + pd.to_timedelta(random.integers(0, days, count), unit="D")
    income = random.lognormal(8, 0.4, count)
    return pd.DataFrame(
        {
            "at": moments.strftime("%Y-%m-%dT%H:%M:%S"),
            "income": income.round(2),
            "temperature": random.normal(18, 6, count).round(1),
            "waited": random.gamma(3, 20, count).round(3),
            "share": random.beta(2, 5, count).round(4),
            "plan": random.choice(["basic", "plus", "pro"], count),
            "member": random.choice(["yes", "no"], count),
            "since": (
                pd.Timestamp("2015-01-01") + pd.to_timedelta(random.integers(0, 40, count) * 30, unit="D")
            ).strftime("%Y-%m-%d"),
            "label": np.where(np.log(income) + random.normal(0, 0.3, count) > 8, "good", "bad"),
        }
    )


def ago(days: int) -> dt.date:
    return TODAY - dt.timedelta(days=days)


TRAINING = people(ago(500), 400, count=1_500, seed=1)
TEST = people(ago(95), 60, seed=2)
PRODUCTION = people(ago(31), 30, seed=3)


def model() -> Any:
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), NUMERIC),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), WORDS),
    )
    return make_pipeline(columns, LogisticRegression())


def judged(deployment: Deployment, production: pd.DataFrame, test: pd.DataFrame = TEST, **data: Any) -> Item:
    if not (deployment.root / "artifact").exists():
        deployment.pack(model(), TRAINING, without=("at",))
    deployment.tables(test, TRAINING)
    production.to_csv(deployment.root / "production.csv", index=False)
    deployment.contract["data"] = {
        "training": "training.csv",
        "test": "test.csv",
        "production": "production.csv",
        "target": "label",
        "time": "at",
        "production_window": "one request in a hundred of the last month, drawn by the gateway",
    } | data
    return deployment.judge(BOX)


def test_f13a_validation_set_two_years_old(deployment: Deployment) -> None:
    old = people(ago(800), 60, seed=2)
    item = judged(deployment, PRODUCTION, old)
    assert item.status is Status.FAIL
    assert "days apart" in item.verdict.summary.en
    item = judged(deployment, PRODUCTION)
    assert item.status is Status.PASS, item.verdict.summary.en


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A project whose model is packed once."""
    return Deployment(tmp_path_factory.mktemp("production"))


def some(frame: pd.DataFrame, share: float, seed: int = 9) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.random.default_rng(seed).random(len(frame)) < share


def with_some(name: str, share: float, value: object) -> Change:
    """Return a change that writes a value into some cells of a column."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        column = frame[name].astype(object)
        column[some(frame, share)] = value
        return frame.assign(**{name: column})

    return change


def times(factor: float, name: str = "income", shift: float = 0.0) -> Change:
    return lambda frame: frame.assign(**{name: frame[name] * factor + shift})


FLAWS: dict[str, tuple[Change, str]] = {
    "cents for whole currency": (times(100), "cents"),
    "seconds became milliseconds": (times(1_000, "waited"), "milliseconds"),
    "pounds became kilograms": (times(0.45359237, "waited"), "kilograms"),
    "inches became millimetres": (times(25.4, "waited"), "millimetres"),
    "Celsius became Fahrenheit": (times(1.8, "temperature", 32), "Fahrenheit"),
    "shares became percent": (times(100, "share"), "percent"),
    "one client in ten sends cents": (
        lambda frame: frame.assign(income=frame["income"] * np.where(some(frame, 0.1), 100, 1)),
        "income",
    ),
    "truths became numbers": (
        lambda frame: frame.assign(member=(frame["member"] == "yes").astype(int)),
        "member",
    ),
    "categories in capitals": (lambda frame: frame.assign(plan=frame["plan"].str.upper()), "spelled"),
    "categories cut short": (
        lambda frame: frame.assign(plan=frame["plan"].replace({"basic": "bas", "plus": "plu"})),
        "spelled",
    ),
    "dates turned round": (
        lambda frame: frame.assign(since=pd.to_datetime(frame["since"]).dt.strftime("%d/%m/%Y")),
        "since",
    ),
    "numbers with marks of thousands": (
        lambda frame: frame.assign(income=frame["income"].map("{:,.2f}".format)),
        "words",
    ),
    "-999 for nothing": (with_some("temperature", 0.03, -999), "-999"),
    "zero for nothing": (with_some("income", 0.15, 0), "0 stands"),
    "a word for nothing": (with_some("plan", 0.05, "unknown"), "unknown"),
    "nulls surge": (with_some("income", 0.2, None), "missing"),
    "a column is not sent": (lambda frame: frame.drop(columns="share"), "share"),
    "a new category": (with_some("plan", 0.2, "family"), "plan"),
    "the test file renamed": (lambda _: TEST, "test set"),
    "the test file with other times": (lambda frame: TEST.assign(at=frame["at"].to_numpy()), "test set"),
    "the training file renamed": (lambda _: TRAINING, "training set"),
    "rows of the test file among them": (lambda frame: pd.concat([frame, TEST.head(500)]), "test set"),
    "a block there twice": (lambda frame: pd.concat([frame, frame.head(300)]), "more than once"),
    "rows of the future": (
        lambda frame: frame.assign(at=frame["at"].where(~some(frame, 0.05), f"{ago(-40)}T00:00:00")),
        "future",
    ),
    "times that are not there": (with_some("at", 0.4, None), "no time"),
    "zones on some times": (
        lambda frame: frame.assign(at=frame["at"] + np.where(some(frame, 0.5), "+09:00", "")),
        "zone",
    ),
    "labels moved": (
        lambda frame: frame[(frame["label"] == "good") | some(frame, 0.3)],
        "labels",
    ),
    "income fell": (times(0.75), "income"),
}


@pytest.mark.slow
@pytest.mark.parametrize("flaw", FLAWS)
def test_other_production_is_not_passed(flaw: str, project: Deployment) -> None:
    change, word = FLAWS[flaw]
    item = judged(project, change(PRODUCTION.copy()))
    assert item.status is Status.FAIL, item.verdict.summary.en
    assert word in item.verdict.summary.en


CLEAN: dict[str, tuple[Change, dict[str, Any]]] = {
    "another sample": (lambda _: people(ago(20), 19, count=600, seed=8), {}),
    "without labels": (lambda frame: frame.drop(columns="label"), {}),
    "columns in another order": (lambda frame: frame[frame.columns[::-1]], {}),
    "a few nulls": (with_some("income", 0.004, None), {}),
    "a little drift": (times(1.03), {}),
    "one row asked twice": (lambda frame: pd.concat([frame, frame.head(3)]), {}),
    "a rare category": (with_some("plan", 0.002, "family"), {}),
    "recorded long ago and said so": (
        lambda frame: frame,
        {"as_of": TODAY + dt.timedelta(days=300)},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("twin", CLEAN)
def test_a_clean_twin_passes(twin: str, project: Deployment) -> None:
    change, data = CLEAN[twin]
    item = judged(project, change(PRODUCTION.copy()), **data)
    assert item.status is Status.PASS, item.verdict.summary.en


@pytest.mark.slow
def test_what_cannot_be_known_is_unknown(project: Deployment) -> None:
    cases: tuple[tuple[pd.DataFrame, dict[str, Any], str], ...] = (
        (PRODUCTION.head(40), {}, "too few"),
        (PRODUCTION, {"production_window": None}, "production_window"),
        (PRODUCTION, {"time": None}, "signed"),
        (PRODUCTION.drop(columns="at"), {}, "no column"),
        (PRODUCTION.assign(at="some day"), {}, "cannot be read"),
    )
    for production, data, word in cases:
        item = judged(project, production, **data)
        assert item.status is Status.UNKNOWN, item.verdict.summary.en
        assert word in item.verdict.summary.en


@pytest.mark.slow
def test_a_sample_that_is_two_years_old_itself_fails(project: Deployment) -> None:
    item = judged(project, people(ago(760), 20, seed=3), people(ago(830), 60, seed=2))
    assert item.status is Status.FAIL
    assert "before" in item.verdict.summary.en
