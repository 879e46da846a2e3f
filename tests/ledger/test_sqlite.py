"""The book in a file: torn, moved away, full, of an older and of a newer format."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sekisho.errors import LedgerError, WrongUse
from sekisho.ledger.predictions import BookModel, Entry, PredictionBook
from sekisho.ledger.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = BookModel(digest="d", version="1", names=("x", "y"))


@pytest.fixture
def book(tmp_path: Path) -> Iterator[PredictionBook]:
    with PredictionBook(tmp_path / "book.sqlite") as opened:
        yield opened


def connection(book: PredictionBook) -> sqlite3.Connection:
    assert isinstance(book.database, SqliteDatabase)
    return book.database.connection


def write(book: PredictionBook, *names: str) -> None:
    entries = [Entry(name, "2026-11-24T00:00:00Z", 1.0, False, [[1.5, "v" * 40]], ["p"], None, {}) for name in names]
    book.write(MODEL, entries)


def ids(book: PredictionBook) -> list[str]:
    return [one.request_id for one in book.recent(10_000)]


def test_only_the_owner_may_read_it(book: PredictionBook, tmp_path: Path) -> None:
    write(book, "a")
    assert [stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()] == [0o600] * 3


def test_a_file_that_is_no_book_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "book.sqlite"
    path.write_text("not a database, but long enough to be read as one" * 100)
    with pytest.raises(LedgerError) as raised:
        PredictionBook(path)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_full_disk_is_an_error_and_loses_nothing_written_before(book: PredictionBook) -> None:
    write(book, "first")
    ((pages,),) = book.database.query("PRAGMA page_count")
    connection(book).execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(LedgerError):
        write(book, *(f"many-{number}" for number in range(5_000)))
    connection(book).execute("PRAGMA max_page_count = 1000000")
    write(book, "last")
    assert ids(book) == ["first", "last"]


def test_a_log_that_is_cut_anywhere_gives_whole_records(tmp_path: Path) -> None:
    folder = tmp_path / "whole"
    names = [f"request-{number}" for number in range(6)]
    with PredictionBook(folder / "book.sqlite") as book:
        for name in names:
            write(book, name)
        copy = tmp_path / "copy"
        shutil.copytree(folder, copy)  # as a crash leaves it: nothing has been brought over from the log
    size = (copy / "book.sqlite-wal").stat().st_size
    seen = set()
    for cut in range(0, size, 1_013):
        torn = tmp_path / "torn"
        shutil.copytree(copy, torn)
        (torn / "book.sqlite-shm").unlink()
        with (torn / "book.sqlite-wal").open("r+b") as log:
            log.truncate(cut)
        with PredictionBook(torn / "book.sqlite") as book:
            found = ids(book)
            assert found == names[: len(found)]
            seen.add(len(found))
            write(book, "after")
            assert ids(book) == [*found, "after"]
        shutil.rmtree(torn)
    assert {0, 1, 5} <= seen


def test_a_file_that_is_cut_anywhere_is_one_line_or_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "book.sqlite"
    with PredictionBook(path) as book:
        for number in range(200):
            write(book, *(f"request-{number}-{one}" for one in range(20)))
        every = set(ids(book))
    content = path.read_bytes()
    assert len(content) > 20 * 16_384
    refused = []
    for cut in range(0, len(content), 20_011):
        path.write_bytes(content[:cut])
        try:
            with PredictionBook(path) as book:
                found = ids(book)
                assert set(found) <= every
                assert len(found) == len(set(found))
        except LedgerError as error:
            refused.append(str(error))
    assert len(refused) > 5
    assert "\n" not in "".join(refused)


def test_a_file_that_is_moved_away_is_missed_and_made_anew(book: PredictionBook, tmp_path: Path) -> None:
    write(book, "before")
    for path in list(tmp_path.iterdir()):
        path.rename(path.with_name(f"old-{path.name}"))
    write(book, "after")
    assert ids(book) == ["after"]


def test_a_book_of_format_1_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "book.sqlite"
    old = sqlite3.connect(path)
    old.executescript(OLD)
    old.close()
    with PredictionBook(path) as book:
        assert ids(book) == ["old-1", "old-2"]
        write(book, "new")
        assert ids(book) == ["old-1", "old-2", "new"]
        assert book.rows_of("old-2") == 1
        assert book.rows_of("old-3") is None
        assert book.find("new")[0].features == {"x": 1.5, "y": "v" * 40}
        assert book.database.query("SELECT request_id, prediction FROM predictions ORDER BY sequence") == [
            ("old-1", 7),
            ("old-2", 8),
            ("new", "p"),
        ]
        assert book.prune("2026-01-02") == 2
    with PredictionBook(path) as book:
        assert ids(book) == ["new"]


OLD = """
CREATE TABLE models_1 (model INTEGER PRIMARY KEY, digest TEXT NOT NULL, version TEXT NOT NULL, names TEXT NOT NULL,
    UNIQUE (digest, version, names));
CREATE TABLE answers_1 (sequence INTEGER PRIMARY KEY AUTOINCREMENT, model INTEGER NOT NULL REFERENCES models_1 (model),
    first_at TEXT NOT NULL, last_at TEXT NOT NULL, rows INTEGER NOT NULL, entries TEXT NOT NULL);
CREATE INDEX answers_1_at ON answers_1 (last_at);
CREATE TABLE outcomes_1 (request_id TEXT NOT NULL, row INTEGER NOT NULL, value TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (request_id, row));
CREATE VIEW predictions AS SELECT a.sequence AS sequence FROM answers_1 AS a JOIN models_1 AS m USING (model);
INSERT INTO models_1 (digest, version, names) VALUES ('d', '1', '["x","y"]');
INSERT INTO answers_1 (model, first_at, last_at, rows, entries) VALUES (1, '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', 2,
    '[["old-1","2026-01-01T00:00:00Z",1.0,false,[[1,"a"]],[7],null,{}],["old-2","2026-01-01T00:00:00Z",1.0,false,[[2,"b"]],[8],null,{}]]');
"""


def test_a_book_of_a_later_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "book.sqlite"
    later = sqlite3.connect(path)
    later.execute("CREATE TABLE answers_3 (sequence INTEGER)")
    later.close()
    with pytest.raises(LedgerError, match="does not know"):
        PredictionBook(path)


@pytest.mark.parametrize(
    "address", ["mysql://x/y", "postgresql://host:port/x", "postgresql://a b/c", "postgresql://[/x"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(WrongUse):
        PredictionBook(address)
