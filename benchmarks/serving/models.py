"""The models that are served: the demo's pipeline, and a forest on numbers alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier

import sekisho
from sekisho.examples.employment import train
from sekisho.examples.employment.layout import YEARS, read_table

ROWS_ASKED = 64


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One model, ready to be served by everybody.

    Attributes:
        name: What it is called.
        title: What it is.
        artifact: Sekisho's own form of it.
        pickle: The fitted pipeline, as tutorials keep it.
        columns: The names of its features.
        bodies: Requests for one row, as JSON.
        batch: One request for a thousand rows, as ``/predict/batch`` takes it.

    """

    name: str
    title: str
    artifact: Path
    pickle: Path
    columns: tuple[str, ...]
    bodies: tuple[bytes, ...]
    batch: bytes


def employment(folder: Path) -> Subject:
    """Return the demo's model: imputation, scaling, one-hot encoding and 150 boosted trees on 16 mixed features."""
    table = read_table()
    table = table[table["year"].isin(YEARS["training"])]
    features, target = table.drop(columns=train.NOT_FEATURES), table[train.TARGET]
    categorical = [name for name in features.columns if name not in train.NUMERIC]
    return _subject(
        folder,
        "employment",
        "employment: imputer, scaler, one-hot encoder, 150 boosted trees",
        train.build_pipeline(categorical).fit(features, target),
        features,
        target,
    )


def forest(folder: Path) -> Subject:
    """Return a forest of 100 trees on the 30 numbers of the breast cancer data."""
    data = load_breast_cancer(as_frame=True)
    model = RandomForestClassifier(100, random_state=0).fit(data.data, data.target)
    return _subject(folder, "forest", "forest of 100 trees, 30 numbers", model, data.data, data.target)


def _subject(folder: Path, name: str, title: str, model: Any, features: pd.DataFrame, target: pd.Series) -> Subject:
    artifact, pickle = folder / name, folder / f"{name}.joblib"
    packed = sekisho.pack(model, features, target, folder=artifact, name=name, lock=False)
    joblib.dump(model, pickle)
    rows = sekisho.artifact.table.Table.of(features.head(1000)).records()
    return Subject(
        name=name,
        title=f"{title} ({packed.runtime_name})",
        artifact=artifact,
        pickle=pickle,
        columns=tuple(features.columns),
        bodies=tuple(json.dumps({"features": row}).encode() for row in rows[:ROWS_ASKED]),
        batch=json.dumps([{"features": rows[number % len(rows)]} for number in range(1000)]).encode(),
    )
