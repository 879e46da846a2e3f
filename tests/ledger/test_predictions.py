"""The book of predictions: what goes in comes out, from several processes, and nothing is half-written. In both databases."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import msgspec
import numpy as np
import pytest

from sekisho.errors import LedgerError
from sekisho.ledger.columns import Columns
from sekisho.ledger.predictions import BookModel, Entry, Outcome, PredictionBook, PredictionRecord

MODEL = BookModel(digest="d" * 64, version="1.0.0", names=("age", "city"))


def record(number: int, *, model: str = "d" * 64, row: int = 0, flags: tuple[str, ...] = ()) -> PredictionRecord:
    return PredictionRecord(
        request_id=f"request-{number}",
        row=row,
        at=f"2026-11-24T00:00:{number % 60:02d}.000Z",
        model=model,
        version="1.0.0",
        features={"age": 40.5 + number, "city": None},
        prediction="yes",
        probability=0.75,
        flags=flags,
        latency_ms=1.25,
    )


def test_records_come_back_as_they_went_in_newest_last(book: PredictionBook) -> None:
    records = [record(0), record(1, flags=("out_of_range:age",)), record(2), record(2, row=1)]
    book.append(records)
    assert book.recent(10) == records
    assert book.recent(2) == records[-2:]
    assert book.count() == 4


def test_many_chunks_are_read_in_order(book: PredictionBook) -> None:
    records = [record(number) for number in range(100)]
    for one in records:
        book.append([one])
    assert book.recent(100) == records
    assert book.recent(70) == records[-70:]


def test_rows_as_callers_send_them_are_taken_over_and_read_by_name(book: PredictionBook) -> None:
    entries = [
        Entry("a", "2026-11-24T00:00:00Z", 1.0, True, msgspec.Raw(b'[{"features":[ 1.50,"x"]}]'), ["yes"], None, {}),
        Entry(
            "b", "2026-11-24T00:00:01Z", 1.0, True, msgspec.Raw(b'[{"features":{"city":"y","age":2}}]'), [3], [0.5], {}
        ),
        Entry(
            "c", "2026-11-24T00:00:02Z", 1.0, False, [[3, None], [4, "z"]], ["no", "yes"], [0.5, 0.6], {1: ["f:age"]}
        ),
    ]
    book.write(MODEL, entries)
    found = book.recent(10)
    assert [one.features for one in found] == [
        {"age": 1.5, "city": "x"},
        {"age": 2, "city": "y"},
        {"age": 3, "city": None},
        {"age": 4, "city": "z"},
    ]
    assert [(one.request_id, one.row) for one in found] == [("a", 0), ("b", 0), ("c", 0), ("c", 1)]
    assert [one.probability for one in found] == [None, 0.5, 0.5, 0.6]
    assert [one.flags for one in found] == [(), (), (), ("f:age",)]


def test_the_view_shows_one_line_a_prediction(book: PredictionBook) -> None:
    book.append([record(0), record(0, row=1, flags=("out_of_range:age",))])
    book.write(
        MODEL, [Entry("w", "2026-11-24T00:00:01Z", 1.0, True, msgspec.Raw(b'[{"features":[1,"x"]}]'), [7], None, {})]
    )
    lines = book.database.query(
        "SELECT request_id, row, version, features, prediction, probability, flags FROM predictions ORDER BY sequence, row"
    )

    def value(shown: Any) -> Any:
        return json.loads(shown) if isinstance(shown, str) and shown[:1] in "[{" else shown

    assert [tuple(map(value, line)) for line in lines] == [
        ("request-0", 0, "1.0.0", {"age": 40.5, "city": None}, "yes", 0.75, None),
        ("request-0", 1, "1.0.0", {"age": 40.5, "city": None}, "yes", 0.75, ["out_of_range:age"]),
        ("w", 0, "1.0.0", [1, "x"], 7, None, None),
    ]


def columns(rows: int) -> Entry:
    numbers = np.arange(rows, dtype=np.float64)
    numbers[1] = np.nan
    cities = ["x", None] * (rows // 2)
    cells = Columns(rows=rows, cells=((0, "float", numbers), (1, "any", cities)))
    return Entry("large", "2026-11-24T00:00:05Z", 2.0, False, cells, ["no"] * rows, [0.5] * rows, {3: ["null:city"]})


def test_columns_are_read_as_rows_and_shown_as_one_batch(book: PredictionBook) -> None:
    small = Entry("small", "2026-11-24T00:00:04Z", 1.0, False, [[3, None]], ["yes"], None, {})
    later = Entry("later", "2026-11-24T00:00:06Z", 1.0, False, [[4, "z"]], ["yes"], None, {})
    book.write(MODEL, [small, columns(100), later])
    found = book.recent(102)
    assert [one.request_id for one in found] == ["small", *["large"] * 100, "later"]
    assert [one.features for one in found[1:4]] == [
        {"age": 0.0, "city": "x"},
        {"age": None, "city": None},
        {"age": 2.0, "city": "x"},
    ]
    assert [one.flags for one in found[3:6]] == [(), ("null:city",), ()]
    assert (found[5].row, found[5].probability, found[5].prediction) == (4, 0.5, "no")
    assert book.count() == 102
    assert len(book.find("large")) == book.rows_of("large") == 100
    assert book.database.query("SELECT request_id, rows, latency_ms FROM batches") == [("large", 100, 2.0)]
    assert book.database.query("SELECT count(*) FROM predictions") == [(2,)]


def test_a_token_is_written_once(book: PredictionBook) -> None:
    entries = [Entry("a", "2026-11-24T00:00:00Z", 1.0, False, [[3, None]], ["yes"], None, {}), columns(100)]
    for _ in range(2):
        book.write(MODEL, entries, token="once")
    book.write(MODEL, entries, token="twice")
    assert book.count() == 202


def test_what_is_found_does_not_depend_on_who_wrote_it(address: str) -> None:
    for number in range(3):
        with PredictionBook(address) as book:
            book.append([record(10 * number + one) for one in range(5)])
    with PredictionBook(address) as book:
        assert book.database.query("SELECT count(DISTINCT bucket) FROM ids_2") == [(3,)]
        assert all(book.rows_of(f"request-{10 * number + 4}") == 1 for number in range(3))
        assert book.rows_of("request-5") is None


def test_predictions_of_one_model_are_told_apart(book: PredictionBook) -> None:
    book.append([record(0, model="a"), record(1, model="b"), record(2, model="a")])
    assert [one.request_id for one in book.recent(10, "a")] == ["request-0", "request-2"]
    assert book.count("a") == 2
    assert book.count("c") == 0


def test_one_request_is_found_by_its_id_alone(book: PredictionBook) -> None:
    book.append([record(1), record(10), record(10, row=1)])
    assert [(one.request_id, one.row) for one in book.find("request-10")] == [("request-10", 0), ("request-10", 1)]
    assert book.find("request-1") == [record(1)]
    assert book.find('no"such') == []
    assert (book.rows_of("request-10"), book.rows_of("request-1"), book.rows_of("x")) == (2, 1, None)


def test_the_last_word_on_an_outcome_counts(book: PredictionBook) -> None:
    book.add_outcome("request-0", 0, "no", at="2026-11-25T00:00:00Z")
    book.add_outcome("request-0", 0, "yes", at="2026-11-26T00:00:00Z")
    book.add_outcome("request-1", 2, 3.5, at="2026-11-25T12:00:00Z")
    assert book.outcomes() == [
        Outcome(request_id="request-1", row=2, value=3.5, at="2026-11-25T12:00:00Z"),
        Outcome(request_id="request-0", row=0, value="yes", at="2026-11-26T00:00:00Z"),
    ]
    assert book.outcomes(since="2026-11-26") == book.outcomes()[1:]


def test_pruning_removes_what_is_older_and_nothing_else(book: PredictionBook) -> None:
    for number in range(5):
        book.append([record(number)])
    assert book.prune("2026-11-24T00:00:02.000Z") == 2
    assert [one.request_id for one in book.recent(10)] == ["request-2", "request-3", "request-4"]
    assert book.database.query("SELECT request_id FROM ids_2 ORDER BY 1") == [
        ("request-2",),
        ("request-3",),
        ("request-4",),
    ]


def test_outcomes_go_with_their_requests_and_stay_with_an_id_that_is_used_again(book: PredictionBook) -> None:
    book.append([record(1)])
    book.append([record(2)])
    book.append([record(1), record(3)])
    for name in ("request-1", "request-2"):
        book.add_outcome(name, 0, "no", at="2026-11-25T00:00:00Z")
    book.prune("2026-11-24T00:00:03.000Z")
    assert [one.request_id for one in book.outcomes()] == ["request-1"]
    assert book.outcomes_of(["request-1", "x"]) == {("request-1", 0): book.outcomes()[0]}


WRITER = """
import sys
from sekisho.ledger.predictions import BookModel, Entry, PredictionBook
book = PredictionBook(sys.argv[1])
model = BookModel(digest="d", version="1", names=("x",))
for number in range(50):
    book.write(model, [Entry(f"{sys.argv[2]}-{number}", "2026-11-24T00:00:00Z", 1.0, False, [[number]], [number], None, {})])
    print(number, flush=True)
