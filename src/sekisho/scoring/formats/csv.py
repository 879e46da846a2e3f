"""CSV (RFC 4180, UTF-8), with or without a line of names.

Most pieces are read by pyarrow. It takes a little more than the rules of :mod:`sekisho.predict.csv_text` do (blanks around numbers, ``nan``,
hexadecimal), so a piece in which such a thing may stand, or that pyarrow refuses, is read cell by cell by those rules instead.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.errors import InvalidInput, WrongUse
from sekisho.predict.cells import category_types
from sekisho.predict.csv_text import read_cell_text
from sekisho.scoring.blocks import ArrowBlock, CellsBlock
from sekisho.scoring.csv_cutting import first_end, last_end, readable, records
from sekisho.scoring.formats.interface import TableFormat
from sekisho.scoring.tables import LONGEST_ROW, TEXT_BYTES, Opening, OpenTable, Piece, not_a_table
from sekisho.scoring.text_lines import CellLines, chopped
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.artifact.signature import Feature
    from sekisho.predict.rows import Row
    from sekisho.scoring.blocks import Block
    from sekisho.scoring.layout import Layout

_MARK: Final = "\ufeff".encode()
_FIRST_INEXACT: Final = 2.0**53
"""The whole number that the next one may have been rounded to."""
_NOT_PLAIN: Final = r"[ \t]|[xX]"
"""What stands in a cell that pyarrow reads as a number and the rules do not."""
_TRUTHS: Final = {"true_values": ["true", "True", "TRUE"], "false_values": ["false", "False", "FALSE"]}


class _CsvTable(OpenTable):
    def __init__(self, given: Opening) -> None:
        self.given = given
        self._reader = given.reader
        self._features = given.signature.features
        self._held = given.stream.read(TEXT_BYTES)
        self._begin = len(_MARK) if self._held.startswith(_MARK) else 0
        self._held = self._held[self._begin :]
        self._kinds = {feature.name: _numeric_kind(feature) for feature in self._features}
        first = self._first_record()
        self.names: tuple[str, ...] = self._named(first)

    def _first_record(self) -> list[str]:
        text = self._held[: first_end(self._held)]
        while not text.strip() and text:  # empty lines before the first
            self._begin += len(text)
            self._held = self._held[len(text) :]
            text = self._held[: first_end(self._held)]
        self._header_bytes = len(text)
        try:
            return next(csv.reader(io.StringIO(text.decode("utf-8"), newline=""), strict=True), [])
        except (UnicodeDecodeError, csv.Error):
            raise not_a_table("csv", self.given.shown) from None

    def _named(self, first: list[str]) -> tuple[str, ...]:
        known = self.given.signature.names
        if not first:
            self._header_bytes = 0
            return known
        header = self.given.header
        if header is None:
            header = bool(set(known) & set(first))
        if header:
            self._held = self._held[self._header_bytes :]
            self._begin += self._header_bytes
            return tuple(first)
        if len(first) != len(known):
            raise WrongUse(
                Text(
                    en=f"the first line names no feature, and has {len(first)} cells where the model has {len(known)} features",
                    ja=f"先頭行に特徴量名がなく、セル数 ({len(first)}) もモデルの特徴量の数 ({len(known)}) と合いません",
                ),
                Text(
                    en="name the columns in the first line, or give the features in their order",
                    ja="先頭行に列名を書くか、特徴量だけをその順に並べてください",
                ),
                where=self.given.shown,
            )
        return known

    def types(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Return text for every column: an identifier may begin with zeros."""
        import pyarrow as pa

        return dict.fromkeys(names, pa.string())

    def pieces(self, layout: Layout, start: int) -> Iterator[Piece]:  # noqa: ARG002
        """Yield runs of whole records."""
        yield from chopped(
            self.given, held=self._held, begin=self._begin, start=start, end_of=last_end, longest=LONGEST_ROW
        )

    def block(self, content: bytes, layout: Layout) -> Block:
        """Return the rows of some records."""
        return self._fast(content, layout) or self._by_the_letter(content, layout)

    def _fast(self, content: bytes, layout: Layout) -> ArrowBlock | None:
        """Return the rows as pyarrow reads them; ``None`` where that might differ from the rules."""
        import pyarrow as pa
        from pyarrow import compute

        if None in self._kinds.values() or not content:
            return None
        numbers = [feature.name for feature in self._features if self._kinds[feature.name] == "number"]
        types = {feature.name: _arrow_type(pa, feature) for feature in self._features}
        if numbers and any(mark in content for mark in (b" ", b"\t", b"x", b"X")):
            if len(numbers) == len(layout.names):
                return None
            words = _read(pa, content, layout.names, dict.fromkeys(numbers, pa.string()))
            if words is None or any(
                compute.any(compute.match_substring_regex(column, _NOT_PLAIN)).as_py() for column in words.columns
            ):
                return None
        both = set(types) & set(layout.kept)  # as numbers for the model, and by the letter to be passed through
        texts = dict.fromkeys((name for name in layout.kept if name not in both), pa.string())
        table = _read(pa, content, layout.names, {**types, **texts})
        again = _read(pa, content, layout.names, dict.fromkeys(both, pa.string())) if both else table
        if table is None or again is None:
            return None
        for name in numbers:
            if pa.types.is_floating(table.schema.field(name).type) and not _all_plain(table.column(name)):
                return None
        return ArrowBlock(
            self._features,
            [table.column(feature.name) for feature in self._features],
            {name: (again if name in both else table).column(name) for name in layout.kept},
        )

    def _by_the_letter(self, content: bytes, layout: Layout) -> CellsBlock:
        import pyarrow as pa

        places = {name: place for place, name in enumerate(layout.names)}
        rows: list[Row | InvalidInput] = []
        contents: dict[int, Any] = {}
        kept: list[list[str | None]] = [[] for _ in layout.kept]
        for number, (cells, text) in enumerate(records(content)):
            row = self._row(cells, places, number, len(layout.names))
            if isinstance(row, InvalidInput):
                whole = cells is not None and len(cells) == len(layout.names)
                contents[number] = dict(zip(layout.names, cells or (), strict=True)) if whole else readable(text)
            rows.append(row)
            for column, name in zip(kept, layout.kept, strict=True):
                known = cells is not None and len(cells) == len(layout.names)
                column.append((cells[places[name]] or None) if known and cells is not None else None)
        return CellsBlock(rows, [pa.array(column, type=pa.string()) for column in kept], contents)

    def _row(self, cells: list[str] | None, places: dict[str, int], number: int, width: int) -> Row | InvalidInput:
        if cells is None:
            return InvalidInput(
                "malformed_csv",
                Text(en="the line is not CSV in UTF-8", ja="行が UTF-8 の CSV ではありません"),
                Text(en="write CSV as in RFC 4180, in UTF-8", ja="RFC 4180 に従った CSV を UTF-8 で書いてください"),
                row=number,
            )
        if len(cells) != width:
            return InvalidInput(
                "wrong_count",
                Text(en="the number of cells is wrong", ja="セルの個数が違います"),
                Text(en=f"write {width} cells a line", ja=f"1行に {width} 個のセルを書いてください"),
                row=number,
            )
        values = [read_cell_text(feature, cells[places[feature.name]]) for feature in self._features]
        try:
            return self._reader.read(values, row=number)
        except InvalidInput as error:
            return error


