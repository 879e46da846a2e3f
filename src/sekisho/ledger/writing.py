"""Writing chunks: which answers stand together, under which number, and where their ids are found."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from sekisho.ledger.chunks import BookModel, Entry, Sheet, written
from sekisho.ledger.columns import Columns

if TYPE_CHECKING:
    from sekisho.ledger.database import Database, Run

_BUCKET: Final = 65_536
"""Ids in one bucket, about."""
_INSERT: Final = (
    "INSERT INTO answers_2 (model, first_at, last_at, rows, entries, columns, token, bucket) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (token) DO NOTHING"
)


class Writer:
    """Writes chunks into a database. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.Lock()
        self._models: dict[BookModel, int] = {}
        self._bucket: int | None = None
        self._in_bucket = 0
        self._generation = 0

    def write(self, model: BookModel, answers: Sheet | Sequence[Entry], token: str | None) -> None:
        """Add some answers; see :meth:`~sekisho.ledger.predictions.PredictionBook.write`.

        Raises:
            LedgerError: They cannot be written.

        """
        if not (answers.lines if isinstance(answers, Sheet) else answers):
            return
        chunks = [answers] if isinstance(answers, Sheet) else _chunks(answers)
        with self._lock:
            try:
                with self.database.transaction() as run:
                    if self._generation != self.database.generation:
                        self._models.clear()
                        self._bucket, self._generation = None, self.database.generation
                    number = self._model(run, model)
                    for place, chunk in enumerate(chunks):
                        self._write_chunk(run, number, chunk, None if token is None else f"{token}-{place}")
            except BaseException:
                self._models.clear()
                self._bucket = None
                raise

    def _write_chunk(self, run: Run, model: int, chunk: Sheet | Entry, token: str | None) -> None:
        if isinstance(chunk, Sheet):
            sheet, content, columns = chunk, chunk.content(), None
        else:
            sheet = Sheet(ids=[chunk.request_id], rows=len(chunk.predictions), first_at=chunk.at, last_at=chunk.at)
            content, columns = written(chunk)
        values = (model, sheet.first_at, sheet.last_at, sheet.rows, content, columns, token, self._bucket)
        sequence = self.database.insert(run, _INSERT, values)
        if sequence is None:
            return
        if self._bucket is None:
            self._bucket, self._in_bucket = sequence, 0
            run("UPDATE answers_2 SET bucket = sequence WHERE sequence = ?", (sequence,))
        ids = msgspec.json.encode(sorted(set(sheet.ids))).decode()
        these = self.database.values_of
        run(
            f"INSERT INTO ids_2 (bucket, request_id, sequence) SELECT CAST(? AS BIGINT), value, CAST(? AS BIGINT) FROM {these}",  # noqa: S608
            (self._bucket, sequence, ids),
        )
        self._in_bucket += len(sheet.ids)
        if self._in_bucket >= _BUCKET:
            self._bucket = None

    def _model(self, run: Run, model: BookModel) -> int:
        known = self._models.get(model)
        if known is not None:
            return known
        values = (model.digest, model.version, msgspec.json.encode(model.names).decode())
        run("INSERT INTO models_1 (digest, version, names) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", values)
        (number,) = run("SELECT model FROM models_1 WHERE digest = ? AND version = ? AND names = ?", values).fetchone()
        self._models[model] = int(number)
        return int(number)


def _chunks(entries: Sequence[Entry]) -> Iterator[Sheet | Entry]:
    """Yield entries as they stand in chunks: those that hold columns alone, the others together."""
    sheet = Sheet()
    for entry in entries:
        if not isinstance(entry.rows, Columns):
            sheet.add(entry)
            continue
        if sheet.lines:
            yield sheet
            sheet = Sheet()
        yield entry
    if sheet.lines:
        yield sheet
