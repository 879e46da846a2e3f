"""Bodies and answers that are tables, as OpenAPI describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.serving.bulk.media import ARROW, ARROW_FILE, COLUMNS, CSV, LINES, LINES_TOO, PARQUET
from sekisho.serving.schema import example_row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.artifact.column import Scalar
    from sekisho.serving.routing import Model

_WORDS: Final = {
    CSV: "A row a line, with or without a line of names.",
    LINES: "A row a line, as JSON.",
    LINES_TOO: "A row a line, as JSON.",
    ARROW: "Arrow IPC, streaming format: a column for every feature.",
    ARROW_FILE: "Arrow IPC, file format (Feather): a column for every feature.",
    PARQUET: "Parquet: a column for every feature.",
}


def table_bodies(model: Model) -> dict[str, Any]:
    """Return the content of a request, by media type."""
    row = example_row(model.signature)
    shown = [",".join(map(_cell, row)), ",".join(map(_cell, row.values()))]
    line = msgspec.json.encode(row).decode() + "\n"
    examples = {CSV: "\n".join(shown) + "\n", LINES: line, LINES_TOO: line}
    return {
        media_type: {
            "schema": _schema(media_type),
            **({"example": examples[media_type]} if media_type in examples else {}),
        }
        for media_type in _WORDS
    }


def _schema(media_type: str) -> Mapping[str, Any]:
    binary = {"format": "binary"} if media_type in COLUMNS else {}
    return {"type": "string", "description": _WORDS[media_type], **binary}


def _cell(cell: Scalar) -> str:
    words = "" if cell is None else str(cell).lower() if isinstance(cell, bool) else str(cell)
    return '"' + words.replace('"', '""') + '"' if any(mark in words for mark in ',"\r\n') else words


TABLE_ANSWERS: Final = {
    CSV: {"type": "string", "description": "A prediction a line."},
    LINES: {"type": "string", "description": "A prediction a line, as JSON."},
    LINES_TOO: {"type": "string", "description": "A prediction a line, as JSON."},
    **{
        media_type: {"type": "string", "format": "binary", "description": "A row for each prediction."}
        for media_type in COLUMNS
    },
}
"""The content of an answer, by media type."""
