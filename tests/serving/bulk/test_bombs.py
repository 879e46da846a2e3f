"""Bodies that are small on the wire and large in memory, or damaged: refused before they expand, with the worker alive and small."""

from __future__ import annotations

import gzip
import random
import time
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from tests.serving.bulk.conftest import ARROW, ARROW_FILE, PARQUET, columns, file, stream
from tests.serving.conftest import Running, people, serving

LIMIT = 8 * 2**20
BATCH = "/predict/batch"
CONTENT = "/v2/models/churn/infer"


def resident(process: int) -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4096


@pytest.fixture(scope="module")
def one(people_artifact: Path) -> Iterator[Running]:
    """A service with one worker, which has read a table before, so that its libraries are there."""
    with serving(people_artifact) as running:
        table = pa.Table.from_pandas(people(2_000))
        for body, media_type in ((stream(table), ARROW), (columns(table), PARQUET)):
            assert running.ask(BATCH, body, headers={"content-type": media_type}).status == 200
        yield running


@pytest.fixture
def steady(one: Running) -> Iterator[Running]:
    """The same; the worker must be the same after, and not much larger."""
    (worker,) = one.workers()
    before = resident(worker)
    yield one
    assert one.workers() == [worker]
    assert resident(worker) - before < 2 * LIMIT + 16 * 2**20
    assert one.ask("/health").status == 200


@cache
def blanks(coding: str) -> bytes:
    """Return 32 MiB of blanks in a thousandth of it."""
    blank = b" " * (32 * 2**20)
    if coding == "zstd":
        return bytes(pa.compress(blank, codec="zstd", asbytes=True))
    return gzip.compress(blank, 6) if coding == "gzip" else zlib.compress(blank, 6)


@pytest.mark.parametrize("path", [BATCH, "/invocations", CONTENT])
@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
def test_a_compressed_bomb_is_refused_at_the_limit(steady: Running, path: str, coding: str) -> None:
    packed = blanks(coding)
    assert len(packed) * 500 < 32 * 2**20
    began = time.monotonic()
    answer = steady.ask(path, packed, headers={"content-encoding": coding})
    assert answer.status == 413
    assert answer.json()["code"] == "body_too_large"
    assert time.monotonic() - began < 2.0


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize("spoil", ["cut", "more", "none"])
def test_what_is_not_compressed_so_is_refused(steady: Running, coding: str, spoil: str) -> None:
    body = b"40,,2,Kyoto,true,basic\n" * 50
    packed = {
        "gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "zstd": bytes(pa.compress(body, codec="zstd", asbytes=True)),
    }[coding]
    sent = {"cut": packed[:-9], "more": packed + b"more", "none": b"\0" + packed}[spoil]
    answer = steady.ask(BATCH, sent, headers={"content-encoding": coding, "content-type": "text/csv"})
    assert (answer.status, answer.code) == (400, "malformed_encoding")


def test_one_row_predictions_take_no_compressed_bodies(steady: Running) -> None:
    answer = steady.ask("/predict", gzip.compress(b"{}"), headers={"content-encoding": "gzip"})
    assert (answer.status, answer.code) == (415, "unsupported_encoding")
    assert steady.ask(BATCH, b"{}", headers={"content-encoding": "gzip, gzip"}).code == "unsupported_encoding"


def row(**cells: Any) -> dict[str, Any]:
    return {"age": 40.0, "income": 1.0, "children": 2, "city": "Kyoto", "employed": True, "plan": "basic", **cells}


def bombs() -> dict[str, tuple[str, bytes, str]]:
    many = 3_000_000
    rows = pa.table({name: pa.array([value] * 1).take(pa.array([0] * many)) for name, value in row().items()})
    long = pa.Table.from_pylist([row(city="x" * (100 * 2**20))])
    null = pa.table({name: pa.nulls(2**31 - 1) for name in row()})
    return {
        "many rows, parquet": (PARQUET, columns(rows, compression="zstd"), "too_many_rows"),
        "many rows, arrow": (ARROW, stream(rows, compression="zstd"), "too_many_rows"),
        "nothing but nulls": (ARROW, stream(null), "too_many_rows"),
        "one long string, arrow": (ARROW, stream(long, compression="zstd"), "body_too_large"),
        "one long string, file": (ARROW_FILE, file(long, "zstd"), "body_too_large"),
        "one long string, parquet": (PARQUET, columns(long, compression="zstd"), "body_too_large"),
    }


