"""A small mixed data set, a model of it, and its artifact, made once."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sekisho.artifact.artifact import ModelArtifact

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Churn:
    """Rows with numbers, strings, whole numbers, booleans and nulls, and whether a customer stays."""

    features: pd.DataFrame
    answers: pd.Series[Any]

    def columns(self) -> Any:
        """Return an untrained column transformer for the features."""
        return make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), ["age", "income"]),
            (OneHotEncoder(handle_unknown="ignore"), ["job"]),
            ("passthrough", ["children", "married"]),
        )


@pytest.fixture(scope="session")
def churn() -> Churn:
    random = np.random.default_rng(0)
    rows = 300
    features = pd.DataFrame(
        {
            "age": random.normal(40, 10, rows).round(1),
            "income": random.normal(500, 100, rows),
            "job": random.choice(["clerk", "chef", "pilot"], rows),
            "children": random.integers(0, 4, rows),
            "married": random.random(rows) < 0.5,
        }
    )
    score = features["income"] + 40 * features["married"] + random.normal(0, 30, rows)
    features.loc[::9, "age"] = np.nan
    features.loc[::11, "job"] = None
    return Churn(features=features, answers=pd.Series(np.where(score > 520, "stays", "leaves"), name="churn"))


@pytest.fixture(scope="session")
def model(churn: Churn) -> Any:
    return make_pipeline(churn.columns(), LogisticRegression()).fit(churn.features, churn.answers)


@pytest.fixture(scope="session")
def packed(churn: Churn, model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an artifact. Tests that change it ask for ``artifact``."""
    folder = tmp_path_factory.mktemp("packed") / "artifact"
    packed = ModelArtifact(model, reference=churn.features, target=churn.answers, name="churn", lock=False)
    packed.save(folder)
    return folder


@pytest.fixture
def artifact(packed: Path, tmp_path: Path) -> Path:
    """A copy of the artifact that a test may spoil."""
    return shutil.copytree(packed, tmp_path / "artifact")
