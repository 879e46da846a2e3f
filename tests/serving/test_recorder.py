"""The book is kept off the path, within bounds, and without what must not be in it."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sekisho.artifact.signature import Feature, Output, Signature
from sekisho.ledger.keys import Keyring, LedgerKey
from sekisho.ledger.personal import Treatment, opened, treatment
from sekisho.ledger.postgres import PostgresDatabase
from sekisho.ledger.predictions import BookModel, PredictionBook
from sekisho.ledger.sqlite import SqliteDatabase
from sekisho.predict.columnar import ColumnarRows
from sekisho.predict.scrutiny import Flag
from sekisho.serving import recorder as recorders
from sekisho.serving.entries import EntryMaker
from sekisho.serving.http.head import Head
from sekisho.serving.recorder import Listener, Recorder

SIGNATURE = Signature(
    features=(
        Feature(name="age", kind="float", dtype="float64", nullable=False),
        Feature(name="city", kind="category", dtype="object", nullable=True, categories=("a",)),
    ),
    output=Output(task="regression"),
)


class Told:
    """Keeps what a recorder tells."""

    def __init__(self, address: str) -> None:
        self.written = self.dropped = 0
        self.complaints: list[str] = []
        self.downs: list[bool] = []
        self.address = address
        self.open: list[Recorder] = []

    def recorder(self, signature: Signature = SIGNATURE, *, maker: EntryMaker | None = None, **more: Any) -> Recorder:
        made = Recorder(
            PredictionBook(self.address, durable=more.get("durable", False)),
            BookModel(digest="d", version="1", names=signature.names),
            maker or EntryMaker(signature),
            Listener(
                written=self._wrote,
                dropped=self._lost,
                down=self.downs.append,
                complain=self.complaints.append,
                mended=lambda: None,
            ),
            **more,
        )
        self.open.append(made)
        return made

    def _wrote(self, rows: int) -> None:
        self.written += rows

    def _lost(self, rows: int) -> None:
        self.dropped += rows


@pytest.fixture(params=["sqlite", "postgresql"])
def told(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Told]:
    telling = Told(
        str(tmp_path / "book.sqlite") if request.param == "sqlite" else request.getfixturevalue("postgres").url()
    )
    yield telling
    for recorder in telling.open:
        recorder.close()


def keep(recorder: Recorder, rows: Any, verbatim: bytes | None = None, **more: Any) -> None:
    recorder.keep(
        more.pop("name", "r"),
        "2026-01-01T00:00:00Z",
        0.001,
        rows,
        verbatim,
        [1.0] * len(rows),
        None,
        more.pop("flags", {}),
        **more,
    )


def recent(told: Told) -> list[Any]:
    with PredictionBook(told.address) as book:
        return book.recent(100)


def until(condition: Any, seconds: float = 20.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


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
    recorder = told.recorder(personal, maker=EntryMaker(personal, redacted=("age",)))
    keep(recorder, [(1.5, "Ann")], b'[{"features":{"age":1.5,"name":"Ann"}}]')
    keep(recorder, [(1.5, "Ann")] * 50)
    recorder.flush()
    assert [one.features for one in recent(told)] == [{}] * 51
    assert b"Ann" not in everything(recorder)


def everything(recorder: Recorder) -> bytes:
    """Return all that the tables hold."""
    tables = ("answers_2", "ids_2", "outcomes_1", "models_1")
    return repr([recorder.book.database.query(f"SELECT * FROM {table}") for table in tables]).encode()


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
    assert recorder.book.database.size() < 500_000


def test_few_and_many_rows_by_turns_stay_in_order(told: Told) -> None:
    recorder = told.recorder()
    many = [(float(place), "a") for place in range(40)]
    for turn in range(3):
        keep(recorder, [(-1.0 - turn, None)], name=f"few-{turn}")
        keep(recorder, many, name=f"many-{turn}")
    recorder.flush()
    with PredictionBook(told.address) as book:
        ids = [entry.request_id for chunk in book.chunks() for entry in chunk.entries()]
        assert ids == ["few-0", "many-0", "few-1", "many-1", "few-2", "many-2"]
        assert [one.features["age"] for one in book.find("few-1")] == [-2.0]
        assert [one.features["age"] for one in book.find("many-2")] == [row[0] for row in many]


def test_a_page_that_is_full_is_not_the_last(told: Told) -> None:
    recorder = told.recorder()
    for number in range(recorders.PAGE + 1):
        keep(recorder, [(float(number), "a")])
    recorder.flush()
    with PredictionBook(told.address) as book:
        assert book.count() == recorders.PAGE + 1
        assert max(len(chunk.entries()) for chunk in book.chunks()) <= recorders.PAGE


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


@contextmanager
def unwritable(recorder: Recorder) -> Iterator[None]:
    """Keep the book from being written for a while, as the database itself refuses it."""
    database = recorder.book.database
    if isinstance(database, SqliteDatabase):
        database.connection.execute("PRAGMA query_only = ON")
        yield
        database.connection.execute("PRAGMA query_only = OFF")
    else:
        assert isinstance(database, PostgresDatabase)
        database.connection.execute("SET default_transaction_read_only = on")
        yield
        database.connection.execute("SET default_transaction_read_only = off")


def test_a_book_that_cannot_be_written_is_tried_again_and_complained_about_once(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = told.recorder()
    keep(recorder, [(1.5, "a")], name="first")
    recorder.flush()
    with unwritable(recorder):
        keep(recorder, [(1.5, "a")], name="tried again")
        recorder.flush()
        assert recorder.is_down
        assert not recorder.refuses
    until(lambda: told.written == 2)
    monkeypatch.setattr(recorders, "SECONDS_TO_RETRY", 0.0)
    with unwritable(recorder):
        for _ in range(3):
            keep(recorder, [(1.5, "a")], name="lost")
            recorder.flush()
        until(lambda: told.dropped == 3)
    assert len(told.complaints) == 1
    until(lambda: not recorder.is_down)  # found out without a prediction
    keep(recorder, [(1.5, "a")], name="last")
    recorder.flush()
    assert [one.request_id for one in recent(told)] == ["first", "tried again", "last"]
    assert told.downs == [True, False, True, False]


def test_a_recorder_that_refuses_drops_nothing(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorders, "SECONDS_TO_RETRY", 0.0)
    recorder = told.recorder(refuses=True)
    until(lambda: told.downs == [] and recorder.book.count() == 0)
    with unwritable(recorder):
        keep(recorder, [(1.5, "a")])
        recorder.flush()
        assert recorder.refuses
    until(lambda: told.written == 1)
    assert not recorder.refuses
    assert told.dropped == 0


def test_a_durable_recorder_says_when_it_is_in_the_book(told: Told) -> None:
    recorder = told.recorder(durable=True)
    said: dict[int, bool] = {}

    def then(number: int) -> Any:
        return lambda kept: said.setdefault(number, kept)

    async def all_said(count: int) -> None:
        async with asyncio.timeout(20):
            while len(said) < count:
                await asyncio.sleep(0.01)

    async def ask() -> None:
        for number in range(200):
            keep(recorder, [(1.5, "a")], name=f"r{number}", then=then(number))
        await all_said(200)
        with unwritable(recorder):
            keep(recorder, [(1.5, "a")], then=then(200))
            await all_said(201)
            assert recorder.refuses

    asyncio.run(ask())
    until(lambda: not recorder.refuses)
    assert [said[number] for number in range(201)] == [True] * 200 + [False]
    assert sorted(one.request_id for one in recent(told)) == sorted(f"r{number}" for number in range(100, 200))
    assert (told.written, told.dropped) == (200, 0)


def test_many_rows_are_kept_as_columns_and_read_as_they_came(told: Told) -> None:
    recorder = told.recorder()
    frame = ColumnarRows(SIGNATURE.features, [np.arange(40.0), np.array(["a", None] * 20, dtype=object)])
    keep(recorder, frame)
    keep(recorder, [(float(number), "a" if number % 2 == 0 else None) for number in range(40)])
    recorder.flush()
    found = recent(told)
    assert [one.features for one in found[:40]] == [one.features for one in found[40:]]
    assert found[3].features == {"age": 3.0, "city": None}
    assert recorder.book.database.query("SELECT count(*) FROM batches") == [(2,)]


KEYS = Keyring((LedgerKey("k1", b"h" * 32, b"e" * 32),))
PEOPLE = Signature(
    features=(
        SIGNATURE.features[0],
        Feature(name="name", kind="text", dtype="object", nullable=True, personal=True),
        Feature(name="born", kind="datetime", dtype="datetime64[us]", nullable=True, personal=True),
    ),
    output=SIGNATURE.output,
)
BORN = dt.datetime(1990, 2, 3, tzinfo=dt.UTC)


@pytest.mark.parametrize("how", ["mask", "hash", "encrypt"])
@pytest.mark.parametrize("rows", [1, 40])
def test_personal_values_are_written_as_the_contract_says(told: Told, how: Treatment, rows: int) -> None:
    maker = EntryMaker(PEOPLE, treat=treatment(how, KEYS), keys=KEYS, subject="name")
    recorder = told.recorder(PEOPLE, maker=maker)
    keep(recorder, [(1.5, "Ann Example", BORN)] * rows, b'[{"features":[1.5,"Ann Example","1990-02-03T00:00:00Z"]}]')
    keep(recorder, [(1.5, None, None)] * rows)
    recorder.flush()
    first, *_, last = recent(told)
    assert last.features == {"age": 1.5, "name": None, "born": None}
    assert last.subject is None
    assert first.subject == KEYS.first.digest("subject", "Ann Example")
    shown = first.features["name"]
    assert first.features["age"] == 1.5
    assert isinstance(shown, str)
    expected = {"mask": "mask:", "hash": f"hash:{KEYS.first.digest('value', 'Ann Example')}", "encrypt": shown}
    assert shown == expected[how]
    if how == "encrypt":
        assert opened("name", shown, KEYS) == "Ann Example"
        assert opened("born", first.features["born"], KEYS) == "1990-02-03T00:00:00Z"
    found = everything(recorder)
    assert b"Ann" not in found
    assert b"1990" not in found
    assert b"Example".hex().encode() not in found


def test_subjects_of_a_header_stand_in_the_book_as_hashes(told: Told) -> None:
    recorder = told.recorder(maker=EntryMaker(SIGNATURE, keys=KEYS, subject_header=b"x-customer"))
    for value in (b"c-17", b" c-17 ", b"", None):
        fields = () if value is None else ((b"x-customer", value),)
        head = Head(
            method="POST",
            path=b"/predict",
            query=b"",
            version="1.1",
            fields=fields,
            by_name=dict(fields),
            length=0,
            keep_alive=True,
        )
        keep(recorder, [(1.5, "a")], b'[{"features":[1.5,"a"]}]', head=head)
    recorder.flush()
    digest = KEYS.first.digest("subject", "c-17")
    assert [one.subject for one in recent(told)] == [digest, digest, None, None]
    assert b"c-17" not in everything(recorder)
