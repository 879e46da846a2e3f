"""Bodies that Schemathesis cannot make by itself: tables of rows that the model of the tests takes, in every format."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import schemathesis
from hypothesis import strategies as st
from pyarrow import feather, ipc, parquet

ROW = st.fixed_dictionaries(
    {
        "age": st.floats(18.0, 89.0),
        "income": st.none() | st.floats(0.0, 1e6),
        "children": st.integers(0, 5),
        "city": st.none() | st.sampled_from(["Kyoto", "Osaka", "Nara", "奈良"]),
        "employed": st.booleans(),
        "plan": st.sampled_from(["basic", "plus"]),
    }
)
ROWS = st.lists(ROW, min_size=1, max_size=20)
SCHEMA = pa.schema(
    [
        ("age", pa.float64()),
        ("income", pa.float64()),
        ("children", pa.int64()),
        ("city", pa.string()),
        ("employed", pa.bool_()),
        ("plan", pa.string()),
    ]
)


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    def shown(cell: Any) -> str:
        return "" if cell is None else json.dumps(cell, ensure_ascii=False).strip('"')

    return "".join(
        ",".join(map(shown, line)) + "\n"
        for line in [SCHEMA.names, *([row[name] for name in SCHEMA.names] for row in rows)]
    ).encode()


def as_lines(rows: list[dict[str, Any]]) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


def as_stream(rows: list[dict[str, Any]]) -> bytes:
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, SCHEMA) as writer:
        writer.write_table(pa.Table.from_pylist(rows, SCHEMA))
    return bytes(sink.getvalue())


def as_file(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    feather.write_feather(pa.Table.from_pylist(rows, SCHEMA), sink, compression="lz4")
    return sink.getvalue()


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows, SCHEMA), sink)
    return sink.getvalue()


def as_tensors(rows: list[dict[str, Any]]) -> bytes:
    datatypes = ("FP64", "FP64", "INT64", "BYTES", "BOOL", "BYTES")
    inputs = [
        {"name": name, "datatype": datatype, "shape": [len(rows)], "data": [row[name] for row in rows]}
        for name, datatype in zip(SCHEMA.names, datatypes, strict=True)
    ]
    return json.dumps({"inputs": inputs}).encode()


for media_type, write in {
    "text/csv": as_csv,
    "application/jsonlines": as_lines,
    "application/x-ndjson": as_lines,
    "application/vnd.apache.arrow.stream": as_stream,
    "application/vnd.apache.arrow.file": as_file,
    "application/vnd.apache.parquet": as_parquet,
    "application/octet-stream": as_tensors,
}.items():
    schemathesis.openapi.media_type(media_type, ROWS.map(write))


@schemathesis.serializer("application/jsonlines", "application/x-ndjson")
def serialize(context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
