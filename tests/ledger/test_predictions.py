"""The book of predictions: what goes in comes out, from several processes, and nothing is half-written."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from sekisho.errors import LedgerError
from sekisho.ledger.predictions import BookModel, Entry, Outcome, PredictionBook, PredictionRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


@pytest.fixture
def book(tmp_path: Path) -> Iterator[PredictionBook]:
    with PredictionBook(tmp_path / "folder" / "predictions.sqlite") as opened:
        yield opened


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


def test_the_view_shows_one_line_a_prediction(book: PredictionBook, tmp_path: Path) -> None:
    book.append([record(0), record(0, row=1, flags=("out_of_range:age",))])
    book.write(
        MODEL, [Entry("w", "2026-11-24T00:00:01Z", 1.0, True, msgspec.Raw(b'[{"features":[1,"x"]}]'), [7], None, {})]
    )
    connection = sqlite3.connect(tmp_path / "folder" / "predictions.sqlite")
    lines = connection.execute(
        "SELECT request_id, row, version, features, prediction, probability, flags FROM predictions ORDER BY sequence, row"
    ).fetchall()
    connection.close()
    assert lines == [
        ("request-0", 0, "1.0.0", '{"age":40.5,"city":null}', "yes", 0.75, None),
        ("request-0", 1, "1.0.0", '{"age":40.5,"city":null}', "yes", 0.75, '["out_of_range:age"]'),
        ("w", 0, "1.0.0", '[1,"x"]', 7, None, None),
    ]


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


WRITER = """
import sys
from pathlib import Path
from sekisho.ledger.predictions import BookModel, Entry, PredictionBook
book = PredictionBook(Path(sys.argv[1]))
model = BookModel(digest="d", version="1", names=("x",))
for number in range(50):
    book.write(model, [Entry(f"{sys.argv[2]}-{number}", "2026-11-24T00:00:00Z", 1.0, False, [[number]], [number], None, {})])
    print(number, flush=True)
"""


def test_several_processes_write_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "book.sqlite"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(name)], stdout=subprocess.DEVNULL)
        for name in range(3)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    with PredictionBook(path) as book:
        found = book.recent(1000)
    assert sorted(one.request_id for one in found) == sorted(f"{name}-{n}" for name in range(3) for n in range(50))


def test_what_was_acknowledged_survives_kill(tmp_path: Path) -> None:
    path = tmp_path / "book.sqlite"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), "w"], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged = -1
    for line in writer.stdout:
        acknowledged = int(line)
        if acknowledged == 20:
            writer.kill()
    writer.wait(10)
    writer.stdout.close()
    with PredictionBook(path) as book:
        ids = [one.request_id for one in book.recent(1000)]
    assert ids[: acknowledged + 1] == [f"w-{number}" for number in range(acknowledged + 1)]


def test_a_file_that_is_no_book_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "book.sqlite"
    path.write_text("not a database, but long enough to be read as one" * 100)
    with pytest.raises(LedgerError) as raised:
        PredictionBook(path)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_full_disk_is_an_error_and_loses_nothing_written_before(book: PredictionBook, tmp_path: Path) -> None:
    book.append([record(0)])
    connection = book._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    many = [record(number) for number in range(5000)]
    with pytest.raises(LedgerError):
        book.append(many)
    connection.execute("PRAGMA max_page_count = 1000000")
    book.append([record(1)])
    assert book.recent(10_000)[0] == record(0)
    assert book.recent(1) == [record(1)]
