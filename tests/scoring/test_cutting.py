"""Texts are cut between records, wherever a quote stands, and read as the reader of the standard library reads the whole."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from sekisho.scoring.csv_cutting import first_end, last_end, records

CELL = st.text(alphabet='ab ",\n\r日x', max_size=6)
TABLE = st.lists(st.lists(CELL, min_size=2, max_size=3), min_size=1, max_size=8)
WILD = st.text(alphabet='a",\n', max_size=40)


def cut(text: bytes, block: int) -> list[bytes]:
    """Cut a text as it is cut while it is read block by block."""
    pieces, held, at = [], b"", 0
    while at < len(text) or held:
        held += text[at : at + block]
        at += block
        end = last_end(held, is_last=at >= len(text))
        if end:
            pieces.append(held[:end])
            held = held[end:]
    return pieces


def whole(text: bytes) -> list[list[str] | None]:
    found: list[list[str] | None] = []
    reader = csv.reader(io.StringIO(text.decode(), newline=""), strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return found
        except csv.Error:
            found.append(None)
            continue
        if cells:
            found.append(cells)


@given(table=TABLE, block=st.integers(1, 30), ending=st.sampled_from(["\n", "\r\n"]), always=st.booleans())
def test_what_a_writer_wrote(table: list[list[str]], block: int, ending: str, always: bool) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator=ending, quoting=csv.QUOTE_ALL if always else csv.QUOTE_MINIMAL).writerows(table)
    content = text.getvalue().encode()
    pieces = cut(content, block)
    assert b"".join(pieces) == content
    assert [cells for piece in pieces for cells, _ in records(piece)] == whole(content)


@given(text=WILD, block=st.integers(1, 12))
def test_quotes_where_none_belong(text: str, block: int) -> None:
    content = text.encode()
    pieces = cut(content, block)
    assert b"".join(pieces) == content
    assert [cells for piece in pieces for cells, _ in records(piece)] == whole(content)


@given(table=TABLE)
def test_the_first_record(table: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    content = text.getvalue().encode()
    first = content[: first_end(content)]
    assert (
        list(csv.reader(io.StringIO(first.decode(), newline="")))[:1]
        == list(csv.reader(io.StringIO(content.decode(), newline="")))[:1]
    )


def test_bytes_that_are_no_text_are_no_record() -> None:
    assert [cells for cells, _ in records(b"a,b\n\xff,c\nd,e\n")] == [["a", "b"], None, ["d", "e"]]
