"""A small artifact, made once, that tests may spoil."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.private_keys import new_key
from sekisho.text import set_language

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SEKISHO_LANG", "en")
    yield
    set_language(None)


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    random = np.random.default_rng(0)
    rows = 120
    features = pd.DataFrame(
        {
            "age": random.normal(40, 10, rows).round(1),
            "income": random.normal(500, 100, rows),
            "job": random.choice(["clerk", "chef", "pilot"], rows),
            "married": random.random(rows) < 0.5,
        }
    )
    score = features["income"] + 40 * features["married"] + random.normal(0, 30, rows)
    features["churn"] = np.where(score > 520, "stays", "leaves")
    return features


@pytest.fixture(scope="session")
def model(table: pd.DataFrame) -> Any:
    columns = make_column_transformer(
        (StandardScaler(), ["age", "income"]),
        (OneHotEncoder(handle_unknown="ignore"), ["job"]),
        ("passthrough", ["married"]),
    )
    return make_pipeline(columns, LogisticRegression()).fit(table.drop(columns="churn"), table["churn"])


@pytest.fixture(scope="session")
def packed(table: pd.DataFrame, model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an artifact. Tests that change it ask for ``artifact``."""
    folder = tmp_path_factory.mktemp("packed") / "artifact"
    ModelArtifact(model, reference=table, target="churn", name="churn", lock=False).save(folder)
    return folder


@pytest.fixture
def artifact(packed: Path, tmp_path: Path) -> Path:
    """A copy of the artifact that a test may spoil."""
    return shutil.copytree(packed, tmp_path / "artifact")


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key; its public half lies beside it."""
    path = tmp_path_factory.mktemp("keys") / "release.key"
    new_key(path)
    return path
