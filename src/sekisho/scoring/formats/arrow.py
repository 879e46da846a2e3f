"""Arrow IPC, the file format (Feather) and the streaming format; whichever it is, its first bytes tell."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any, Final

from sekisho.scoring.arrow_tables import ColumnarTable, sliced
from sekisho.scoring.formats.interface import TableFormat
from sekisho.scoring.streams import batches_of, message_of, start_of
from sekisho.scoring.tables import Opening, OpenTable, Piece, not_a_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sekisho.scoring.layout import Layout

_MAGIC: Final = b"ARROW1"
_BATCH_ROWS: Final = 2**16
"""Of a batch of a file that is written."""


class _ArrowTable(ColumnarTable):
    def __init__(self, given: Opening) -> None:
        import pyarrow as pa
        from pyarrow import ipc

        self._map: mmap.mmap | None = None
        try:
            if given.path is not None and given.seekable:
                self._map = mmap.mmap(given.stream.fileno(), 0, access=mmap.ACCESS_READ)
                source: Any = pa.BufferReader(pa.py_buffer(self._map))
                self._is_file = self._map[: len(_MAGIC)] == _MAGIC
            else:
                source, self._is_file = given.stream, False
            self._reader: Any = ipc.open_file(source) if self._is_file else ipc.open_stream(source)
        except (pa.ArrowException, OSError, ValueError):
            raise not_a_table("arrow", given.shown) from None
        super().__init__(given, self._reader.schema)

    def pieces(self, layout: Layout, start: int) -> Iterator[Piece]:  # noqa: ARG002
        """Yield slices of its batches. Pages of the file that are behind are given back."""
        place = 0
        for share, batch in self._batches():
            if place + batch.num_rows <= start:
                place += batch.num_rows
                continue
            for part in sliced(batch):
                place += part.num_rows
                if place > start:
                    yield Piece(ends=place, share=share, content=part)
                if self._map is not None:
                    self._map.madvise(mmap.MADV_DONTNEED)

    def _batches(self) -> Iterator[tuple[float, Any]]:
        if self._is_file:
            count = self._reader.num_record_batches
            for number in range(count):
                yield (number + 1) / count, self._reader.get_batch(number)
            return
        for batch in self._reader:
            yield 0.0, batch


class ArrowFormat(TableFormat):
    """``.arrow``, ``.feather`` (files) and ``.arrows`` (streams); files are written."""

    id = "arrow"
    suffixes = (".arrow", ".feather", ".ipc")
    takes_any_type = True

    def open(self, given: Opening) -> OpenTable:
        """Open a file or a stream."""
        return _ArrowTable(given)

    def head(self, schema: Any) -> bytes:
        """Return the head of a stream."""
        return start_of(schema)

    def encode(self, batch: Any) -> bytes:
        """Return a message of a stream."""
        return message_of(batch)

    def finish(self, rows: Path, whole: Path, schema: Any) -> Path:
        """Return the stream as a file."""
        from pyarrow import ipc

        with ipc.new_file(whole, schema) as writer:
            for table in batches_of(rows, _BATCH_ROWS):
                writer.write_table(table)
        return whole


FORMAT: Final = ArrowFormat()
