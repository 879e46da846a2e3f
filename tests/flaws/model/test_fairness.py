"""Known flaws of quality/fairness, and kinds like them: each must fail, and its clean twin must pass."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from tests.flaws.model.builder import Deployment

from sekisho.gate.report import Item
from sekisho.gate.subject import artifact_digest
from sekisho.gate.verdict import Status

BOX = "quality/fairness"
TODAY = dt.datetime.now(dt.UTC).date()
Floats = np.ndarray[tuple[int], np.dtype[np.float64]]


def people(rows: int, seed: int) -> pd.DataFrame:
    """Return people of whom half would be approved, whoever they are."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "sex": random.choice(["female", "male"], rows),
            "region": random.choice(["north", "south"], rows),
            "age": random.integers(18, 90, rows),
        }
    )
    label = (random.random(rows) < 0.5).astype(int)
    return frame.assign(x=label + random.normal(0, 0.15, rows), label=label)


Change = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]


def approved(chance: Callable[[pd.DataFrame], Any]) -> Change:
    """Return a change after which each is approved, rightly, with some chance."""

    def change(frame: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
        label = (random.random(len(frame)) < chance(frame)).astype(int)
        return frame.assign(label=label, x=label + random.normal(0, 0.15, len(frame)))

    return change


def mistaken(chance: Callable[[pd.DataFrame], Any], where: int | None = None) -> Change:
    """Return a change after which the model answers some rows of a class wrong, with some chance."""

    def change(frame: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
        wrong = random.random(len(frame)) < chance(frame)
        wrong &= (frame["label"] == where) if where is not None else True
        return frame.assign(x=np.where(wrong, 1 - frame["label"], frame["label"]) + random.normal(0, 0.15, len(frame)))

    return change


def female(frame: pd.DataFrame) -> Any:
    return frame["sex"] == "female"


def crossed(frame: pd.DataFrame) -> Any:
    return female(frame) == (frame["region"] == "north")


SELECTION = ("selection_rate",)
BANDS = [{"attribute": "age", "cuts": [30.0, 65.0]}]
FLAWS: dict[str, tuple[Change, Change, dict[str, Any]]] = {
    "F15a selection rate differs by group": (
        approved(lambda frame: np.where(female(frame), 0.3, 0.6)),
        approved(lambda frame: np.where(female(frame), 0.558, 0.6)),
        {"attributes": ("sex",), "notions": SELECTION},
    ),
    "few are selected, and half as many": (
        approved(lambda frame: np.where(female(frame), 0.06, 0.12)),
        approved(lambda frame: np.full(len(frame), 0.25)),
        {"attributes": ("sex",), "notions": SELECTION},
    ),
    "each attribute alone is fair": (
        approved(lambda frame: np.where(crossed(frame), 0.65, 0.35)),
        approved(lambda frame: np.full(len(frame), 0.5)),
        {"attributes": ("sex", "region"), "notions": SELECTION},
    ),
    "the old are turned down": (
        approved(lambda frame: np.where(frame["age"] >= 65, 0.25, 0.55)),
        approved(lambda frame: np.full(len(frame), 0.55)),
        {"attributes": ("age",), "notions": SELECTION, "bands": BANDS},
    ),
    "those of whom nothing is known": (
        lambda frame, random: _unknown(frame, random, 0.2),
        lambda frame, random: _unknown(frame, random, 0.5),
        {"attributes": ("sex",), "notions": SELECTION},
    ),
    "the worthy of one group are turned down": (
        mistaken(lambda frame: np.where(female(frame), 0.3, 0.05), 1),
        mistaken(lambda frame: np.full(len(frame), 0.05), 1),
        {"attributes": ("sex",), "notions": ("true_positive_rate",)},
    ),
    "the innocent of one group are suspected": (
        mistaken(lambda frame: np.where(female(frame), 0.3, 0.05), 0),
        mistaken(lambda frame: np.full(len(frame), 0.05), 0),
        {"attributes": ("sex",), "notions": ("false_positive_rate",)},
    ),
    "errors gather in one group": (
        mistaken(lambda frame: np.where(female(frame), 0.25, 0.05)),
        mistaken(lambda frame: np.full(len(frame), 0.1)),
        {"attributes": ("sex",), "notions": ("error",)},
    ),
    "probabilities are wrong for one group": (
        mistaken(lambda frame: np.where(female(frame), 0.4, 0.0)),
        mistaken(lambda frame: np.full(len(frame), 0.02)),
        {"attributes": ("sex",), "notions": ("calibration",)},
    ),
}


def _unknown(frame: pd.DataFrame, random: np.random.Generator, chance: float) -> pd.DataFrame:
    """Return people of whom one in eight has not said their sex."""
    silent = random.random(len(frame)) < 0.125
    changed = approved(lambda rows: np.where(silent[: len(rows)], chance, 0.5))(frame, random)
    return changed.assign(sex=frame["sex"].mask(silent))


def judged(deployment: Deployment, test: pd.DataFrame, **fairness: Any) -> Item:
    if not (deployment.root / "artifact").exists():
        training = people(2_000, 2)
        deployment.pack(LogisticRegression(), training, without=("sex", "region", "age"))
        training.to_csv(deployment.root / "training.csv", index=False)
    test.to_csv(deployment.root / "test.csv", index=False)
    deployment.contract["fairness"] = {"reason": "equal access to credit"} | fairness
    return deployment.judge(BOX)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A project whose model is packed once; it never sees an attribute."""
    return Deployment(tmp_path_factory.mktemp("fairness"))


@pytest.mark.parametrize("flaw", FLAWS)
def test_a_flaw_fails_and_its_twin_passes(flaw: str, project: Deployment) -> None:
    unfair, fair, asked = FLAWS[flaw]
    item = judged(project, unfair(people(8_000, 1), np.random.default_rng(3)), **asked)
    assert item.status is Status.FAIL, item.verdict.summary.en
    item = judged(project, fair(people(8_000, 1), np.random.default_rng(3)), **asked)
    assert item.status is Status.PASS, item.verdict.summary.en


def test_f15c_fairness_report_for_another_model(project: Deployment) -> None:
    frame = people(8_000, 1)
    asked: dict[str, Any] = {"attributes": ("sex",), "notions": SELECTION}
    assert judged(project, frame, **asked).status is Status.PASS
    from sekisho.contract.loader import load_project

    digest = artifact_digest(load_project(project.root))
    other = "ab" * 32
    (project.root / "docs").mkdir(exist_ok=True)
    for name, text in {
        "fairness.json": '{"model": {"digest": "sha256:DIGEST"}, "gap": 0.01}',
        "docs/bias-audit.json": '{"subject": [{"digest": {"sha256": "DIGEST"}}]}',
        "docs/fairness.md": "# Fairness\n\nModel: sha256:DIGEST\n",
        "fairness-version.json": '{"model": {"name": "example", "version": "VERSION"}, "version": "9"}',
    }.items():
        report = project.root / name
        report.write_text(text.replace("DIGEST", other).replace("VERSION", "0.9.0"), encoding="utf-8")
        item = judged(project, frame, **asked)
        assert item.status is Status.FAIL, name
        assert "another model" in item.verdict.summary.en
        report.write_text(text.replace("DIGEST", str(digest)).replace("VERSION", "1.0.0"), encoding="utf-8")
        item = judged(project, frame, **asked)
        assert item.status is Status.PASS, item.verdict.summary.en
        report.unlink()


def test_what_few_rows_cannot_show_is_unknown(project: Deployment) -> None:
    item = judged(project, people(200, 1), attributes=("sex",), notions=SELECTION)
    assert item.status is Status.UNKNOWN
    assert "rows of the smaller group" in item.verdict.summary.en
    frame = approved(lambda rows: np.full(len(rows), 0.03))(people(1_500, 1), np.random.default_rng(3))
    item = judged(project, frame, attributes=("sex",), notions=SELECTION)
    assert item.status is Status.UNKNOWN
    assert "four fifths" in item.verdict.summary.en


def test_a_group_too_small_is_reported_and_one_of_unknowns_is_not_enough(project: Deployment) -> None:
    frame = people(8_000, 1)
    frame.loc[:19, "sex"] = "other"
    item = judged(project, frame, attributes=("sex",), notions=SELECTION)
    assert item.status is Status.PASS, item.verdict.summary.en
    assert item.verdict.figures["not_scored"] == 1
    hidden = frame.assign(sex=frame["sex"].where(frame.index % 2 == 0))
    item = judged(project, hidden, attributes=("sex",), notions=SELECTION)
    assert item.status is Status.UNKNOWN
    assert "not known of 50%" in item.verdict.summary.en


def test_what_stands_in_for_an_attribute_is_named(project: Deployment) -> None:
    random = np.random.default_rng(4)
    frame = people(8_000, 1)
    frame = frame.assign(sex=np.where(frame["x"] + random.normal(0, 0.2, len(frame)) > 0.5, "male", "female"))
    item = judged(project, frame, attributes=("sex",), notions=("true_positive_rate",), largest_gap=1.0)
    assert "x→sex" in str(item.verdict.figures["proxies"])
    assert "(score)→sex" in str(item.verdict.figures["proxies"])


def test_that_none_applies_is_signed_for_a_year_at_most(project: Deployment) -> None:
    from sekisho.contract.loader import load_project

    frame = people(3_000, 1)
    assert judged(project, frame, attributes=()).status is Status.UNKNOWN
    digest = artifact_digest(load_project(project.root))
    statement = {
        "box": BOX,
        "statement": "the rows are machines in a factory; nobody is judged",
        "author": "the data team",
        "reviewer": "the risk team",
        "artifact": digest,
        "issued": TODAY,
        "expires": TODAY + dt.timedelta(days=365),
    }
    for change, status in (
        ({}, Status.PASS),
        ({"expires": TODAY + dt.timedelta(days=800)}, Status.UNKNOWN),
        ({"reviewer": "The data  team"}, Status.UNKNOWN),
        ({"artifact": "ab" * 32}, Status.UNKNOWN),
        ({"issued": TODAY - dt.timedelta(days=300), "expires": TODAY - dt.timedelta(days=1)}, Status.UNKNOWN),
    ):
        project.contract["sign_offs"] = [statement | change]
        item = judged(project, frame, attributes=())
        assert item.status is status, item.verdict.summary.en
    del project.contract["sign_offs"]


@pytest.mark.parametrize(("off", "notion"), [("spread", "error"), ("below", "error"), ("level", "selection_rate")])
def test_values_are_compared_too(off: str, notion: str, deployment: Deployment) -> None:
    def table(seed: int, *, fair: bool) -> pd.DataFrame:
        random = np.random.default_rng(seed + 100)
        frame = people(5_000, seed).drop(columns=["label"])
        hurt = np.zeros(len(frame), bool) if fair else np.array(female(frame), dtype=bool)
        level = np.where(hurt & (off == "level"), 4.0, 0.0)
        label = 50 + 10 * random.normal(size=len(frame)) + level * 4
        noise = random.normal(0, 1, len(frame)) * np.where(hurt & (off == "spread"), 6, 2)
        return frame.assign(x=label + noise - np.where(hurt & (off == "below"), 4, 0), label=label)

    training = table(2, fair=True)
    deployment.pack(LinearRegression(), training, without=("sex", "region", "age"))
    training.to_csv(deployment.root / "training.csv", index=False)
    for fair, status in ((False, Status.FAIL), (True, Status.PASS)):
        item = judged(deployment, table(1, fair=fair), attributes=("sex",), notions=(notion,))
        assert item.status is status, item.verdict.summary.en


def test_classes_are_compared_one_by_one(deployment: Deployment) -> None:
    def table(seed: int, *, fair: bool) -> pd.DataFrame:
        random = np.random.default_rng(seed + 100)
        frame = people(6_000, seed).drop(columns=["label"])
        label = random.integers(0, 3, len(frame))
        if not fair:
            label = np.where(female(frame) & (label == 2) & (random.random(len(frame)) < 0.6), 1, label)
        return frame.assign(x=label + random.normal(0, 0.1, len(frame)), label=np.array(["a", "b", "c"])[label])

    training = table(2, fair=True)
    deployment.pack(LogisticRegression(C=100), training, without=("sex", "region", "age"))
    training.to_csv(deployment.root / "training.csv", index=False)
    for fair, status in ((False, Status.FAIL), (True, Status.PASS)):
        item = judged(deployment, table(1, fair=fair), attributes=("sex",), notions=SELECTION)
        assert item.status is status, item.verdict.summary.en