def _read(arrow: Any, content: bytes, names: tuple[str, ...], types: dict[str, Any]) -> Any:
    from pyarrow import csv as arrow_csv

    # By number: columns that nobody wants may share a name.
    places = {name: str(names.index(name)) for name in types}
    try:
        table = arrow_csv.read_csv(
            arrow.BufferReader(content),
            read_options=arrow_csv.ReadOptions(
                column_names=list(map(str, range(len(names)))), use_threads=False, block_size=len(content) + 1
            ),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=b'"' in content),
            convert_options=arrow_csv.ConvertOptions(
                column_types={places[name]: kind for name, kind in types.items()},
                include_columns=list(places.values()),
                null_values=[""],
                strings_can_be_null=True,
                **_TRUTHS,
            ),
        )
    except (arrow.ArrowException, OSError):
        return None
    return table.rename_columns(list(types))


def _numeric_kind(feature: Feature) -> str | None:
    """Return how pyarrow may read a column: as numbers, as something else, or (``None``) not at all."""
    if feature.kind in {"float", "integer"}:
        return "number"
    if feature.kind != "category":
        return "other"
    kinds = category_types(feature)
    return ("number" if kinds == (int,) else "other") if len(kinds) == 1 else None


def _arrow_type(arrow: Any, feature: Feature) -> Any:
    kinds = category_types(feature) if feature.kind == "category" else ()
    if feature.kind == "float":
        return arrow.float64()
    if feature.kind == "integer" or int in kinds:
        return arrow.int64()
    if feature.kind == "boolean" or bool in kinds:
        return arrow.bool_()
    return arrow.dictionary(arrow.int32(), arrow.string()) if kinds else arrow.string()


def _all_plain(column: Any) -> bool:
    """Return whether no number is one that the rules look at in its text: ``nan``, infinite, or beyond what a float holds exactly."""
    for chunk in column.chunks:
        values = (chunk.fill_null(0.0) if chunk.null_count else chunk).to_numpy(zero_copy_only=False)
        # Written so that a NaN makes it false.
        if not bool((np.abs(values) < _FIRST_INEXACT).all()):
            return False
    return True


class CsvFormat(TableFormat):
    """``.csv`` and ``.csv.gz``."""

    id = "csv"
    suffixes = (".csv",)
    packable = True

    def open(self, given: Opening) -> OpenTable:
        """Open a CSV text."""
        return _CsvTable(given)

    def head(self, schema: Any) -> bytes:
        """Return the line of names."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(schema.names)
        return text.getvalue().encode()

    def encode(self, batch: Any) -> bytes:
        """Return a line for each row."""
        lines = CellLines(batch)
        return lines.joined("", ",", [lines.csv_cells(place) for place in range(batch.num_columns)], "\n")


FORMAT: Final = CsvFormat()
