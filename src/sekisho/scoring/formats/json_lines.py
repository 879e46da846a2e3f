"""JSON Lines: a row a line, as an object by name, a list in the order of the signature, or ``{"features": row}``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.errors import InvalidInput
from sekisho.predict import json_text
from sekisho.predict.cells import wire_type
from sekisho.scoring.blocks import CellsBlock
from sekisho.scoring.formats.interface import TableFormat
from sekisho.scoring.tables import LONGEST_ROW, TEXT_BYTES, Opening, OpenTable, Piece, not_a_table
from sekisho.scoring.text_lines import CellLines, chopped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sekisho.predict.rows import Row
    from sekisho.scoring.blocks import Block
    from sekisho.scoring.layout import Layout

_WRAPPED: Final = "features"


class _JsonLines(OpenTable):
    def __init__(self, given: Opening) -> None:
        self.given = given
        self._reader = given.reader
        self._signature = given.signature
        self._held = given.stream.read(TEXT_BYTES)
        self._decoders: dict[Layout, msgspec.json.Decoder[Any] | None] = {}
        first = next((line for line in self._held.split(b"\n") if line.strip()), b"")
        self.names: tuple[str, ...] | None = None
        try:
            value = json_text.parse(first) if first else None
        except InvalidInput:
            if self._held[:1] not in {b"{", b"["}:
                raise not_a_table("jsonl", given.shown) from None
            value = None
        if isinstance(value, dict) and set(value) != {_WRAPPED}:
            self.names = tuple(value)
        elif value is not None and not isinstance(value, list | dict):
            raise not_a_table("jsonl", given.shown)

    def types(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Return JSON for every column: what stands in a line is passed through by the letter."""
        return dict.fromkeys(names)

    def pieces(self, layout: Layout, start: int) -> Iterator[Piece]:  # noqa: ARG002
        """Yield runs of whole lines."""
        yield from chopped(self.given, held=self._held, begin=0, start=start, end_of=_last_end, longest=LONGEST_ROW)

    def block(self, content: bytes, layout: Layout) -> Block:
        """Return the rows of some lines."""
        lines = [line for line in content.split(b"\n") if line.strip()]
        return self._fast(content, lines, layout) or self._by_the_letter(lines, layout)

    def _fast(self, content: bytes, lines: list[bytes], layout: Layout) -> CellsBlock | None:
        """Return the rows as one compiled decoder reads them; ``None`` if one line does not fit it."""
        import pyarrow as pa

        decoder = self._decoder(layout)
        if decoder is None or content.count(b":") > len(lines) * len(layout.names):
            return None
        try:
            decoded = [decoder.decode(line) for line in lines]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        width = len(self._signature.features)
        cells = list(map(msgspec.structs.astuple, decoded))
        kept = [
            pa.array([bytes(row[width + at]) for row in cells], type=pa.binary()).cast(pa.string())
            for at in range(len(layout.kept))
        ]
        return CellsBlock([row[:width] for row in cells] if layout.kept else cells, kept, {})

    def _decoder(self, layout: Layout) -> msgspec.json.Decoder[Any] | None:
        if layout not in self._decoders:
            self._decoders[layout] = self._compiled(layout)
        return self._decoders[layout]

    def _compiled(self, layout: Layout) -> msgspec.json.Decoder[Any] | None:
        """Return a decoder of objects with the features and the columns that are kept; ``None`` if there can be none."""
        names = self._signature.names
        both = set(names) & set(layout.kept)
        if (
            both
            or any(character in name for name in (*names, *layout.kept) for character in '"\\')
            or any(character < " " for name in (*names, *layout.kept) for character in name)
        ):
            return None
        fields: list[Any] = [
            (f"f{place}", wire_type(feature)) for place, feature in enumerate(self._signature.features)
        ]
        fields += [(f"k{place}", msgspec.Raw, msgspec.Raw(b"null")) for place in range(len(layout.kept))]
        called = {f"f{place}": name for place, name in enumerate(names)} | {
            f"k{place}": name for place, name in enumerate(layout.kept)
        }
        row = msgspec.defstruct("Line", fields, rename=called, forbid_unknown_fields=True, frozen=True, gc=False)
        return msgspec.json.Decoder(row)

    def _by_the_letter(self, lines: Sequence[bytes], layout: Layout) -> CellsBlock:
        import pyarrow as pa

        rows: list[Row | InvalidInput] = []
        contents: dict[int, Any] = {}
        kept: list[list[str]] = [[] for _ in layout.kept]
        for number, line in enumerate(lines):
            value: Any = None
            try:
                value = json_text.parse(line)
                rows.append(self._reader.read(self._features_of(value, layout), row=number))
            except InvalidInput as error:
                error.row = number
                rows.append(error)
                contents[number] = line.decode("utf-8", "replace") if value is None else value
            for column, name in zip(kept, layout.kept, strict=True):
                found = value.get(name) if isinstance(value, dict) else None
                column.append(msgspec.json.encode(found).decode())
        return CellsBlock(rows, [pa.array(column, type=pa.string()) for column in kept], contents)

    def _features_of(self, value: Any, layout: Layout) -> Any:
        """Return the part of a line that is the row."""
        if isinstance(value, dict) and set(value) == {_WRAPPED}:
            return value[_WRAPPED]
        if not isinstance(value, dict):
            return value
        known = set(self._signature.names)
        return {
            name: cell for name, cell in value.items() if name in known or (layout.strict and name not in layout.kept)
        }


def _last_end(text: bytes, *, is_last: bool = False) -> int:
    return len(text) if is_last else text.rfind(b"\n") + 1


class JsonLinesFormat(TableFormat):
    """``.jsonl``, ``.ndjson``, and both with ``.gz``."""

    id = "jsonl"
    suffixes = (".jsonl", ".ndjson")
    packable = True
    writes_json = True

    def open(self, given: Opening) -> OpenTable:
        """Open a text of JSON lines."""
        return _JsonLines(given)

    def head(self, schema: Any) -> bytes:  # noqa: ARG002
        """Return nothing: every line names its values."""
        return b""

    def encode(self, batch: Any) -> bytes:
        """Return an object for each row."""
        import pyarrow as pa

        lines = CellLines(batch)
        cells = []
        for place, name in enumerate(batch.schema.names):
            key = ("{" if place == 0 else ",") + msgspec.json.encode(name).decode() + ":"
            cells += [pa.scalar(key, type=pa.large_string()), lines.json_cells(place)]
        return lines.joined("", "", cells, "}\n", null="null")


FORMAT: Final = JsonLinesFormat()
