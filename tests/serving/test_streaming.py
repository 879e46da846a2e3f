"""Answers to many rows, sent part by part."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sekisho.ledger.predictions import PredictionBook

from .conftest import Answer, Running, read_all, serving, until

ROWS = 5_001
"""Two parts and one row."""
TOO_LARGE = 2e38
"""A size whose price is beyond 32-bit floats."""
JSON = "application/json"
LINES = "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"


def rows_of(count: int, sizes: dict[int, float] | None = None) -> list[dict[str, Any]]:
    return [
        {"features": {"size": (sizes or {}).get(row, 30.0 + row % 160), "rooms": 1 + row % 6}} for row in range(count)
    ]


@pytest.fixture(scope="module")
def prices(price_artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    ledger = tmp_path_factory.mktemp("prices") / "predictions.sqlite"
    with serving(price_artifact, ledger=ledger) as running:
        running.ledger = ledger
        yield running


@pytest.fixture(scope="module")
def expected(prices: Running) -> list[float]:
    """The answers to the rows of one batch, asked for in small ones."""
    rows = rows_of(ROWS)
    found: list[float] = []
    for first in range(0, ROWS, 1_000):
        answer = prices.ask("/predict/batch", rows[first : first + 1_000])
        assert "transfer-encoding" not in answer.headers
        found += [one["prediction"] for one in answer.json()["predictions"]]
    return found


def asked(running: Running, accept: str, rows: list[dict[str, Any]], **headers: str) -> Answer:
    answer = running.ask("/predict/batch", rows, headers={"accept": accept, **headers})
    assert answer.status == 200, answer
    assert answer.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in answer.headers
    return answer


def test_json_is_the_same_document(prices: Running, expected: list[float]) -> None:
    document = asked(prices, JSON, rows_of(ROWS)).json()
    assert [one["prediction"] for one in document["predictions"]] == pytest.approx(expected, rel=1e-6)
    small = prices.ask("/predict/batch", rows_of(2)).json()
    assert list(document) == list(small)
    assert document["count"] == ROWS
    assert document["model_version"] == small["model_version"]


def test_lines_csv_and_arrow_hold_every_row_once(prices: Running, expected: list[float]) -> None:
    rows = rows_of(ROWS)
    lines = [json.loads(line) for line in asked(prices, LINES, rows).body.splitlines()]
    assert [one["prediction"] for one in lines] == pytest.approx(expected, rel=1e-6)
    header, *cells = asked(prices, "text/csv", rows).body.decode().splitlines()
    assert header == "prediction,flags"
    assert [float(line.split(",")[0]) for line in cells] == pytest.approx(expected, rel=1e-6)
    with pa.ipc.open_stream(asked(prices, ARROW, rows).body) as reader:
        table = reader.read_all()
    assert table.column("prediction").to_pylist() == pytest.approx(expected, rel=1e-6)
    assert table.schema.metadata[b"request_id"]


def test_what_cannot_be_cut_comes_as_a_whole(prices: Running, expected: list[float]) -> None:
    answer = prices.ask("/predict/batch", rows_of(ROWS), headers={"accept": "application/vnd.apache.parquet"})
    assert int(answer.headers["content-length"]) == len(answer.body)
    from pyarrow import parquet

    table = parquet.read_table(io.BytesIO(answer.body))
    assert table.column("prediction").to_pylist() == pytest.approx(expected, rel=1e-6)


def test_invocations_are_cut_as_well(prices: Running, expected: list[float]) -> None:
    data = [list(row["features"].values()) for row in rows_of(ROWS)]
    answer = prices.ask("/invocations", {"dataframe_split": {"columns": ["size", "rooms"], "data": data}})
    assert answer.headers["transfer-encoding"] == "chunked"
    assert list(answer.json()) == ["predictions"]
    assert answer.json()["predictions"] == pytest.approx(expected, rel=1e-6)


def test_parts_are_compressed_as_one_body(prices: Running, expected: list[float]) -> None:
    answer = asked(prices, LINES, rows_of(ROWS), **{"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    lines = gzip.decompress(answer.body).splitlines()
    assert [json.loads(line)["prediction"] for line in lines] == pytest.approx(expected, rel=1e-6)


def test_flags_stand_at_their_rows(prices: Running) -> None:
    unusual = {0: 900.0, 1_999: 901.0, 2_000: 902.0, 5_000: 903.0}
    predictions = asked(prices, JSON, rows_of(ROWS, unusual)).json()["predictions"]
    assert {row: one["flags"] for row, one in enumerate(predictions) if one["flags"]} == {
        row: ["out_of_range:size"] for row in unusual
    }


def test_one_bad_row_refuses_all_of_them(prices: Running) -> None:
    rows = rows_of(ROWS)
    rows[4_999]["features"]["size"] = "large"
    before = prices.metric("ml_predictions_total", status="success")
    answer = prices.ask("/predict/batch", rows)
    assert (answer.status, answer.json()["row"]) == (422, 4_999)
    assert prices.metric("ml_predictions_total", status="success") == before


def test_every_row_is_counted_and_kept(prices: Running) -> None:
    before = prices.metric("ml_predictions_total", status="success")
    answer = asked(prices, JSON, rows_of(ROWS, {4_000: 500.0}))
    assert prices.metric("ml_predictions_total", status="success") == before + ROWS
    assert prices.ledger is not None
    with PredictionBook(prices.ledger) as book:
        kept = until(lambda: book.find(answer.json()["request_id"]))
    assert [record.prediction for record in kept] == [one["prediction"] for one in answer.json()["predictions"]]
    assert kept[4_000].features["size"] == 500.0
    assert list(kept[4_000].flags) == ["out_of_range:size"]


def test_a_model_that_fails_at_once_is_an_error_as_always(prices: Running) -> None:
    answer = prices.ask("/predict/batch", rows_of(ROWS, {17: TOO_LARGE}))
    assert (answer.status, answer.code) == (500, "invalid_output")


def test_a_model_that_fails_later_ends_the_connection_in_the_middle(prices: Running) -> None:
    failed = prices.metric("ml_problems_total", code="invalid_output")
    connection = http.client.HTTPConnection("127.0.0.1", prices.port, timeout=20)
    body = json.dumps(rows_of(ROWS, {4_500: TOO_LARGE}))
    connection.request("POST", "/predict/batch", body, {"content-type": JSON, "accept": LINES})
    response = connection.getresponse()
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        response.read()
    connection.close()
    until(lambda: prices.metric("ml_problems_total", code="invalid_output") == failed + 1)
    assert prices.predict({"size": 50.0, "rooms": 2}).status == 200


def head_of(body: bytes, version: str = "1.1") -> bytes:
    fields = f"Host: localhost\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}\r\n"
    return f"POST /predict/batch HTTP/{version}\r\n{fields}\r\n".encode()


def test_answers_that_follow_wait_for_the_end(prices: Running) -> None:
    body = json.dumps(rows_of(ROWS)).encode()
    after = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    received = prices.raw(head_of(body) + body + after)
    end = received.index(b"\r\n0\r\n\r\n") + len(b"\r\n0\r\n\r\n")
    assert received[end:].startswith(b"HTTP/1.1 200 OK\r\n")
    assert received.count(b"HTTP/1.1 ") == 2


def test_a_client_that_knows_no_chunks_gets_the_whole(prices: Running) -> None:
    body = json.dumps(rows_of(ROWS)).encode()
    received = prices.raw(head_of(body, "1.0") + body)
    head, _, answer = received.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert json.loads(answer)["count"] == ROWS


def test_a_client_that_leaves_is_not_counted_as_answered(prices: Running) -> None:
    before = prices.metric("ml_predictions_total", status="success")
    body = json.dumps(rows_of(10_000)).encode()
    with prices.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.sendall(head_of(body) + body)
        connection.recv(16)
    until(lambda: prices.metric("ml_connections") <= 1)
    assert prices.metric("ml_predictions_total", status="success") == before
    until(lambda: prices.metric("ml_requests_waiting") == 0)
    assert prices.metric("ml_predictions_total", status="success") == before


def test_a_client_that_reads_slowly_gets_everything(prices: Running) -> None:
    body = json.dumps(rows_of(10_000)).encode()
    with prices.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.sendall(head_of(body).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + body)
        first = connection.recv(16)
        assert prices.predict({"size": 50.0, "rooms": 2}).status == 200  # others are answered meanwhile
        received = first + read_all(connection)
    assert received.endswith(b"0\r\n\r\n")
