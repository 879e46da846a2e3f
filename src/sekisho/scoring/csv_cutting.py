"""Where the records of a CSV text end, found without reading them (RFC 4180).

A line break inside quotes ends no record. Where every quote opens a cell, closes one, or is doubled inside one, a break with an even
number of quotes before it is an end. A text with other quotes is read by the letter, with the reader of the standard library.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

csv.field_size_limit(2**26)
_QUOTE: Final = ord('"')
_BEFORE: Final = np.zeros(256, dtype=np.bool_)
_BEFORE[[ord(","), ord("\n"), ord("\r")]] = True


def last_end(text: bytes, *, is_last: bool = False) -> int:
    """Return how many bytes of ``text``, which begins with a record, whole records take.

    Args:
        text: Some records, of which the last may be cut off.
        is_last: Whether nothing follows, so that the last record needs no line break.

    """
    if is_last:
        return len(text)
    line_break = b"\n" if b"\n" in text else b"\r"
    if b'"' not in text:
        # A \r at the very end may be half of a line break.
        return text.rfind(line_break, 0, None if line_break == b"\n" else len(text) - 1) + 1
    codes = np.frombuffer(text, dtype=np.uint8)
    quotes = np.flatnonzero(codes == _QUOTE)
    if not _is_regular(codes, quotes):
        return _read_end(text)
    end = len(text)
    while (end := text.rfind(line_break, 0, end)) >= 0:
        if int(np.searchsorted(quotes, end)) % 2 == 0 and (line_break == b"\n" or end < len(text) - 1):
            return end + 1
    return 0


def first_end(text: bytes) -> int:
    """Return how many bytes the first record takes, with its line break; all of them if it has none."""
    start = 0
    while True:
        places = [place for place in (text.find(b"\n", start), text.find(b"\r", start)) if place >= 0]
        if not places:
            return len(text)
        end = min(places)
        if text.count(b'"', 0, end) % 2 == 0:
            return end + (2 if text[end : end + 2] == b"\r\n" else 1)
        start = end + 1


def records(text: bytes) -> Iterator[tuple[list[str] | None, str]]:
    """Yield the cells of each record with its text; ``None`` for one that is not CSV. Empty lines are none."""
    lines = _Lines(text)
    reader = csv.reader(lines, strict=True)
    while True:
        lines.taken.clear()
        try:
            cells: list[str] | None = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = None
        whole = "".join(lines.taken)
        if cells is not None and any(map(_is_broken, cells)):
            cells = None
        if cells is None or cells:
            yield cells, whole


def readable(record: str) -> str:
    """Return a record of :func:`records` as a text that can be written: bytes that are no UTF-8 as U+FFFD."""
    return record.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class _Lines:
    """The lines of a text, with those taken since somebody asked. What is no UTF-8 becomes half characters."""

    def __init__(self, text: bytes) -> None:
        self._lines = _split(text)
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.taken.append(line)
        return line


def _split(text: bytes) -> Iterator[str]:
    # bytes.splitlines splits at \n, \r and \r\n alone; that of str at more.
    for line in text.splitlines(keepends=True):
        yield line.decode("utf-8", "surrogateescape")


def _is_broken(cell: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in cell) if not cell.isascii() else False


def _is_regular(codes: NDArray[Any], quotes: NDArray[Any]) -> bool:
    """Return whether every quote opens, closes, or is doubled."""
    opening, closing = quotes[::2], quotes[1::2]
    # A quote that opens stands after a comma or a line break, or after the one that closed: then the two are one quote inside.
    before = codes[np.maximum(opening - 1, 0)]
    opens = (opening == 0) | _BEFORE[before] | (before == _QUOTE)
    after = codes[np.minimum(closing + 1, len(codes) - 1)]
    closes = (closing == len(codes) - 1) | _BEFORE[after] | (after == _QUOTE)
    return bool(opens.all() and closes.all())


def _read_end(text: bytes) -> int:
    lines = _Lines(text)
    reader = csv.reader(lines, strict=True)
    end = taken = 0
    while True:
        lines.taken.clear()
        try:
            next(reader)
        except StopIteration:
            return end
        except csv.Error:
            pass
        taken += sum(len(line.encode("utf-8", "surrogateescape")) for line in lines.taken)
        if taken < len(text):
            end = taken
