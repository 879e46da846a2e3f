"""MLflow's own client, and the bodies that its scoring server takes, get the answers that the model gives offline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.serving.conftest import Running, people, serving

from sekisho.artifact.artifact import ModelArtifact

NAMES = ["age", "income", "children", "city", "employed", "plan"]


@pytest.fixture(scope="module")
def scoring(people_artifact: Path) -> Iterator[Running]:
    with serving(people_artifact) as running:
        yield running


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return people(40, seed=9).dropna().reset_index(drop=True)


@pytest.fixture(scope="module")
def labels(frame: pd.DataFrame, people_artifact: Path) -> list[str]:
    found: list[str] = ModelArtifact.load(people_artifact).predict(frame).values.tolist()
    return found


def ask(scoring: Running, body: Any, media_type: str = "application/json") -> Any:
    answer = scoring.ask("/invocations", body, headers={"content-type": media_type})
    assert answer.status == 200, answer.body
    return answer.json()["predictions"]


@pytest.mark.filterwarnings("ignore")  # the client's own
def test_its_client(scoring: Running, frame: pd.DataFrame, labels: list[str]) -> None:
    client = pytest.importorskip("mlflow.pyfunc.scoring_server.client").ScoringServerClient("127.0.0.1", scoring.port)
    client.wait_server_ready(timeout=5)
    shuffled = frame[list(reversed(NAMES))]
    shuffled.index = pd.Index([f"row {number}" for number in range(len(frame))])
    for data in (frame, shuffled, shuffled[NAMES]):
        answer = client.invoke(data)
        assert answer["predictions"] == labels
        assert answer.get_predictions()[0].tolist() == labels
    assert client.invoke(frame, params={"threshold": 0.5})["predictions"] == labels


@pytest.mark.filterwarnings("ignore")
def test_its_client_sends_no_json_for_a_missing_number(scoring: Running, frame: pd.DataFrame) -> None:
    """It writes NaN, which is no JSON: refused in plain words. As objects with None the same table is answered."""
    client = pytest.importorskip("mlflow.pyfunc.scoring_server.client").ScoringServerClient("127.0.0.1", scoring.port)
    missing = frame.head(3).copy()
    missing.loc[1, "income"] = np.nan
    with pytest.raises(Exception, match="NaN is not JSON"):
        client.invoke(missing)
    assert len(client.invoke(missing.astype(object).where(missing.notna(), None))["predictions"]) == 3


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"],
)
def test_every_form_of_json(scoring: Running, frame: pd.DataFrame, labels: list[str], media_type: str) -> None:
    split = json.loads(frame.to_json(orient="split"))
    records = json.loads(frame.to_json(orient="records"))
    turned = {"columns": split["columns"][::-1], "data": [row[::-1] for row in split["data"]]}
    for body in (
        {"dataframe_split": split},
        {"dataframe_split": turned},
        {"dataframe_split": {**split, "index": [f"r{number}" for number in range(len(frame))]}},
        {"dataframe_records": records},
        {"dataframe_records": records, "params": {"k": 1}},
        {"dataframe_split": split, "params": None},
        {"instances": records},
        {"instances": split["data"]},
        {"inputs": split["data"]},
        {"inputs": records},
        {"inputs": frame.astype(object).to_dict("list")},
    ):
        assert ask(scoring, body, media_type) == labels


def test_whole_numbers_for_doubles_and_nulls(scoring: Running, people_artifact: Path) -> None:
    row = {"age": 40, "income": None, "children": 2, "city": None, "employed": True, "plan": "plus"}
    expected = ModelArtifact.load(people_artifact).predict(
        pd.DataFrame({name: [np.nan if name == "income" else value] for name, value in row.items()})
    )
    for body in (
        {"dataframe_records": [row]},
        {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}},
        {"inputs": {name: [value] for name, value in row.items()}},
        {"inputs": row},
        {"inputs": [row]},
    ):
        assert ask(scoring, body) == expected.values.tolist()


def test_csv_as_pandas_writes_it(scoring: Running, frame: pd.DataFrame, labels: list[str]) -> None:
    text = frame.to_csv(index=False)
    for media_type in ("text/csv", "text/csv; charset=utf-8", "text/csv;header=present"):
        assert ask(scoring, text.encode(), media_type) == labels
    assert ask(scoring, frame[NAMES[::-1]].to_csv(index=False).encode(), "text/csv") == labels


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"dataframe_split": {"columns": NAMES, "data": [[1, 2]]}}, "wrong_count"),
        ({"dataframe_split": {"columns": NAMES[:-1], "data": [[40, 1.0, 2, "Nara", True]]}}, "missing_feature"),
        ({"dataframe_split": [], "dataframe_records": []}, "missing_field"),
        ({"columns": NAMES, "data": []}, "unknown_field"),
        ({"inputs": {"age": [1], "income": [1, 2]}}, "wrong_count"),
        ({"params": {}}, "missing_field"),
        ("text", "wrong_type"),
    ],
)
def test_what_it_refuses_too(scoring: Running, body: Any, code: str) -> None:
    assert scoring.ask("/invocations", body).code == code
