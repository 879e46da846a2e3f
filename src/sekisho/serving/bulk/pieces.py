"""Large answers piece by piece: the caller reads the first rows while the model answers the next, and nobody holds all of them as text.

The bytes are those of the whole answer, cut where a part of the rows ends. Parquet and Arrow files end with what is known only at their end, and
cannot be cut.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.serving.bulk.media import ARROW, CSV, LINES, LINES_TOO
from sekisho.serving.bulk.writing import CSV_HEADER, arrow_table, csv_lines, json_lines
from sekisho.serving.http.forms import JSON

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.artifact.signature import Output
    from sekisho.serving.bulk.writing import Columns
    from sekisho.serving.routing import Reply

TABLES: Final = (CSV, LINES, LINES_TOO, ARROW)
"""The tables that can be cut."""


def can_be_cut(media_type: str, output: Output) -> bool:
    """Return whether an answer of a media type can be written piece by piece.

    Labels of several types share a column of Arrow as texts, if there are any: nobody knows before the last part.
    """
    if media_type == ARROW:
        return all(len({type(label) for label in one.classes or ()}) <= 1 for one in output.each)
    return media_type in TABLES or media_type == JSON


class JsonPieces:
    """``{"predictions": [...], ...}``.

    Args:
        encode: Returns the JSON list of some rows.
        rest: Returns what stands beside the list, given the last part of the answer and how many rows there are.

    """

    media_type = b"application/json"

    def __init__(self, encode: Callable[[Reply], bytes], rest: Callable[[Reply, int], dict[str, Any]]) -> None:
        self._encode = encode
        self._rest = rest
        self._before = b'{"predictions":['

    def part(self, reply: Reply) -> bytes:
        """Return the next elements of the list."""
        before, self._before = self._before, b","
        return before + self._encode(reply)[1:-1]

    def end(self, reply: Reply, rows: int) -> bytes:
        """Return the end of the list, and what stands beside it."""
        rest = msgspec.json.encode(self._rest(reply, rows))
        return b"]}" if rest == b"{}" else b"]," + rest[1:]


class TablePieces:
    """CSV, JSON Lines, or a stream of Arrow.

    Args:
        columns: Returns the columns of some rows.
        media_type: One of :data:`TABLES`.

    """

    def __init__(self, columns: Callable[[Reply], Columns], media_type: str) -> None:
        self._columns = columns
        self._kind = media_type
        self.media_type = CSV_HEADER if media_type == CSV else media_type.encode()
        self._begun = False
        self._sink = io.BytesIO()
        self._writer: Any = None
        self._schema: Any = None

    def part(self, reply: Reply) -> bytes:
        """Return the next rows."""
        columns = self._columns(reply)
        begun, self._begun = self._begun, True
        if self._kind == CSV:
            return csv_lines(columns, header=not begun)
        if self._kind != ARROW:
            return json_lines(columns)
        return self._arrow(columns, reply)

    def end(self, reply: Reply, rows: int) -> bytes:  # noqa: ARG002
        """Return the end of a stream of Arrow; the others have none."""
        if self._writer is None:
            return b""
        self._writer.close()
        return self._taken()

    def _arrow(self, columns: Columns, reply: Reply) -> bytes:
        from pyarrow import ipc

        table = arrow_table(columns, reply)
        if self._writer is None:
            # The time of the first part stands for all of them.
            self._schema = table.schema
            self._writer = ipc.new_stream(self._sink, self._schema)
        self._writer.write_table(table.cast(self._schema))
        return self._taken()

    def _taken(self) -> bytes:
        data = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        return data
