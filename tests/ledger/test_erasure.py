"""A person is erased from everywhere, and nobody else is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from sekisho.ledger.columns import Columns
from sekisho.ledger.erasure import erase_request, erase_subject, erasures, spellings
from sekisho.ledger.keys import Keyring, LedgerKey, new_key, read_keys
from sekisho.ledger.personal import treatment
from sekisho.ledger.predictions import BookModel, Entry, PredictionBook

MODEL = BookModel(digest="d", version="1", names=("customer", "x"))
OLD, NEW = LedgerKey("old", b"o" * 32, b"p" * 32), LedgerKey("new", b"n" * 32, b"q" * 32)
KEYS = Keyring((NEW, OLD))
AT = "2026-11-24T00:00:00Z"


def entry(name: str, people: list[str], *, key: LedgerKey | None = NEW, columns: bool = False) -> Entry:
    rows = [[person, number] for number, person in enumerate(people)]
    subjects = None if key is None else [key.digest("subject", person) for person in people]
    cells = Columns(rows=len(people), cells=((0, "any", people), (1, "any", list(range(len(people))))))
    return Entry(
        name, AT, 1.0, False, cells if columns else rows, [f"of {person}" for person in people], None, {}, subjects
    )


def contents(book: PredictionBook) -> str:
    tables = ("answers_2", "ids_2", "outcomes_1", "erasures_2")
    return repr([book.database.query(f"SELECT * FROM {table}") for table in tables])


def test_a_person_goes_from_chunks_columns_ids_and_outcomes(book: PredictionBook, address: str) -> None:
    book.write(
        MODEL,
        [
            entry("theirs", ["ann-117"]),
            entry("mixed", ["bob", "ann-117", "eve"]),
            entry("others", ["bob"]),
            entry("columns", ["bob", "ann-117"] * 30, columns=True),
        ],
    )
    book.write(MODEL, [entry("alone", ["ann-117"], key=OLD), entry("in the clear", ["ann-117"], key=None)])
    for name, row in (("theirs", 0), ("mixed", 1), ("mixed", 2), ("columns", 3), ("alone", 0)):
        book.add_outcome(name, row, "of someone", at=AT)
    done = erase_subject(book, "ann-117", KEYS, feature="customer", at=AT, by_whom="privacy desk")
    assert (done.requests, done.rows, done.outcomes) == (5, 34, 4)
    assert "ann-117" not in contents(book)
    assert NEW.digest("subject", "ann-117") not in repr(list(book.recent(1_000)))
    left = [(one.request_id, one.row) for one in book.recent(1_000)]
    assert left == [("mixed", 0), ("mixed", 2), ("others", 0), *(("columns", row) for row in range(0, 60, 2))]
    assert [(one.request_id, one.row) for one in book.outcomes()] == [("mixed", 2)]
    assert (book.rows_of("mixed"), book.rows_of("theirs"), book.count()) == (3, None, 33)
    assert len(book.database.query("SELECT * FROM predictions")) == 33
    if not address.startswith("postgresql"):
        files = [path.read_bytes() for path in Path(address).parent.iterdir()]
        assert all(b"ann-117" not in content for content in files)


def test_erasing_again_changes_nothing_and_finds_the_record(book: PredictionBook) -> None:
    book.write(MODEL, [entry("theirs", ["ann"])])
    first = erase_subject(book, "ann", KEYS, feature=None, at=AT, by_whom="a")
    again = erase_subject(book, "ann", KEYS, feature=None, at="2027-01-01T00:00:00Z", by_whom="b")
    assert first == again
    assert erasures(book) == [first]
    assert first.digest == NEW.digest("subject", "ann")
    nobody = erase_subject(book, "nobody", KEYS, feature=None, at=AT, by_whom="a")
    assert (nobody.rows, len(erasures(book))) == (0, 2)


def test_a_number_is_found_however_it_is_written(book: PredictionBook) -> None:
    rows = Entry("n", AT, 1.0, False, [[117, 1], [117.0, 2], ["117", 3], [1170, 4]], ["p"] * 4, None, {})
    book.write(MODEL, [rows])
    assert erase_subject(book, "117", KEYS, feature="customer", at=AT, by_whom="a").rows == 3
    assert spellings("117") == ("117", 117)
    assert spellings("nan") == ("nan",)
    assert spellings("1e400") == ("1e400",)


@pytest.mark.parametrize("how", ["hash", "encrypt"])
def test_a_person_whose_name_is_hidden_is_found_by_the_old_key_too(book: PredictionBook, how: str) -> None:
    hide = treatment(how, Keyring((OLD,)))  # type: ignore[arg-type]
    assert hide is not None
    book.write(
        MODEL,
        [
            Entry(
                "h", AT, 1.0, False, [[hide("customer", "ann"), 1], [hide("customer", "bob"), 2]], ["p", "q"], None, {}
            )
        ],
    )
    assert erase_subject(book, "ann", KEYS, feature="customer", at=AT, by_whom="a").rows == 1
    assert [one.prediction for one in book.recent(5)] == ["q"]


def test_a_subject_of_a_whole_request_is_erased(book: PredictionBook) -> None:
    theirs = Entry(
        "t", AT, 1.0, True, msgspec.Raw(b'[{"features":[1,2]}]'), ["p"], [0.5], {}, NEW.digest("subject", "c-1")
    )
    book.write(MODEL, [theirs, msgspec.structs.replace(theirs, request_id="o", subjects=NEW.digest("subject", "c-2"))])
    assert erase_subject(book, "c-1", KEYS, feature=None, at=AT, by_whom="a").rows == 1
    (left,) = book.recent(5)
    assert (left.request_id, left.features) == ("o", {"customer": 1, "x": 2})


def test_one_request_is_erased_by_its_id(book: PredictionBook) -> None:
    book.write(MODEL, [entry("a", ["bob", "eve"]), entry("b", ["bob"])])
    assert erase_request(book, "a", at=AT, by_whom="a").rows == 2
    assert erase_request(book, "a", at=AT, by_whom="a").rows == 2
    assert [one.request_id for one in book.recent(5)] == ["b"]
    assert len(erasures(book)) == 1
    assert '"a"' not in contents(book)


def test_keys_are_read_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    line = new_key("k-1")
    path.write_text(f"# ours\n\n{line}\n{new_key('k_0')}\n")
    keys = read_keys(path)
    assert [key.id for key in keys.keys] == ["k-1", "k_0"]
    assert keys.first.digest("subject", 7) == keys.first.digest("subject", 7.0)
    assert keys.first.digest("subject", 7) != keys.first.digest("value", 7)
    assert line.partition(":")[2] not in repr(keys)


@pytest.mark.parametrize(
    "content", ["", "no key", "a:AAAA", "a b:" + "A" * 44, "k:" + "A" * 43 + "=\nk:" + "A" * 43 + "=", "\xff"]
)
def test_what_is_no_key_file_is_refused_without_being_repeated(tmp_path: Path, content: str) -> None:
    from sekisho.errors import WrongUse

    path = tmp_path / "keys"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(WrongUse) as raised:
        read_keys(path)
    assert "AAAA" not in str(raised.value)
