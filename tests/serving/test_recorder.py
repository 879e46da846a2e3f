"""The book is kept off the path, within bounds, and without what must not be in it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sekisho.artifact.signature import Feature, Output, Signature
from sekisho.ledger.predictions import BookModel, PredictionBook
from sekisho.predict.scrutiny import Flag
from sekisho.serving import recorder as recorders
from sekisho.serving.recorder import Recorder

SIGNATURE = Signature(
    features=(
        Feature(name="age", kind="float", dtype="float64", nullable=False),
        Feature(name="city", kind="category", dtype="object", nullable=True, categories=("a",)),
    ),
    output=Output(task="regression"),
)


class Told:
    """Keeps what a recorder tells."""

    def __init__(self, folder: Path) -> None:
        self.written = self.dropped = 0
        self.complaints: list[str] = []
        self.path = folder / "book.sqlite"
        self.open: list[Recorder] = []

    def recorder(self, signature: Signature = SIGNATURE, **more: Any) -> Recorder:
        made = Recorder(
            PredictionBook(self.path),
            BookModel(digest="d", version="1", names=signature.names),
            signature,
            **{"fraction": 1.0, "redacted": (), **more},
            written=self._wrote,
            dropped=self._lost,
            complain=self.complaints.append,
        )
        self.open.append(made)
        return made

    def _wrote(self, rows: int) -> None:
        self.written += rows

    def _lost(self, rows: int) -> None:
        self.dropped += rows


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    telling = Told(tmp_path)
    yield telling
    for recorder in telling.open:
        recorder.close()


def keep(recorder: Recorder, rows: list[Any], verbatim: bytes | None = None, **more: Any) -> None:
    recorder.keep("r", "2026-01-01T00:00:00Z", 0.001, rows, verbatim, [1.0] * len(rows), None, more.get("flags", {}))


def recent(told: Told) -> list[Any]:
    with PredictionBook(told.path) as book:
        return book.recent(100)


def test_rows_are_in_the_book_after_a_flush(told: Told) -> None:
    recorder = told.recorder()
    keep(recorder, [(1.5, "a")], b'[{"features":{"city":"a","age":1.50}}]', flags={0: [Flag("out_of_range", "age")]})
    keep(recorder, [(2.5, None), (3.5, "a")])
    recorder.flush()
    found = recent(told)
    assert [one.features for one in found] == [
        {"age": 1.5, "city": "a"},
        {"age": 2.5, "city": None},
        {"age": 3.5, "city": "a"},
    ]
    assert found[0].flags == ("out_of_range:age",)
    assert found[0].latency_ms == 1.0
    assert (told.written, told.dropped) == (3, 0)


def test_redacted_and_personal_features_are_left_out(told: Told) -> None:
    personal = Signature(
        features=(
            SIGNATURE.features[0],
            Feature(name="name", kind="text", dtype="object", nullable=False, personal=True),
        ),
        output=SIGNATURE.output,
    )
    recorder = told.recorder(personal, redacted=("age",))
    keep(recorder, [(1.5, "Ann")], b'[{"features":{"age":1.5,"name":"Ann"}}]')
    recorder.flush()
    assert [one.features for one in recent(told)] == [{}]
    assert b"Ann" not in told.path.read_bytes()


def test_moments_are_written_in_utc(told: Told) -> None:
    signature = Signature(
        features=(Feature(name="when", kind="datetime", dtype="datetime64[us]", nullable=True),),
        output=SIGNATURE.output,
    )
    recorder = told.recorder(signature)
    moment = dt.datetime(2026, 1, 1, 9, tzinfo=dt.timezone(dt.timedelta(hours=9)))
    keep(recorder, [(moment,), (None,)], b'[{"features":["2026-01-01T09:00:00+09:00"]},{"features":[null]}]')
    recorder.flush()
    assert [one.features for one in recent(told)] == [{"when": "2026-01-01T00:00:00Z"}, {"when": None}]


def test_blanks_that_somebody_sends_do_not_fill_the_book(told: Told) -> None:
    recorder = told.recorder()
    keep(recorder, [(1.5, "a")], b'[{"features":[1.5,' + b" " * 1_000_000 + b'"a"]}]')
    recorder.flush()
    assert [one.features for one in recent(told)] == [{"age": 1.5, "city": "a"}]
    assert told.path.stat().st_size + told.path.with_name("book.sqlite-wal").stat().st_size < 500_000


def test_a_fraction_is_a_fraction(told: Told) -> None:
    recorder = told.recorder(fraction=0.25)
    for _ in range(2_000):
        keep(recorder, [(1.5, "a")])
    recorder.flush()
    assert 350 < told.written < 650
    assert told.dropped == 0


def test_what_waits_is_bounded_and_what_is_lost_is_counted(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorders, "MOST_WAITING", 10_000)
    recorder = told.recorder()
    with recorder._lock:  # the disk takes its time
        for _ in range(500):
            keep(recorder, [(1.5, "a")])
    recorder.flush()
    assert told.written + told.dropped == 500
    assert told.dropped > 300
    keep(recorder, [(1.5, "a")])
    recorder.flush()
    assert told.written + told.dropped == 501


def test_a_book_that_cannot_be_written_is_complained_about_once(told: Told) -> None:
    recorder = told.recorder()
    recorder.book._connection.execute("PRAGMA query_only = ON")
    for _ in range(3):
        keep(recorder, [(1.5, "a")])
        recorder.flush()
    assert told.dropped == 3
    assert len(told.complaints) == 1
    recorder.book._connection.execute("PRAGMA query_only = OFF")
    keep(recorder, [(1.5, "a")])
    recorder.flush()
    assert told.written == 1
