"""A model that gives several answers a row, over every protocol: what is answered is what the artifact answers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Ridge
from sklearn.multioutput import MultiOutputRegressor

import sekisho
from sekisho.artifact.artifact import ModelArtifact
from sekisho.ledger.predictions import PredictionBook

from .conftest import Running, serving, until

_RANDOM = np.random.default_rng(3)
ROWS = pd.DataFrame(_RANDOM.normal(size=(150, 3)).round(3), columns=["a", "b", "c"])
NUMBERS = pd.DataFrame({"height": ROWS["a"] * 3 + ROWS["b"], "重さ": 1e4 * ROWS["c"] + 7})
LABELS = pd.DataFrame(
    {
        "colour": np.where(ROWS["a"] > 0, "赤", "青"),
        "size": np.select([ROWS["b"] > 0.5, ROWS["b"] > -0.5], ["L", "M"], "S"),
    }
).astype(object)
ASKED = ROWS[:12].to_dict("records")


def _pack(model: Any, answers: pd.DataFrame, folder: Path) -> Path:
    together = pd.concat([ROWS, answers], axis=1)
    sekisho.pack(model, together, list(answers.columns), folder=folder, name="several", version="2.0.0", lock=False)
    return folder


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, ModelArtifact]]:
    folder = tmp_path_factory.mktemp("numbers")
    _pack(MultiOutputRegressor(Ridge()).fit(ROWS, NUMBERS), NUMBERS, folder / "a")
    ledger = folder / "predictions.sqlite"
    with serving(folder / "a", ledger=ledger) as running:
        running.ledger = ledger
        yield running, ModelArtifact.load(folder / "a")


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, ModelArtifact]]:
    folder = tmp_path_factory.mktemp("labels")
    _pack(RandomForestClassifier(5, random_state=0).fit(ROWS, LABELS), LABELS, folder / "a")
    with serving(folder / "a") as running:
        yield running, ModelArtifact.load(folder / "a")


def offline(artifact: ModelArtifact) -> list[dict[str, Any]]:
    names = [one.name for one in artifact.signature.output.outputs]
    given = artifact.predict(ROWS[:12]).values.tolist()
    return [dict(zip(names, row, strict=True)) for row in given]


def close(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    assert [row.keys() for row in one] == [row.keys() for row in other]
    for mine, theirs in zip(one, other, strict=True):
        assert mine == (pytest.approx(theirs, rel=1e-12, abs=1e-9) if isinstance(mine.get("height"), float) else theirs)


def infer(count: int) -> dict[str, Any]:
    return {
        "inputs": [
            {"name": name, "datatype": "FP64", "shape": [count], "data": ROWS[name][:count].tolist()} for name in ROWS
        ]
    }


def test_every_protocol_gives_the_numbers_of_the_model(numbers: tuple[Running, ModelArtifact]) -> None:
    service, artifact = numbers
    expected = offline(artifact)
    single = [service.predict(row).json() for row in ASKED]
    close([one["prediction"] for one in single], expected)
    assert set(single[0]) == {"prediction", "flags", "model_version", "timestamp", "request_id"}
    batch = service.ask("/predict/batch", [{"features": row} for row in ASKED]).json()
    close([one["prediction"] for one in batch["predictions"]], expected)
    close(service.ask("/invocations", {"instances": ASKED}).json()["predictions"], expected)
    tensors = {one["name"]: one for one in service.ask("/v2/models/several/infer", infer(12)).json()["outputs"]}
    assert set(tensors) == {"prediction_height", "prediction_重さ"}
    assert {(one["datatype"], *one["shape"]) for one in tensors.values()} == {("FP64", 12)}
    columns = [tensors[f"prediction_{name}"]["data"] for name in expected[0]]
    close([dict(zip(expected[0], row, strict=True)) for row in zip(*columns, strict=True)], expected)
    described = service.ask("/v2/models/several").json()["outputs"]
    assert [one["name"] for one in described] == ["prediction_height", "prediction_重さ", "flags"]


def test_tables_have_a_column_for_each_answer(
    numbers: tuple[Running, ModelArtifact], labels: tuple[Running, ModelArtifact]
) -> None:
    pa = pytest.importorskip("pyarrow")
    service, artifact = numbers
    bare = service.ask("/invocations", {"instances": ASKED}, headers={"accept": "text/csv"}).body.decode()
    rows = [[float(cell) for cell in row] for row in csv.reader(io.StringIO(bare))]
    np.testing.assert_allclose(rows, artifact.predict(ROWS[:12]).values.astype(float), rtol=1e-12)
    asked = [{"features": row} for row in ASKED]
    arrow = labels[0].ask("/predict/batch", asked, headers={"accept": "application/vnd.apache.arrow.stream"}).body
    table = pa.ipc.open_stream(arrow).read_all().to_pydict()
    assert list(table) == [
        *("prediction_colour", "prediction_size"),
        *("probability_colour", "probability_colour_赤", "probability_colour_青"),
        *("probability_size", "probability_size_L", "probability_size_M", "probability_size_S"),
        "flags",
    ]
    assert table["prediction_size"] == [row["size"] for row in offline(labels[1])]


def test_labels_come_with_their_probabilities(labels: tuple[Running, ModelArtifact]) -> None:
    service, artifact = labels
    expected, stated = offline(artifact), artifact.predict(ROWS[:12]).probabilities
    assert stated is not None
    batch = service.ask("/predict/batch", [{"features": row} for row in ASKED]).json()["predictions"]
    single = [service.predict(row).json() for row in ASKED]
    for one, row, right in [*zip(single, stated, expected, strict=True), *zip(batch, stated, expected, strict=True)]:
        assert one["prediction"] == right
        assert one["probabilities"] == {
            "colour": dict(zip(["赤", "青"], row[:2].tolist(), strict=True)),
            "size": dict(zip(["L", "M", "S"], row[2:].tolist(), strict=True)),
        }
        assert one["probability"] == {name: one["probabilities"][name][label] for name, label in right.items()}
    outputs = service.ask("/v2/models/several/infer", infer(12)).json()["outputs"]
    tensors = {one["name"]: one for one in outputs}
    assert list(tensors) == ["prediction_colour", "prediction_size", "probabilities_colour", "probabilities_size"]
    assert tensors["probabilities_size"]["shape"] == [12, 3]
    assert tensors["probabilities_size"]["data"] == stated[:, 2:].ravel().tolist()
    some = service.ask("/v2/models/several/infer", infer(2) | {"outputs": [{"name": "prediction_size"}]}).json()
    assert [(one["name"], one["data"]) for one in some["outputs"]] == [
        ("prediction_size", [expected[0]["size"], expected[1]["size"]])
    ]
    assert service.ask("/v2/models/several/infer", infer(2) | {"outputs": [{"name": "prediction"}]}).status == 422


def test_a_number_that_no_forest_can_read_is_the_callers_fault(labels: tuple[Running, ModelArtifact]) -> None:
    service, _ = labels
    assert service.predict({**ASKED[0], "a": 1e300}).code == "not_finite"
    assert service.predict({**ASKED[0], "a": 1e30}).json()["flags"] == ["out_of_range:a"]


def test_the_document_tells_of_every_answer(labels: tuple[Running, ModelArtifact]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    service, _ = labels
    document = service.ask("/openapi.json").json()
    info = service.ask("/model/info").json()
    assert (info["task"], [one["name"] for one in info["output"]["outputs"]]) == ("multi-output", ["colour", "size"])
    answers = {
        "/predict": service.predict(ASKED[0]).json(),
        "/predict/batch": service.ask("/predict/batch", [{"features": row} for row in ASKED]).json(),
        "/invocations": service.ask("/invocations", {"instances": ASKED}).json(),
        "/v2/models/several/infer": service.ask("/v2/models/several/infer", infer(2)).json(),
    }
    for path, answer in answers.items():
        content = document["paths"][path]["post"]["responses"]["200"]["content"]
        jsonschema.Draft202012Validator(content["application/json"]["schema"]).validate(answer)
    jsonschema.Draft202012Validator(
        document["paths"]["/model/info"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    ).validate(info)


def test_the_book_and_the_metrics_take_several_answers(numbers: tuple[Running, ModelArtifact]) -> None:
    service, artifact = numbers
    before = service.metric("ml_predictions_total", status="success")
    one = service.predict(ASKED[0]).json()
    assert service.metric("ml_predictions_total", status="success") == before + 1
    assert service.ledger is not None
    with PredictionBook(service.ledger) as book:
        record = until(lambda: next((each for each in book.recent(9) if each.request_id == one["request_id"]), None))
        assert record.prediction == one["prediction"]
        assert (record.probability, record.answer) == (None, None)
        told = {"request_id": one["request_id"], "outcome": {"height": 1, "重さ": 2.5}}
        assert service.ask("/feedback", told).status == 200
        assert [outcome.value for outcome in book.outcomes()] == [{"height": 1, "重さ": 2.5}]
    names = [one.name for one in artifact.signature.output.outputs]
    for wrong in (
        1.0,
        "x",
        {},
        {"height": 1.0},
        dict.fromkeys(names, "x"),
        dict.fromkeys([*names, "z"], 1.0),
        [1.0, 2.0],
    ):
        assert service.ask("/feedback", {**told, "outcome": wrong}).status == 422


def test_feedback_takes_labels_only(labels: tuple[Running, ModelArtifact]) -> None:
    service, _ = labels
    told = {"request_id": "r", "outcome": {"colour": "赤", "size": "XL"}}
    assert service.ask("/feedback", told).code == "unknown_class"
    # It keeps no book.
    assert service.ask("/feedback", {**told, "outcome": {"colour": "赤", "size": "L"}}).code == "no_ledger"
