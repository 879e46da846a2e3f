from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.packing import pack
from sekisho.artifact.signature import Note
from sekisho.checks.quality.edge_cases import edge_cases as box
from sekisho.contract.sections import Quality, Serving
from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Status, Verdict
from sekisho.probes.quality.determinism import Determinism
from sekisho.probes.quality.edge_cases import EdgeCases, edge_cases


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    random = np.random.default_rng(1)
    rows = 600
    income = random.normal(3_000, 800, rows)
    return pd.DataFrame(
        {
            "age": random.integers(18, 80, rows),
            "income": np.where(random.random(rows) < 0.1, np.nan, income),
            "plan": pd.Series(random.choice(["basic", "plus", "pro"], rows)),
            "member": random.random(rows) < 0.5,
            "label": np.where(income + random.normal(0, 300, rows) > 3_000, "yes", "no"),
        }
    )


NUMERIC, WORDS = ["age", "income"], ["plan"]


def packed(folder: Path, people: pd.DataFrame, numeric: Any, words: Any, model: Any, **more: Any) -> ModelArtifact:
    features = people.drop(columns="label")
    columns = make_column_transformer((numeric, NUMERIC), (words, WORDS), ("passthrough", ["member"]))
    return pack(
        make_pipeline(columns, model).fit(features, people["label"]),
        features,
        people["label"],
        folder=folder / "artifact",
        name="example",
        lock=False,
        **more,
    )


def measured(artifact: ModelArtifact, examples: int = 300) -> EdgeCases:
    found = edge_cases.measure(Quality(examples=examples), Serving(deadline_ms=5_000), None, artifact, Progress())
    assert isinstance(found, EdgeCases)
    return found


def judge(found: EdgeCases) -> Verdict:
    same = Determinism(
        through="artifact", rows=40, again=3, workers=1, differing=0, differing_together=0, largest=0.0, example=""
    )
    return box.judge(example_contract(), found, same, None, None)


IMPUTED = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())


@pytest.fixture(scope="module")
def sound(people: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> ModelArtifact:
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return packed(tmp_path_factory.mktemp("sound"), people, IMPUTED, encoder, LogisticRegression())


def test_an_imputer_and_an_encoder_that_ignores_pass(sound: ModelArtifact) -> None:
    found = measured(sound)
    verdict = judge(found)
    assert verdict.status is Status.PASS, verdict.summary.en
    assert found.examples >= 300
    assert found.through == "artifact"
    kinds = {kind.kind: kind for kind in found.kinds}
    assert kinds["null, allowed"].answered == kinds["null, allowed"].tried == 1
    assert kinds["null, not allowed"].refused == kinds["null, not allowed"].tried == 3
    assert kinds["unseen category"].flagged == kinds["unseen category"].answered > 0
    assert kinds["not finite"].refused == kinds["not finite"].tried
    assert kinds["many rows"].answered == 1


def test_the_same_seed_gives_the_same_examples(sound: ModelArtifact) -> None:
    assert measured(sound) == measured(sound)


def test_missing_values_that_were_never_tried_fail(people: pd.DataFrame, tmp_path: Path) -> None:
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    whole = people.dropna()
    artifact = packed(
        tmp_path, whole, StandardScaler(), encoder, LogisticRegression(), notes={"income": Note(nullable=True)}
    )
    verdict = judge(measured(artifact))
    assert verdict.status is Status.FAIL
    assert "null, allowed" in verdict.summary.en
    assert "income" in verdict.summary.en
    assert "許された欠損値" in verdict.summary.ja


def test_an_unseen_category_that_crashes_fails(people: pd.DataFrame, tmp_path: Path) -> None:
    encoder = OneHotEncoder(handle_unknown="error", sparse_output=False)
    artifact = packed(tmp_path, people, IMPUTED, encoder, LogisticRegression())
    found = measured(artifact)
    verdict = judge(found)
    assert verdict.status is Status.FAIL
    assert "unseen category" in verdict.summary.en
    assert {example.feature for example in found.counter_examples if example.kind == "unseen category"} == {"plan"}


def test_an_unseen_category_that_is_refused_passes(people: pd.DataFrame, tmp_path: Path) -> None:
    encoder = OneHotEncoder(handle_unknown="error", sparse_output=False)
    artifact = packed(
        tmp_path, people, IMPUTED, encoder, LogisticRegression(), notes={"plan": Note(unseen_category="reject")}
    )
    verdict = judge(measured(artifact))
    assert verdict.status is Status.PASS, verdict.summary.en


def test_trees_that_take_nulls_pass(people: pd.DataFrame, tmp_path: Path) -> None:
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    artifact = packed(tmp_path, people, "passthrough", encoder, HistGradientBoostingClassifier(max_iter=10))
    verdict = judge(measured(artifact))
    assert verdict.status is Status.PASS, verdict.summary.en


def test_nothing_is_left_in_the_project(sound: ModelArtifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    measured(sound)
    assert list(tmp_path.iterdir()) == []


def test_nobody_to_ask_is_not_measured() -> None:
    with pytest.raises(NotMeasured):
        edge_cases.measure(Quality(), Serving(), None, None, Progress())
