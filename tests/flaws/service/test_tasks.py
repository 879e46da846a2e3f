"""Sekisho's own server passes its boxes for every kind of model: numbers, labels of words, nulls, booleans, categories."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import sekisho
from sekisho.contract.loader import load_project
from sekisho.gate.runner import run_gate

CONTRACT = """
format = 1
[model]
name = "tasks"
[data]
training = "train.csv"
test = "test.csv"
target = "answer"
[serving]
maximum_body_bytes = 262144
maximum_rows = 400
"""
BOXES = ["inference/api", "inference/errors", "security/input-validation"]


def make(rows: int, seed: int, *, labels: bool) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "size": random.normal(80, 20, rows).round(2),
            "rooms": random.integers(1, 7, rows),
            "city": random.choice(["Kyōto", "Nara", "Ōsaka"], rows),
            "garden": random.random(rows) < 0.3,
        }
    )
    value = frame["size"] * 3 + frame["rooms"] * 20 + (frame["city"] == "Nara") * 40 + random.normal(0, 9, rows)
    frame.loc[random.random(rows) < 0.1, "size"] = np.nan
    frame["answer"] = (
        pd.cut(value, [-1e9, 270, 350, 1e9], labels=["low", "middle", "high"]).astype(str) if labels else value
    )
    return frame


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_the_own_server_passes(tmp_path: Path, task: str) -> None:
    train, test = (make(rows, seed, labels=task == "multiclass") for rows, seed in ((1_200, 1), (400, 2)))
    train.to_csv(tmp_path / "train.csv", index=False)
    test.to_csv(tmp_path / "test.csv", index=False)
    prepare = ColumnTransformer(
        [
            ("numbers", SimpleImputer(), ["size", "rooms"]),
            ("city", OneHotEncoder(handle_unknown="ignore"), ["city"]),
            ("garden", "passthrough", ["garden"]),
        ]
    )
    learner = LogisticRegression(max_iter=2_000) if task == "multiclass" else LinearRegression()
    read = pd.read_csv(tmp_path / "train.csv")
    model = make_pipeline(prepare, learner).fit(read.drop(columns="answer"), read["answer"])
    sekisho.pack(model, read, "answer", folder=tmp_path / "artifact", name="tasks", lock=False)
    (tmp_path / "sekisho.toml").write_text(CONTRACT)
    report = run_gate(load_project(tmp_path), ids=BOXES)
    for item in report.items:
        assert item.verdict.status.value == "pass", f"{item.id}: {item.verdict.summary.en}"
    (api,) = (item for item in report.items if item.id == "inference/api")
    assert "by position" in api.verdict.summary.en
    assert "invocations" in api.verdict.summary.en
