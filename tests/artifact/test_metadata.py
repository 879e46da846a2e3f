"""Metadata: typed, complete, and never made up."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sekisho.artifact.metadata import Metadata, Metric, library_versions, metadata_of, model_type, surroundings
from sekisho.errors import WrongUse


def test_a_mapping_becomes_typed_and_the_rest_notes() -> None:
    metadata = metadata_of(
        {
            "training_date": dt.date(2024, 5, 6),
            "author": "数山",
            "seed": 7,
            "metrics": {"accuracy": 0.9},
            "data_version": 3,
            "nested": {"left": "out"},
        }
    )
    assert metadata == Metadata(
        training_date="2024-05-06",
        owner="数山",
        seeds={"seed": 7},
        metrics=(Metric(name="accuracy", value=0.9),),
        notes={"data_version": 3},
    )


@pytest.mark.parametrize(
    "given",
    [
        {"training_date": "yesterday"},
        {"training_date": 20240506},
        {"metrics": {"accuracy": "high"}},
        {"training_command": "python train.py"},
        {"seeds": [1]},
        {"source": "git"},
    ],
)
def test_wrong_types_are_one_line(given: dict[str, object]) -> None:
    with pytest.raises(WrongUse) as caught:
        metadata_of(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("date", ["2024-05-06", "2024-05-06T07:08:09Z", "2024-05-06T07:08:09+09:00"])
def test_dates_and_moments(date: str) -> None:
    assert metadata_of({"training_date": date}).training_date == date


def test_what_is_missing_is_told() -> None:
    assert "training_date" in Metadata().missing()
    full = Metadata(training_date="2024-05-06", training_command=("make",), seeds={"seed": 0})
    assert not {"training_date", "training_command", "seeds"} & set(full.missing())


def test_what_a_process_sees_for_itself() -> None:
    seen = surroundings(make_pipeline(LogisticRegression(C=float("inf"))))
    assert seen["model_type"] == "LogisticRegression"
    assert seen["parameters"]["logisticregression__C"] == "inf"
    assert seen["libraries"]["numpy"] == np.__version__
    assert seen["hardware"].cores >= 1
    assert seen["hardware"].memory_bytes > 2**20


def test_types_and_libraries_of_models() -> None:
    search = GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2).fit([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1])
    assert model_type(search) == "LogisticRegression"
    assert model_type(make_pipeline(search)) == "LogisticRegression"
    assert "lightgbm" in library_versions(LGBMClassifier())
