"""Parquet: read page by page, so that a row group of any size takes no more memory than a small one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sekisho.errors import WrongUse
from sekisho.scoring.arrow_tables import ColumnarTable
from sekisho.scoring.formats.interface import TableFormat
from sekisho.scoring.streams import batches_of, message_of, start_of
from sekisho.scoring.tables import Opening, OpenTable, Piece, not_a_table, rows_of_piece
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sekisho.scoring.layout import Layout

_READ_AHEAD: Final = 2**18
"""Bytes of a column that are read at once."""
_GROUP_ROWS: Final = 2**18
"""Of a row group that is written."""


class _ParquetTable(ColumnarTable):
    def __init__(self, given: Opening) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        if given.path is None or not given.seekable:
            raise WrongUse(
                Text(en="Parquet cannot be read from a stream", ja="Parquet はストリームから読めません"),
                Text(en="give it as a file", ja="ファイルとして渡してください"),
                where=given.shown,
            )
        try:
            self._file = given.open_files.enter_context(
                parquet.ParquetFile(given.path, buffer_size=_READ_AHEAD, pre_buffer=False)
            )
            super().__init__(given, self._file.schema_arrow)
        except (pa.ArrowException, OSError):
            raise not_a_table("parquet", given.shown) from None

    def pieces(self, layout: Layout, start: int) -> Iterator[Piece]:
        """Yield runs of rows; row groups before ``start`` are not read, and no run spans two."""
        metadata = self._file.metadata
        total, place = metadata.num_rows, 0
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            if place + rows <= start:
                place += rows
                continue
            wanted = self.wanted(layout)
            batches = self._file.iter_batches(
                rows_of_piece(len(wanted)), row_groups=[group], columns=wanted, use_threads=False
            )
            for batch in batches:
                place += batch.num_rows
                if place > start:
                    yield Piece(ends=place, share=place / total, content=batch)


class ParquetFormat(TableFormat):
    """``.parquet``."""

    id = "parquet"
    suffixes = (".parquet", ".pq")
    takes_any_type = True

    def open(self, given: Opening) -> OpenTable:
        """Open a file."""
        return _ParquetTable(given)

    def head(self, schema: Any) -> bytes:
        """Return the head of an Arrow stream: rows are kept in one until all are there."""
        return start_of(schema)

    def encode(self, batch: Any) -> bytes:
        """Return a message of that stream."""
        return message_of(batch)

    def finish(self, rows: Path, whole: Path, schema: Any) -> Path:
        """Return the stream as a Parquet file."""
        from pyarrow import parquet

        with parquet.ParquetWriter(whole, schema, compression="snappy", use_dictionary=_repeating(schema)) as writer:
            for table in batches_of(rows, _GROUP_ROWS):
                writer.write_table(table, row_group_size=_GROUP_ROWS)
        return whole


def _repeating(schema: Any) -> list[str]:
    """Return the columns whose values come again: labels and flags, not probabilities."""
    import pyarrow as pa

    return [field.name for field in schema if not pa.types.is_floating(field.type)]


FORMAT: Final = ParquetFormat()
