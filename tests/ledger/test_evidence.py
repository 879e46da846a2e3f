from __future__ import annotations

import multiprocessing
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.errors import LedgerError
from sekisho.ledger.evidence import EvidenceBook


def meddle(path: Path, *statements: str) -> None:
    """Change the book as somebody would who has the file and knows SQL."""
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER IF EXISTS evidence_1_is_never_updated")
    connection.execute("DROP TRIGGER IF EXISTS evidence_1_is_never_deleted")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def book_of(path: Path, rows: int) -> Path:
    with EvidenceBook(path) as book:
        for number in range(rows):
            book.append(f"key{number % 2}", f'{{"n":{number}}}'.encode())
    return path


def test_what_was_written_is_found_by_its_key_newest_first(tmp_path: Path) -> None:
    with EvidenceBook(book_of(tmp_path / "deep" / "ledger.sqlite", 5)) as book:
        row = book.latest("key1")
        assert row is not None
        assert row.body == b'{"n":3}'
        assert row.intact
        assert book.latest("another") is None
        assert [each.sequence for each in book.rows()] == [1, 2, 3, 4, 5]
        assert book.verify() == ()


def test_rows_cannot_be_updated_or_deleted(tmp_path: Path) -> None:
    path = book_of(tmp_path / "ledger.sqlite", 2)
    connection = sqlite3.connect(path)
    for statement in ("UPDATE evidence_1 SET body = x''", "DELETE FROM evidence_1"):
        with pytest.raises(sqlite3.IntegrityError, match="evidence is never"):
            connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE evidence_1 SET body = CAST('{\"n\":9}' AS BLOB) WHERE sequence = 2", (2,)),
        ("UPDATE evidence_1 SET key = 'key0' WHERE sequence = 2", (2,)),
        ("UPDATE evidence_1 SET previous = hash WHERE sequence = 3", (3,)),
        ("DELETE FROM evidence_1 WHERE sequence = 1", (2,)),
        ("DELETE FROM evidence_1 WHERE sequence = 3", (4,)),
        ("UPDATE evidence_1 SET sequence = 9 WHERE sequence = 4", (9,)),
    ],
)
def test_a_change_breaks_the_chain(tmp_path: Path, statement: str, broken: tuple[int, ...]) -> None:
    path = book_of(tmp_path / "ledger.sqlite", 4)
    meddle(path, statement)
    with EvidenceBook(path) as book:
        assert book.verify() == broken


def test_a_row_with_its_hash_made_anew_breaks_the_chain_at_the_next(tmp_path: Path) -> None:
    path = book_of(tmp_path / "ledger.sqlite", 3)
    other = book_of(tmp_path / "other.sqlite", 1)
    with EvidenceBook(other) as book:
        forged = book.append("key1", b'{"n":99}')  # a true row of another book, second as well
    meddle(path, f"UPDATE evidence_1 SET body = x'{forged.body.hex()}', hash = '{forged.hash}' WHERE sequence = 2")
    with EvidenceBook(path) as book:
        assert book.verify() == (3,)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.binary(max_size=40)), min_size=1, max_size=6), st.data())
def test_any_changed_byte_is_seen(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, bytes]], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("book") / "ledger.sqlite"
    with EvidenceBook(path) as book:
        for key, body in rows:
            book.append(key, body)
    place = data.draw(st.integers(0, len(rows) - 1))
    changed = data.draw(st.binary(max_size=40).filter(lambda body: body != rows[place][1]))
    meddle(path, f"UPDATE evidence_1 SET body = x'{changed.hex()}' WHERE sequence = {place + 1}")
    with EvidenceBook(path) as book:
        assert book.verify() == (place + 1,)


def test_the_book_goes_on_after_it_was_closed(tmp_path: Path) -> None:
    path = book_of(tmp_path / "ledger.sqlite", 2)
    book_of(path, 2)
    with EvidenceBook(path) as book:
        assert len(list(book.rows())) == 4
        assert book.verify() == ()


def _write(path: Path, rows: int) -> None:
    book_of(path, rows)


def test_several_processes_write_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write, args=(path, 20)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    with EvidenceBook(path) as book:
        assert len(list(book.rows())) == 60
        assert book.verify() == ()


def test_a_file_that_is_no_book_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(LedgerError, match=r"ledger\.sqlite") as caught:
        EvidenceBook(path)
    assert caught.value.exit_code == 3
    assert path.read_bytes().startswith(b"no database")


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError):
        EvidenceBook(tmp_path / "file" / "ledger.sqlite")


def test_a_table_of_another_shape_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE evidence_1 (key TEXT, sequence INTEGER)")
    connection.close()
    with EvidenceBook(path) as book, pytest.raises(LedgerError):
        book.append("key", b"{}")
