"""The media types of tables."""

from __future__ import annotations

from typing import Final

from sekisho.serving.http.codings import CODINGS
from sekisho.serving.http.forms import JSON, Offer

CSV: Final = "text/csv"
LINES: Final = "application/jsonlines"
LINES_TOO: Final = "application/x-ndjson"
ARROW: Final = "application/vnd.apache.arrow.stream"
ARROW_FILE: Final = "application/vnd.apache.arrow.file"
PARQUET: Final = "application/vnd.apache.parquet"
COLUMNS: Final = (ARROW, ARROW_FILE, PARQUET)
"""Tables by columns, which pyarrow reads."""
OFFER: Final = Offer(
    media_types=(JSON, CSV, LINES, LINES_TOO, *COLUMNS),
    answers=(JSON, CSV, LINES, LINES_TOO, *COLUMNS),
    codings=CODINGS,
    packs=True,
)
