"""The models that are served: the demo's pipeline, a forest and a logistic regression on numbers alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sekisho
from sekisho.examples.employment import train
from sekisho.examples.employment.layout import YEARS, read_table

ROWS_ASKED = 64
ROWS_OF_A_BATCH = 1_000

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One model, ready to be served by everybody.

    Attributes:
        name: What it is called.
        title: What it is.
        artifact: Sekisho's own form of it.
        pickle: The fitted pipeline, as tutorials keep it.
        prototype: A pickled table of one row: the names and types of its features.
        columns: The names of its features.
        rows: What is asked one by one.
        labels: What the pipeline itself says of them.
        many: What is asked at once.
        many_labels: What the pipeline itself says of those.
        numeric: Whether all features are numbers.

    """

    name: str
    title: str
    artifact: Path
    pickle: Path
    prototype: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    labels: tuple[object, ...]
    many: tuple[Row, ...]
    many_labels: tuple[object, ...]
    numeric: bool


def employment(folder: Path) -> Subject:
    """Return the demo's model: imputation, scaling, one-hot encoding and 150 boosted trees on 16 mixed features."""
    table = read_table()
    table = table[table["year"].isin(YEARS["training"])]
    features, target = table.drop(columns=train.NOT_FEATURES), table[train.TARGET]
    categorical = [name for name in features.columns if name not in train.NUMERIC]
    return subject_of(
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
    return subject_of(folder, "forest", "forest of 100 trees, 30 numbers", model, data.data, data.target)


def logistic(folder: Path) -> Subject:
    """Return a scaler and a logistic regression on the same numbers."""
    data = load_breast_cancer(as_frame=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(data.data, data.target)
    return subject_of(folder, "logistic", "scaler and logistic regression, 30 numbers", model, data.data, data.target)


MODELS: Mapping[str, Callable[[Path], Subject]] = {"forest": forest, "logistic": logistic, "employment": employment}


def subject_of(
    folder: Path,
    name: str,
    title: str,
    model: Any,
    features: pd.DataFrame,
    target: pd.Series,
    *,
    lock: bool = False,
) -> Subject:
    """Return a fitted model as a subject, packed, pickled, and with what it says itself of its first rows."""
    artifact, pickle, prototype = folder / name, folder / f"{name}.joblib", folder / f"{name}.prototype"
    packed = sekisho.pack(model, features, target, folder=artifact, name=name, lock=lock)
    joblib.dump(model, pickle)
    joblib.dump(features.head(1), prototype)
    asked = features.iloc[[number % len(features) for number in range(ROWS_OF_A_BATCH)]]
    rows = tuple(sekisho.artifact.table.Table.of(asked).records())
    labels = tuple(model.predict(asked).tolist())
    return Subject(
        name=name,
        title=f"{title} ({packed.runtime_name})",
        artifact=artifact,
        pickle=pickle,
        prototype=prototype,
        columns=tuple(features.columns),
        rows=rows[:ROWS_ASKED],
        labels=labels[:ROWS_ASKED],
        many=rows,
        many_labels=labels,
        numeric=all(pd.api.types.is_numeric_dtype(kind) for kind in features.dtypes),
    )
