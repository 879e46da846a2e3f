"""Tables in and out: every format gives the answers of the model offline, and what does not fit is refused with the same codes."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import ipc, parquet
from tests.serving.bulk.conftest import ARROW, ARROW_FILE, PARQUET, ROWS, columns, file, stream
from tests.serving.conftest import Running

BATCH = "/predict/batch"
INVOCATIONS = "/invocations"


def bodies(frame: pd.DataFrame, table: pa.Table) -> dict[str, tuple[str, bytes]]:
    coded = pa.Table.from_pandas(frame.astype({"city": "category", "plan": "category"}))
    lines = "\n".join(json.dumps(row) for row in json.loads(frame.to_json(orient="records")))
    return {
        "stream": (ARROW, stream(table)),
        "stream of small batches": (ARROW, stream(pa.concat_tables([table.slice(0, 7), table.slice(7)]))),
        "stream, lz4": (ARROW, stream(table, compression="lz4")),
        "stream, zstd": (ARROW, stream(table, compression="zstd")),
        "stream, dictionaries": (ARROW, stream(coded)),
        "file": (ARROW_FILE, file(table)),
        "file, lz4": (ARROW_FILE, file(table, "lz4")),
        "parquet": (PARQUET, columns(table)),
        "parquet, plain": (PARQUET, columns(table, use_dictionary=False, compression="none")),
        "parquet, zstd and small pages": (PARQUET, columns(table, compression="zstd", data_page_size=512)),
        "parquet, version 2 pages": (PARQUET, columns(table, data_page_version="2.0", row_group_size=300)),
        "parquet, another name": ("application/x-parquet", columns(coded)),
        "csv": ("text/csv", frame.to_csv(index=False).encode()),
        "csv, header=present": (
            "text/csv; charset=utf-8; header=present",
            frame[list(frame)[::-1]].to_csv(index=False).encode(),
        ),
        "csv, header=absent": ("text/csv;header=absent", frame.to_csv(index=False, header=False).encode()),
        "json lines": ("application/jsonlines", lines.encode()),
        "json lines, wrapped": (
            "application/x-ndjson; charset=UTF-8",
            "\n".join(f'{{"features": {line}}}' for line in lines.split("\n")).encode() + b"\n\n",
        ),
    }


KINDS = list(bodies(pd.DataFrame({"city": ["a"], "plan": ["b"]}), pa.table({"city": ["a"]})))


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_gives_the_answers_of_the_model(
    service: Running, frame: pd.DataFrame, table: pa.Table, offline: Any, labels: list[str], kind: str
) -> None:
    media_type, body = bodies(frame, table)[kind]
    answer = service.ask(INVOCATIONS, body, headers={"content-type": media_type})
    assert answer.json() == {"predictions": labels}
    batch = service.ask(BATCH, body, headers={"content-type": media_type}).json()
    assert batch["count"] == ROWS
    assert [one["prediction"] for one in batch["predictions"]] == labels
    shown = [list(one["probabilities"].values()) for one in batch["predictions"]]
    np.testing.assert_allclose(shown, offline.probabilities, atol=1e-9)


def read(media_type: str, body: bytes) -> Any:
    if media_type == PARQUET:
        return parquet.read_table(io.BytesIO(body)).to_pylist()
    if media_type == ARROW:
        return ipc.open_stream(body).read_all().to_pylist()
    if media_type == ARROW_FILE:
        return ipc.open_file(body).read_all().to_pylist()
    if media_type == "text/csv":
        return list(csv.DictReader(io.StringIO(body.decode())))
    return [json.loads(line) for line in body.splitlines()]


@pytest.mark.parametrize(
    "accept", [PARQUET, ARROW, ARROW_FILE, "text/csv", "application/jsonlines", "application/x-ndjson"]
)
def test_answers_come_in_the_format_that_is_accepted(
    service: Running, table: pa.Table, offline: Any, labels: list[str], accept: str
) -> None:
    headers = {"content-type": ARROW, "accept": accept}
    answer = service.ask(BATCH, stream(table), headers=headers)
    assert answer.headers["content-type"].partition(";")[0] == accept
    rows = read(accept, answer.body)
    assert [row["prediction"] for row in rows] == labels
    np.testing.assert_allclose(
        [float(row["probability_leaves"]) for row in rows], offline.probabilities[:, 0], atol=1e-9
    )
    answer = service.ask(INVOCATIONS, stream(table), headers=headers)
    assert answer.status == 200
    if accept == "text/csv":
        assert answer.body.decode().splitlines() == labels  # as SageMaker's containers answer
    else:
        assert [row["prediction"] for row in read(accept, answer.body)] == labels


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/*;q=0.5, application/json;q=0.4", "text/csv"),
        ("application/*", "application/json"),
        ("application/json;q=0, */*;q=0.1", "text/csv"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
        ("text/html", 406),
        ("application/json;q=0", 406),
        (";;;,,", 406),
    ],
)
def test_what_is_accepted_is_negotiated(service: Running, good: Any, accept: str | None, expected: str | int) -> None:
    for path, body in ((BATCH, [{"features": good}]), (INVOCATIONS, {"instances": [good]})):
        answer = service.ask(path, body, headers={} if accept is None else {"accept": accept})
        if expected == 406:
            assert (answer.status, answer.code) == (406, "not_acceptable")
        else:
            assert answer.headers["content-type"].partition(";")[0] == expected


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd", "GZip", "x-gzip", "identity"])
def test_bodies_may_be_compressed(service: Running, frame: pd.DataFrame, labels: list[str], coding: str) -> None:
    body = frame.to_csv(index=False).encode()
    packed = {
        "gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "zstd": bytes(pa.compress(body, codec="zstd", asbytes=True)),
        "identity": body,
    }[coding.lower().removeprefix("x-")]
    headers = {"content-type": "text/csv", "content-encoding": coding}
    assert service.ask(INVOCATIONS, packed, headers=headers).json() == {"predictions": labels}


def test_answers_are_compressed_only_for_those_who_ask(service: Running, frame: pd.DataFrame) -> None:
    body = frame.to_csv(index=False).encode()
    plain = service.ask(BATCH, body, headers={"content-type": "text/csv"})
    packed = service.ask(BATCH, body, headers={"content-type": "text/csv", "accept-encoding": "br, gzip"})
    refused = service.ask(BATCH, body, headers={"content-type": "text/csv", "accept-encoding": "gzip;q=0"})
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in refused.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed.body))["predictions"] == plain.json()["predictions"]
    small = service.ask(
        BATCH, b"40,,2,Kyoto,true,basic\n", headers={"content-type": "text/csv", "accept-encoding": "gzip"}
    )
    assert "content-encoding" not in small.headers


def test_custom_attributes_of_sagemaker_come_back(service: Running, good: Any) -> None:
    name = "x-amzn-sagemaker-custom-attributes"
    assert service.ask(INVOCATIONS, {"instances": [good]}, headers={name: "trace=7"}).headers[name] == "trace=7"
    assert name not in service.ask(INVOCATIONS, {"instances": [good]}, headers={name: "a" * 2_000}).headers


def people(**cells: Any) -> pa.Table:
    """Return a table of one row, with other columns where they are given."""
    known: dict[str, Any] = {
        "age": pa.array([40.0]),
        "income": pa.array([None], pa.float64()),
        "children": pa.array([2]),
        "city": pa.array(["Kyoto"]),
        "employed": pa.array([True]),
        "plan": pa.array(["basic"]),
    }
    return pa.table({name: value for name, value in {**known, **cells}.items() if value is not None})


def test_columns_of_many_types_are_the_same_row(service: Running, good: Any) -> None:
    expected = service.predict(good).json()["probabilities"]
    for cells in (
        {},
        {"age": pa.array([40], pa.int8()), "children": pa.array([2.0], pa.float32())},
        {"age": pa.array([40.0], pa.float32()), "income": pa.nulls(1), "children": pa.array([2], pa.uint64())},
        {"city": pa.array(["Kyoto"], pa.large_string()), "plan": pa.array(["basic"]).dictionary_encode()},
    ):
        for body, media_type in ((stream(people(**cells)), ARROW), (columns(people(**cells)), PARQUET)):
            answer = service.ask(BATCH, body, headers={"content-type": media_type}).json()
            assert answer["predictions"][0]["probabilities"] == pytest.approx(expected)
            assert answer["predictions"][0]["flags"] == []


UNFIT: list[tuple[dict[str, Any], str, str | None]] = [
    ({"age": None}, "missing_feature", "age"),
    ({"height": pa.array([1.0])}, "unknown_feature", "height"),
    ({"age": pa.array([None], pa.float64())}, "null_not_allowed", "age"),
    ({"age": pa.array([float("nan")])}, "null_not_allowed", "age"),
    ({"age": pa.array([float("inf")])}, "not_finite", "age"),
    ({"age": pa.array(["40"])}, "wrong_type", "age"),
    ({"age": pa.array([True])}, "wrong_type", "age"),
    ({"age": pa.array([2**53 + 1])}, "not_exact", "age"),
    ({"age": pa.array([[1.0]])}, "wrong_type", "age"),
    ({"age": pa.array([{"a": 1.0}])}, "wrong_type", "age"),
    ({"age": pa.array([b"x"], pa.binary())}, "wrong_type", "age"),
    ({"children": pa.array([2.5])}, "wrong_type", "children"),
    ({"children": pa.array([7])}, "out_of_range", "children"),
    ({"children": pa.array([2**63], pa.uint64())}, "not_exact", "children"),
    ({"employed": pa.array([1])}, "wrong_type", "employed"),
    ({"city": pa.array([3])}, "wrong_type", "city"),
    ({"city": pa.array(["x" * 20_000])}, "too_long", "city"),
    ({"city": pa.array(["x" * 20_000]).dictionary_encode()}, "too_long", "city"),
    ({"plan": pa.array(["gold"])}, "unseen_category", "plan"),
    ({"plan": pa.array([None], pa.string())}, "null_not_allowed", "plan"),
]


@pytest.mark.parametrize(("cells", "code", "field"), UNFIT, ids=range(len(UNFIT)))
def test_columns_that_do_not_fit_are_refused(
    service: Running, cells: dict[str, Any], code: str, field: str | None
) -> None:
    table = people(**cells)
    for body, media_type in ((stream(table), ARROW), (file(table), ARROW_FILE), (columns(table), PARQUET)):
        answer = service.ask(BATCH, body, headers={"content-type": media_type})
        assert (answer.code, answer.json().get("field")) == (code, field), media_type
        assert len(answer.body) < 4096


def test_views_and_runs_are_refused_unread(service: Running) -> None:
    view = people(city=pa.array(["Kyoto"]).cast(pa.string_view()))
    runs = people(age=pa.RunEndEncodedArray.from_arrays(pa.array([1], pa.int32()), pa.array([40.0])))
    for table in (view, runs):
        assert service.ask(BATCH, stream(table), headers={"content-type": ARROW}).code == "wrong_type"


def test_a_column_that_stands_twice_is_refused(service: Running) -> None:
    table = people().append_column("age", pa.array([41.0]))
    assert service.ask(BATCH, stream(table), headers={"content-type": ARROW}).code == "duplicate_key"


def test_the_index_of_a_data_frame_is_no_feature(service: Running, frame: pd.DataFrame, labels: list[str]) -> None:
    odd = frame[frame["children"] > 2]
    table = pa.Table.from_pandas(odd)
    assert any("__index" in name for name in table.column_names)
    answer = service.ask(INVOCATIONS, columns(table), headers={"content-type": PARQUET})
    assert answer.json() == {"predictions": [labels[place] for place in odd.index]}


@pytest.mark.parametrize(
    ("media_type", "body", "code"),
    [
        ("text/csv; header=present", b"1,2,3,4,5,6\n", "unknown_feature"),
        ("text/csv; header=absent", b"age,income,children,city,employed,plan\n", "wrong_type"),
        ("application/jsonlines", b"{", "malformed_json"),
        ("application/jsonlines", b'{"a": 1, "a": 1}', "duplicate_key"),
        ("application/jsonlines", b"\n\n", "no_rows"),
        ("application/jsonlines", b"3\n", "wrong_type"),
        ("application/jsonlines", b"[1]\n", "wrong_count"),
        ("application/jsonlines", b"[]\n" * 10_001, "too_many_rows"),
        ("text/csv", b"\n".join([b"1"] * 10_003), "wrong_count"),
        (ARROW, b"", "no_rows"),
        (ARROW, b"x" * 1_000, "malformed_table"),
        (ARROW_FILE, b"ARROW1\0\0", "no_rows"),
        (PARQUET, b"PAR1PAR1", "malformed_table"),
        (PARQUET, b"", "malformed_table"),
    ],
    ids=range(14),
)
def test_what_is_no_table_is_refused(service: Running, media_type: str, body: bytes, code: str) -> None:
    answer = service.ask(BATCH, body, headers={"content-type": media_type})
    assert answer.code == code
    assert answer.status < 500


@pytest.mark.parametrize(
    "media_type",
    [
        "text/csv; charset=latin-1",
        "text/csv; charset=utf-8; charset=utf-8",
        "text/csv; =",
        "text/plain",
        "application/x-pickle",
    ],
)
def test_other_media_types_are_refused(service: Running, media_type: str) -> None:
    assert service.ask(BATCH, b"1", headers={"content-type": media_type}).code == "unsupported_media_type"
