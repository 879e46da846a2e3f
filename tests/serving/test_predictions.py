"""Answers over the wire are those of the artifact, whichever way one asks, and the book has them all."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.table import Table
from sekisho.ledger.predictions import PredictionBook

from .conftest import Running, people, serving, until


def test_an_answer_says_everything(service: Running, good: dict[str, Any]) -> None:
    answer = service.predict(good, headers={"x-request-id": "my-request.1"})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"] == "my-request.1"
    assert "server" not in answer.headers
    body = answer.json()
    assert body["prediction"] in {"stays", "leaves"}
    assert set(body["probabilities"]) == {"stays", "leaves"}
    assert body["probability"] == body["probabilities"][body["prediction"]]
    assert sum(body["probabilities"].values()) == pytest.approx(1.0)
    assert body["model_version"] == "1.2.3"
    assert body["request_id"] == "my-request.1"
    assert body["flags"] == []
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ", body["timestamp"])


def test_offline_single_batch_and_invocations_agree(service: Running, loaded: ModelArtifact) -> None:
    table = Table.of(people(200, seed=9))
    records = table.records()
    offline = loaded.predict(table)
    labels = offline.values.tolist()
    assert offline.probabilities is not None
    batch = service.ask("/predict/batch", [{"features": row} for row in records]).json()
    assert batch["count"] == 200
    assert [one["prediction"] for one in batch["predictions"]] == labels
    for one, row in zip(batch["predictions"], offline.probabilities.tolist(), strict=True):
        assert list(one["probabilities"].values()) == pytest.approx(row, abs=1e-9)
    for row, one in list(zip(records, batch["predictions"], strict=True))[:40]:
        by_name = service.predict(dict(reversed(list(row.items())))).json()
        in_order = service.predict(list(row.values())).json()
        assert by_name["prediction"] == in_order["prediction"] == one["prediction"]
        assert by_name["probabilities"] == in_order["probabilities"]
        assert by_name["probability"] == pytest.approx(one["probability"], abs=1e-6)
    columns = list(loaded.signature.names)
    rows = [list(row.values()) for row in records]
    forms: list[Any] = [
        {"dataframe_split": {"columns": columns, "data": rows}},
        {"dataframe_split": {"columns": columns[::-1], "data": [row[::-1] for row in rows], "index": list(range(200))}},
        {"dataframe_records": records},
        {"instances": rows},
        {"instances": records},
        {"inputs": {name: [row[name] for row in records] for name in columns}},
        [{"features": row} for row in records],
    ]
    for form in forms:
        assert service.ask("/invocations", form).json() == {"predictions": labels}
    assert service.ask("/invocations", {"features": rows[0]}).json() == {"predictions": labels[:1]}


def test_csv_with_and_without_a_header(service: Running, loaded: ModelArtifact) -> None:
    frame = people(30, seed=4)
    labels = loaded.predict(Table.of(frame)).values.tolist()
    shuffled = frame[list(frame.columns[::-1])].to_csv(index=False)
    bare = frame.to_csv(index=False, header=False)
    for body in (shuffled, bare):
        answer = service.ask("/invocations", body.encode(), headers={"content-type": "text/csv; charset=utf-8"})
        assert answer.json() == {"predictions": labels}


def test_an_order_of_names_that_is_not_the_signatures_changes_nothing(service: Running, good: dict[str, Any]) -> None:
    answers = {
        json.dumps(service.predict(dict(pairs)).json()["probabilities"])
        for pairs in (good.items(), reversed(good.items()))
    }
    assert len(answers) == 1


def test_values_the_model_does_not_know_are_flagged(service: Running, good: dict[str, Any]) -> None:
    before = service.metric("ml_prediction_flags_total", feature="age", flag="out_of_range")
    answer = service.predict({**good, "age": 200.0, "city": "Nagoya"})
    assert answer.status == 200
    assert sorted(answer.json()["flags"]) == ["out_of_range:age", "unseen_category:city"]
    assert service.metric("ml_prediction_flags_total", feature="age", flag="out_of_range") == before + 1
    batch = service.ask("/predict/batch", [{"features": good}, {"features": {**good, "age": 5.0}}]).json()
    assert [one["flags"] for one in batch["predictions"]] == [[], ["out_of_range:age"]]


def test_the_book_has_what_was_answered_and_nothing_personal(service: Running, good: dict[str, Any]) -> None:
    request_id = f"book-{time.monotonic_ns()}"
    batch_id = f"batch-{time.monotonic_ns()}"
    row = {**good, "income": 4111.5, "age": 200.0}
    single = service.predict(row, headers={"x-request-id": request_id}).json()
    service.ask("/predict/batch", [{"features": list(row.values())}] * 2, headers={"x-request-id": batch_id})
    assert service.ledger is not None
    with PredictionBook(service.ledger) as book:
        (record,) = until(lambda: book.find(request_id), 5)
        assert [one.row for one in until(lambda: book.find(batch_id), 5)] == [0, 1]
    assert record.features == {name: value for name, value in row.items() if name != "income"}
    assert record.prediction == single["prediction"]
    assert record.probability == single["probability"]
    assert record.at == single["timestamp"]
    assert record.flags == ("out_of_range:age",)
    assert record.version == "1.2.3"
    assert b"4111.5" not in service.ledger.read_bytes()


def test_outcomes_of_earlier_requests_go_into_the_book(service: Running, good: dict[str, Any]) -> None:
    request_id = service.predict(good).json()["request_id"]
    answer = service.ask("/feedback", {"request_id": request_id, "outcome": "stays"})
    assert (answer.status, answer.json()) == (200, {"status": "recorded"})
    assert service.ledger is not None
    with PredictionBook(service.ledger) as book:
        told = [one for one in book.outcomes() if one.request_id == request_id]
    assert [(one.row, one.value) for one in told] == [(0, "stays")]
    for bad, code in (
        ({"request_id": request_id, "outcome": "perhaps"}, "unknown_class"),
        ({"request_id": request_id}, "wrong_type"),
        ({"request_id": "a b", "outcome": "stays"}, "wrong_type"),
        ({"request_id": request_id, "outcome": "stays", "row": -1}, "wrong_type"),
    ):
        refused = service.ask("/feedback", bad)
        assert (refused.status, refused.code) == (422, code)
        assert refused.json()["request_id"] == refused.headers["x-request-id"]


def test_many_classes(open_service: Running, iris_artifact: Any) -> None:
    artifact = ModelArtifact.load(iris_artifact)
    for row, label in zip(artifact.golden.rows, artifact.golden.values, strict=True):
        answer = open_service.predict(row).json()
        assert answer["prediction"] == label
        assert list(answer["probabilities"]) == ["0", "1", "2"]


def test_a_regressor_answers_numbers_without_probabilities(price_artifact: Any) -> None:
    artifact = ModelArtifact.load(price_artifact)
    with serving(price_artifact) as running:
        for row, value in list(zip(artifact.golden.rows, artifact.golden.values, strict=True))[:10]:
            answer = running.predict(row).json()
            assert answer["prediction"] == pytest.approx(value, rel=1e-5)
            assert "probability" not in answer
            assert "probabilities" not in answer
        assert running.metric("ml_prediction_value_count") == 10
        assert running.ask("/feedback", {"request_id": "a", "outcome": 1.5}).code == "no_ledger"
