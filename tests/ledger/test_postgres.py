"""The book in a database that goes away, that somebody holds, that lets nobody in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from sekisho.errors import LedgerError
from sekisho.ledger.database import Unreachable
from sekisho.ledger.predictions import BookModel, Entry, PredictionBook

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = BookModel(digest="d", version="1", names=("x",))


@pytest.fixture
def url(postgres: Any) -> str:
    return str(postgres.url())


@pytest.fixture
def book(url: str) -> Iterator[PredictionBook]:
    with PredictionBook(url) as opened:
        yield opened


def write(book: PredictionBook, name: str) -> None:
    book.write(MODEL, [Entry(name, "2026-11-24T00:00:00Z", 1.0, False, [[1]], ["p"], None, {})], token=name)


def names(book: PredictionBook) -> list[str]:
    return [one.request_id for one in book.recent(100)]


def test_a_connection_that_was_cut_is_made_anew(book: PredictionBook, url: str) -> None:
    write(book, "before")
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sekisho'")
    assert names(book) == ["before"]
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sekisho'")
    with pytest.raises(Unreachable):
        write(book, "after")
    write(book, "after")
    assert names(book) == ["before", "after"]


def test_a_database_that_goes_away_is_an_error_until_it_is_back(book: PredictionBook, postgres: Any) -> None:
    write(book, "before")
    postgres.stop()
    try:
        for _ in range(2):
            with pytest.raises(Unreachable) as raised:
                write(book, "meanwhile")
            assert "\n" not in str(raised.value)
    finally:
        postgres.start()
    write(book, "after")
    assert names(book) == ["before", "after"]


def test_nobody_waits_for_ever(book: PredictionBook, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(book, "before")
    book.database.query("SELECT set_config('lock_timeout', '300', false)")
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE answers_2 IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        with pytest.raises(Unreachable):
            write(book, "held")
        assert time.monotonic() - began < 5
    write(book, "after")
    assert names(book) == ["before", "after"]


def test_a_book_of_a_later_format_is_refused(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("CREATE TABLE answers_3 (sequence BIGINT)")
    with pytest.raises(LedgerError, match="does not know"):
        PredictionBook(url)


def test_a_lazy_book_is_opened_when_it_is_needed() -> None:
    with PredictionBook("postgresql://someone:5ecret@127.0.0.1:1/none", lazy=True) as book:
        with pytest.raises(Unreachable) as raised:
            write(book, "x")
        assert "5ecret" not in str(raised.value)


def test_what_a_server_says_is_told_without_what_was_sent(book: PredictionBook) -> None:
    with pytest.raises(LedgerError) as raised, book.database.transaction() as run:
        run(
            "INSERT INTO outcomes_1 (request_id, row, value, at) VALUES (?, ?, ?, ?)",
            ("secret-id", "no number", "", ""),
        )
    assert "secret-id" not in str(raised.value)


def test_texts_that_databases_dislike_are_written_and_shown(book: PredictionBook) -> None:
    model = BookModel(digest="d", version="1", names=("x", "y"))
    book.write(model, [Entry("n", "2026-11-24T00:00:00Z", 1.0, False, [["a\x00b", "\U0001f600"]], ["p\x00"], None, {})])
    (found,) = book.recent(1)
    assert found.features == {"x": "a\x00b", "y": "\U0001f600"}
    assert len(book.database.query("SELECT request_id, features, prediction FROM predictions")) == 1
