"""A table of rows in every format, and what the model answers to it offline."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, ipc, parquet
from tests.serving.conftest import people

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.table import Table

ROWS = 1_100
ARROW = "application/vnd.apache.arrow.stream"
ARROW_FILE = "application/vnd.apache.arrow.file"
PARQUET = "application/vnd.apache.parquet"


def stream(table: pa.Table, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, table.schema, options=ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def file(table: pa.Table, compression: str | None = None) -> bytes:
    sink = io.BytesIO()
    feather.write_feather(table, sink, compression=compression or "uncompressed")
    return sink.getvalue()


def columns(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(table, sink, **options)
    return sink.getvalue()


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    return people(ROWS, seed=33)


@pytest.fixture(scope="session")
def table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame)


@pytest.fixture(scope="session")
def offline(frame: pd.DataFrame, loaded: ModelArtifact) -> Any:
    return loaded.predict(Table.of(frame))


@pytest.fixture(scope="session")
def labels(offline: Any) -> list[str]:
    found: list[str] = offline.values.tolist()
    return found