@pytest.fixture(scope="module")
def made() -> dict[str, tuple[str, bytes, str]]:
    return bombs()


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        "many rows, parquet",
        "many rows, arrow",
        "nothing but nulls",
        *(f"one long string, {one}" for one in ("arrow", "file", "parquet")),
    ],
)
def test_a_table_that_expands_is_refused_before_it_does(
    steady: Running, made: dict[str, tuple[str, bytes, str]], kind: str
) -> None:
    media_type, body, code = made[kind]
    if len(body) > LIMIT:
        code = "body_too_large"
    began = time.monotonic()
    answer = steady.ask(BATCH, body, headers={"content-type": media_type})
    assert (answer.status, answer.code) == (413, code)
    assert time.monotonic() - began < 2.0


@pytest.mark.parametrize(("length", "status"), [(500, 200), (9_999, 413)])
def test_a_string_that_all_rows_share_counts_for_every_row(steady: Running, length: int, status: int) -> None:
    cells = row(city="x" * length)
    table = pa.table({name: pa.array([value]).take(pa.array([0] * 9_000)) for name, value in cells.items()})
    coded = table.set_column(3, "city", table.column("city").combine_chunks().dictionary_encode())
    for body, media_type in ((columns(table), PARQUET), (stream(coded), ARROW)):
        assert len(body) < 2**20  # 4.5 or 90 MB if every row had its own
        answer = steady.ask(BATCH, body, headers={"content-type": media_type, "accept": "text/csv"})
        assert answer.status == status
        if status == 413:
            assert answer.code == "body_too_large"
        else:
            assert answer.body.count(b"unseen_category:city") == 9_000


def test_a_declared_size_is_not_believed(steady: Running) -> None:
    table = pa.Table.from_pandas(people(300))
    body = bytearray(stream(table, compression="lz4"))
    at = body.find(b"\x04\x22\x4d\x18") - 8  # the mark of an LZ4 frame; before it stands its length
    body[at : at + 8] = (2**40).to_bytes(8, "little")
    assert steady.ask(BATCH, bytes(body), headers={"content-type": ARROW}).code == "body_too_large"
    body[at : at + 8] = (16).to_bytes(8, "little")
    assert steady.ask(BATCH, bytes(body), headers={"content-type": ARROW}).code == "malformed_table"


def test_damaged_tables_are_refused_and_nothing_dies(steady: Running) -> None:
    frame = people(60, seed=5)
    table = pa.Table.from_pandas(frame)
    coded = pa.Table.from_pandas(frame.astype({"city": "category"}))
    seeds = [
        (ARROW, stream(table)),
        (ARROW, stream(coded, compression="lz4")),
        (ARROW_FILE, file(table)),
        (PARQUET, columns(table)),
        (PARQUET, columns(coded, compression="zstd", data_page_version="2.0")),
    ]
    chance = random.Random(11)
    for _ in range(250):
        media_type, whole = chance.choice(seeds)
        body = bytearray(whole)
        for _ in range(chance.choice((1, 2, 8))):
            place = chance.randrange(len(body))
            body[place : place + chance.choice((1, 4))] = chance.choice(
                (b"\xff", b"\0\0\0\x80", b"\xff\xff\xff\x7f", b"")
            )
        answer = steady.ask(BATCH, bytes(body), headers={"content-type": media_type})
        assert answer.status in {200, 400, 413, 422}, (media_type, answer)


def test_others_are_answered_while_a_large_table_is_read(one: Running, good: Any) -> None:
    import threading

    frame = pd.concat([people(10_000)])
    body = gzip.compress(frame.to_csv(index=False).encode(), 1)
    ended: list[int] = []

    def ask() -> None:
        ended.append(one.ask(BATCH, body, headers={"content-type": "text/csv", "content-encoding": "gzip"}).status)

    asking = threading.Thread(target=ask)
    asking.start()
    longest = 0.0
    while asking.is_alive():
        began = time.monotonic()
        assert one.predict(good).status == 200
        longest = max(longest, time.monotonic() - began)
    asking.join()
    assert ended == [200]
    assert longest < 0.5
