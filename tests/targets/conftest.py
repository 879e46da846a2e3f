"""Small artifacts and projects to make deployment files of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sekisho
from sekisho.artifact import lock
from sekisho.artifact.artifact import ModelArtifact
from sekisho.contract.project import Project
from sekisho.gate.testing import example_contract
from sekisho.targets.interface import Plan

HOSTILE = (
    "\"quoted\" 'name' $(id) `id` ${HOME} $HOME\n{{7*7}} {% raw %} <script>alert(1)</script> %0a \\ # - : 日本語 😀"
)
"""What a description, a feature or an owner may hold."""

LOCK = b"numpy==2.0.0 \\\n    --hash=sha256:" + b"0" * 64 + b"\n"
"""Stands for a real lock where nothing is installed from it: making one asks the package index."""

PlanMaker = Callable[..., Plan]

AMAZON = {
    "bucket": "my-models",
    "prefix": "sekisho",
    "role": "arn:aws:iam::123456789012:role/endpoint",
    "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/model:1.0.0",
    "instance-type": "ml.m5.large",
}
"""What a deployment to SageMaker must be told."""


@pytest.fixture
def hostile() -> str:
    """Words that try to be code wherever they are written."""
    return HOSTILE


@pytest.fixture
def amazon() -> dict[str, str]:
    """What a deployment to SageMaker must be told."""
    return dict(AMAZON)


def reference_rows(first_feature: str) -> pd.DataFrame:
    """Return rows that tell two classes apart."""
    generator = np.random.default_rng(7)
    rows = pd.DataFrame({first_feature: generator.normal(size=200), "other": generator.normal(size=200)})
    rows["answer"] = np.where(rows[first_feature] + 0.5 * rows["other"] > 0, "yes", "no")
    return rows


@pytest.fixture(scope="session")
def hostile_artifact(tmp_path_factory: pytest.TempPathFactory) -> ModelArtifact:
    """A classifier whose description, owner and first feature try to be code wherever they are written."""
    rows = reference_rows(HOSTILE)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows.drop(columns="answer"), rows["answer"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lock, "write_lock", lambda *_, **__: LOCK)
        return sekisho.pack(
            model,
            rows,
            "answer",
            folder=tmp_path_factory.mktemp("hostile") / "artifact",
            name="hostile",
            version="1.0.0+local",
            metadata={"description": HOSTILE, "owner": HOSTILE},
        )


@pytest.fixture(scope="session")
def regression_artifact(tmp_path_factory: pytest.TempPathFactory) -> ModelArtifact:
    """A regressor."""
    rows = reference_rows("first").drop(columns="answer")
    rows["answer"] = rows["first"] * 3.0 + rows["other"]
    model = LinearRegression().fit(rows.drop(columns="answer"), rows["answer"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lock, "write_lock", lambda *_, **__: LOCK)
        return sekisho.pack(
            model, rows, "answer", folder=tmp_path_factory.mktemp("regression") / "artifact", name="regression"
        )


@pytest.fixture
def plan_of(tmp_path: Path, hostile_artifact: ModelArtifact) -> PlanMaker:
    """Make a plan from an artifact, settings and sections of a contract."""

    def make(
        artifact: ModelArtifact = hostile_artifact, settings: dict[str, str] | None = None, **sections: Any
    ) -> Plan:
        project = Project(root=tmp_path, contract=example_contract(**sections))
        return Plan(project=project, artifact=artifact, settings=AMAZON | (settings or {}))

    return make
