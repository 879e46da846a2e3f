"""The last rows of the book of predictions, as a table that a detector can judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sekisho.artifact.column import Column, Kind, Scalar, floats, strings
from sekisho.artifact.table import Table
from sekisho.ledger.address import is_there
from sekisho.ledger.predictions import PredictionBook, PredictionRecord


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Window:
    """The last rows that one model answered.

    Attributes:
        records: Oldest first.
        table: Their features, those of them that the book holds, and the answers.

    """

    records: tuple[PredictionRecord, ...]
    table: Table

    @property
    def newest(self) -> tuple[str, int] | None:
        """The request and the row that came last; ``None`` in an empty window."""
        return (self.records[-1].request_id, self.records[-1].row) if self.records else None


def last_window(
    address: Path | str, rows: int, *, model: str | None, kinds: Mapping[str, Kind], answer: str | None
) -> Window:
    """Read the last rows of a book.

    Args:
        address: The book: a file, or the URL of a database. Where there is no file yet, nothing was answered, and none is made.
        rows: How many rows at most.
        model: The digest of the artifact that must have answered; ``None`` for any.
        kinds: What the values of each column mean, by name.
        answer: The name that the reference has for the model's answers; ``None`` when it has none.

    Raises:
        LedgerError: The book cannot be read.

    """
    if not is_there(address):
        return Window(records=(), table=Table(columns=()))
    with PredictionBook(address) as book:
        records = tuple(book.recent(rows, model))
    return Window(records=records, table=Table(columns=tuple(_columns(records, kinds, answer))))


def _columns(records: Sequence[PredictionRecord], kinds: Mapping[str, Kind], answer: str | None) -> list[Column]:
    """Return a column for each name that at least one record holds; others were never written down."""
    columns = []
    for name, kind in kinds.items():
        if name == answer:
            columns.append(_column(name, kind, [record.answer for record in records]))
        elif any(name in record.features for record in records):
            columns.append(_column(name, kind, [record.features.get(name) for record in records]))
    return columns


def _column(name: str, kind: Kind, cells: Sequence[Scalar]) -> Column:
    if kind in {"float", "integer"}:
        numbers = [float(cell) if isinstance(cell, int | float) else np.nan for cell in cells]
        return floats(name, "float64", np.array(numbers))
    null = np.array([cell is None for cell in cells], dtype=np.bool_)
    values = np.empty(len(cells), dtype=object)
    values[:] = cells
    return strings(name, "object", values, null, kind="category")