"""


def test_several_processes_make_the_book_and_write_at_the_same_time(address: str) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, address, str(name)], stdout=subprocess.DEVNULL)
        for name in range(4)
    ]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    with PredictionBook(address) as book:
        found = book.recent(1000)
    assert sorted(one.request_id for one in found) == sorted(f"{name}-{n}" for name in range(4) for n in range(50))


def test_what_was_acknowledged_survives_kill(address: str) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, address, "w"], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged = -1
    for line in writer.stdout:
        acknowledged = int(line)
        if acknowledged == 20:
            writer.kill()
    writer.wait(10)
    writer.stdout.close()
    with PredictionBook(address) as book:
        ids = [one.request_id for one in book.recent(1000)]
    assert ids[: acknowledged + 1] == [f"w-{number}" for number in range(acknowledged + 1)]


def test_the_whole_book_is_read_a_few_chunks_at_a_time(book: PredictionBook) -> None:
    for number in range(70):
        book.append([record(number)])
    assert [one.request_id for chunk in book.chunks() for one in chunk.records()] == [f"request-{n}" for n in range(70)]


def test_a_chunk_that_is_no_chunk_is_one_line(book: PredictionBook) -> None:
    book.append([record(0)])
    book.write(MODEL, [columns(100)])
    for content in (
        "[",
        "{}",
        "[[1]]",
        '[["a","b",1.0,false,[[1]],[1,2],null,{}]]',
        '[["a","b",1.0,false,[3],[1],null,{}]]',
    ):
        with book.database.transaction() as run:
            run("UPDATE answers_2 SET entries = ? WHERE columns IS NULL", (content,))
        with pytest.raises(LedgerError) as raised:
            book.recent(200)
        assert "\n" not in str(raised.value)
    for torn in (b"", b"\x9a\x02", b"\x93\x01\xa1a\xa1b"):
        with book.database.transaction() as run:
            run("UPDATE answers_2 SET columns = ? WHERE columns IS NOT NULL", (torn,))
        with pytest.raises(LedgerError):
            book.recent(1)
