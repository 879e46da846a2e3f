"""Known flaws of models, data and files: each must make its box fail, and its clean twin must pass."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tests.flaws.model.builder import Deployment, Scaled, both

from sekisho.artifact.signature import Note
from sekisho.gate.verdict import Status

HASH = "--hash=sha256:" + "ab" * 32


def customers(rows: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    income = random.normal(3, 1, rows)
    label = np.where(income + random.normal(0, 0.5, rows) > 3, "yes", "no")
    income[random.random(rows) < 0.1] = np.nan
    return pd.DataFrame({"income": income, "plan": random.choice(["basic", "plus"], rows), "label": label})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("imputer", "encoder"),
    [
        pytest.param("passthrough", "ignore", id="F14a missing values never tried"),
        pytest.param(SimpleImputer(), "error", id="F14b unseen category crashes"),
    ],
)
def test_f14_rows_that_nobody_tried(imputer: Any, encoder: str, deployment: Deployment) -> None:
    test, training = customers(600, 1), customers(1_000, 2)
    deployment.tables(test, training)

    def model(number: Any, unknown: str) -> Any:
        words = OneHotEncoder(handle_unknown=unknown, sparse_output=False)
        columns = make_column_transformer((number, ["income"]), (words, ["plan"]))
        return make_pipeline(columns, StandardScaler(), LogisticRegression())

    known = training.dropna() if imputer == "passthrough" else training
    deployment.pack(model(imputer, encoder), known, notes={"income": Note(nullable=True)})
    assert deployment.judge("quality/edge-cases").status is Status.FAIL
    deployment.pack(model(SimpleImputer(), "ignore"), training)
    item = deployment.judge("quality/edge-cases")
    assert item.status is Status.PASS, item.verdict.summary.en


def applicants(rows: int, lower: float, seed: int) -> pd.DataFrame:
    """Return applicants of whom men would be approved at 60 %, and women at ``lower``."""
    random = np.random.default_rng(seed)
    sex = random.choice(["male", "female"], rows)
    label = (random.random(rows) < np.where(sex == "male", 0.6, lower)).astype(int)
    return pd.DataFrame({"x": label + random.normal(0, 0.15, rows), "sex": sex, "label": label})


def test_f15a_selection_rate_differs_by_group(deployment: Deployment) -> None:
    deployment.contract["fairness"] = {
        "attributes": ("sex",),
        "notions": ("selection_rate",),
        "reason": "equal access to credit",
    }
    for lower, status in ((0.30, Status.FAIL), (0.558, Status.PASS)):
        test, training = applicants(6_000, lower, 1), applicants(2_000, lower, 2)
        deployment.tables(test, training)
        deployment.pack(LogisticRegression(), training, without=("sex",))
        item = deployment.judge("quality/fairness")
        assert item.status is status, item.verdict.summary.en


def test_f15c_fairness_report_for_another_model(deployment: Deployment) -> None:
    test, training = applicants(6_000, 0.6, 1), applicants(2_000, 0.6, 2)
    deployment.tables(test, training)
    deployment.contract["fairness"] = {"attributes": ("sex",), "notions": ("selection_rate",), "reason": "access"}
    folder = deployment.pack(LogisticRegression(), training, without=("sex",))
    report = deployment.root / "fairness.json"
    report.write_text(json.dumps({"model": {"digest": "sha256:" + "ab" * 32}, "gap": 0.01}))
    assert deployment.judge("quality/fairness").status is Status.FAIL
    import hashlib

    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    report.write_text(json.dumps({"model": {"digest": f"sha256:{digest}"}, "gap": 0.01}))
    item = deployment.judge("quality/fairness")
    assert item.status is Status.PASS, item.verdict.summary.en


class Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, ("touch hostile",))


def test_f21_formats(deployment: Deployment, scaled: Scaled) -> None:
    test, training = both()
    deployment.tables(test, training)
    folder = deployment.pack(scaled(LogisticRegression()), training, without=("id",))
    item = deployment.judge("artifact/format")
    assert item.status is Status.PASS, item.verdict.summary.en

    (deployment.root / "model.pkl").write_bytes(pickle.dumps(Hostile()))
    (deployment.root / "model.onnx").write_bytes(pickle.dumps(Hostile()))
    whole = (folder / "model.onnx").read_bytes()
    (deployment.root / "half").mkdir()
    (deployment.root / "half" / "model.onnx").write_bytes(whole[: int(len(whole) * 0.9)])
    for place in ("model.pkl", "model.onnx", "half", "half/model.onnx"):  # F21a, F21b, F21c
        deployment.contract["model"]["artifact"] = place
        item = deployment.judge("artifact/format")
        assert item.status is Status.FAIL, place
    assert not (Path.cwd() / "hostile").exists()
    (deployment.root / "model.onnx").write_bytes(whole)
    deployment.contract["model"]["artifact"] = "model.onnx"
    assert deployment.judge("artifact/format").status is Status.PASS


def test_f21c_half_written_file_in_an_artifact(deployment: Deployment, scaled: Scaled) -> None:
    test, training = both()
    deployment.tables(test, training)
    folder = deployment.pack(scaled(LogisticRegression()), training, without=("id",))
    data = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(data[: int(len(data) * 0.9)])
    item = deployment.judge("artifact/format")
    assert item.status is Status.FAIL
    assert "model.onnx" in item.verdict.summary.en


def test_f23_metadata(deployment: Deployment, scaled: Scaled) -> None:
    test, training = both()
    deployment.tables(test, training)
    model = scaled(LogisticRegression())

    def status(accuracy: float, **stated: Any) -> Status:
        settings = {"command": ["python", "train.py"], "seed": 1} | stated
        metadata = {"metrics": {"accuracy": accuracy}}
        deployment.pack(model, training, without=("id",), training=settings, metadata=metadata)
        return deployment.judge("artifact/metadata").status

    right = model.fit(training[["x", "y"]], training["label"]).score(test[["x", "y"]], test["label"])
    assert status(round(right, 2)) is Status.PASS
    assert status(round(right, 2), date=None) is Status.FAIL  # F23a
    assert status(right + 0.1) is Status.FAIL  # F23b


def test_f24_dependencies(deployment: Deployment, scaled: Scaled) -> None:
    import sklearn

    test, training = both()
    deployment.tables(test, training)
    folder = deployment.pack(scaled(LogisticRegression()), training, without=("id",))
    # A model file of somebody else's making, with a lock beside the contract.
    shutil.copy(folder / "model.skops", deployment.root / "model.skops")
    deployment.contract["model"]["artifact"] = "model.skops"
    lock = deployment.root / "requirements.txt"

    def status(content: str) -> Status:
        lock.write_text(content)
        return deployment.judge("artifact/dependencies").status

    assert status("scikit-learn\nnumpy>=1.20\n") is Status.FAIL  # F24a
    assert status(f"scikit-learn==1.4.0 {HASH}\n") is Status.FAIL  # F24b
    assert status(f"scikit-learn=={sklearn.__version__} {HASH}\nnumpy==2.0.0 {HASH}\n") is Status.PASS
