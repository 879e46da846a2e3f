"""Texts of lines: cut into pieces that end with a line, and made from columns without a Python object for each cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.errors import InvalidInput
from sekisho.scoring.tables import TEXT_BYTES, Opening, Piece
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

JSON_TEXT: Final = {b"sekisho.json": b"1"}
"""The metadata of a field whose strings are JSON already."""


def chopped(
    given: Opening, *, held: bytes, begin: int, start: int, end_of: Callable[..., int], longest: int
) -> Iterator[Piece]:
    """Yield runs of whole lines.

    Args:
        given: The table.
        held: What was read of it.
        begin: Where that begins in the text.
        start: Where the first piece begins; 0 for the first line.
        end_of: How many bytes of a text whole lines take, given whether it is the last.
        longest: Bytes; a line that is longer is none.

    """
    place, total = begin, _size(given)
    if start > place:
        held = _skip(given, held, start - place)
        place = start
    at_end = False
    size = TEXT_BYTES
    while True:
        while not at_end and len(held) < size:
            more = given.stream.read(TEXT_BYTES)
            at_end = not more
            held += more
        # Where a piece ends depends on nothing but where it begins, so that work that is gone on with is cut as before.
        end = end_of(held[:size], is_last=at_end and len(held) <= size)
        if end:
            content, held = held[:end], held[end:]
            place += end
            size = TEXT_BYTES
            yield Piece(ends=place, share=_share(given, place, total), content=content)
        elif at_end and len(held) <= size:
            return
        elif size > longest:
            raise _too_long()
        else:
            size += TEXT_BYTES


def _skip(given: Opening, held: bytes, count: int) -> bytes:
    if given.seekable:
        given.stream.seek(count - len(held), 1)
        return b""
    while count > len(held):
        count -= len(held)
        held = given.stream.read(TEXT_BYTES)
        if not held:
            return b""
    return held[count:]


def _size(given: Opening) -> int:
    return given.path.stat().st_size if given.path is not None else 0


def _share(given: Opening, place: int, total: int) -> float:
    if not total:
        return 0.0
    packed = getattr(given.stream, "fileobj", None)
    return min(1.0, (place if packed is None else packed.tell()) / total)


def _too_long() -> InvalidInput:
    return InvalidInput(
        "malformed_table",
        Text(en="a line is too long to be one", ja="1行が長すぎます"),
        Text(
            en="check that every quote is closed, and that lines end",
            ja="引用符が閉じているか、改行があるかを確認してください",
        ),
    )


class CellLines:
    """The columns of a batch as texts.

    Args:
        batch: A record batch.

    """

    def __init__(self, batch: Any) -> None:
        import pyarrow as pa
        from pyarrow import compute

        self._arrow = pa
        self._compute = compute
        self._batch = batch

    def csv_cells(self, place: int) -> Any:
        """Return a column as CSV has it: quoted where that is needed, empty for null."""
        pa, pc = self._arrow, self._compute
        column = self._batch.column(place)
        plain = (
            pa.types.is_floating(column.type) or pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)
        )
        column = column if pa.types.is_string(column.type) else column.cast(pa.string())
        if plain:
            return column
        special = pc.match_substring_regex(column, '[",\r\n]')
        if not pc.any(special).as_py():
            return column
        doubled = pc.replace_substring(column, '"', '""')
        return pc.if_else(special, pc.binary_join_element_wise('"', doubled, '"', ""), column)

    def json_cells(self, place: int) -> Any:
        """Return a column as JSON has it."""
        pa, pc = self._arrow, self._compute
        column, field = self._batch.column(place), self._batch.schema.field(place)
        kind = column.type
        if field.metadata and JSON_TEXT.items() <= field.metadata.items():
            return column
        if pa.types.is_floating(kind):
            return pc.if_else(pc.is_finite(column), column.cast(pa.string()), None)
        if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
            return column.cast(pa.string())
        texts = column if pa.types.is_string(kind) else column.cast(pa.string())
        packed = texts.dictionary_encode()
        words = [msgspec.json.encode(word).decode() for word in packed.dictionary.to_pylist()]
        return pa.array(words, type=pa.string()).take(packed.indices)

    def joined(self, first: str, between: str, cells: Sequence[Any], last: str, *, null: str = "") -> bytes:
        """Return every row as a line: ``first``, the cells with ``between`` them, ``last``."""
        pa, pc = self._arrow, self._compute
        if not self._batch.num_rows:
            return b""
        options: dict[str, Any] = {"null_handling": "replace", "null_replacement": null}
        large = [cell.cast(pa.large_string()) for cell in cells]
        lines = pc.binary_join_element_wise(*large, _text(pa, between), **options)
        lines = pc.binary_join_element_wise(_text(pa, first), lines, _text(pa, last), _text(pa, ""))
        _, offsets, data = lines.buffers()
        ends = memoryview(offsets).cast("q")
        return bytes(memoryview(data)[ends[lines.offset] : ends[lines.offset + len(lines)]])


def _text(arrow: Any, words: str) -> Any:
    return arrow.scalar(words, type=arrow.large_string())


def unquoted(arrow: Any, column: Any) -> Any:
    """Return a column of JSON texts as plain texts: a string as it is, ``null`` as null, anything else as its JSON."""

    def plain(text: str | None) -> str | None:
        if text is None:
            return None
        value = msgspec.json.decode(text)
        return value if isinstance(value, str) else None if value is None else text

    return arrow.array([plain(text) for text in column.to_pylist()], type=arrow.string())
