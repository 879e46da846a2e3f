"""The book of predictions: what was asked, what was answered, and what came true.

Answers are written in chunks: everything that one process answered within a fraction of a second is one row of an SQLite file, in
JSON. That costs a microsecond a prediction instead of four, and takes half the space. People who like SQL read the view
``predictions``, which shows one line a prediction::

    sqlite3 predictions.sqlite "SELECT at, prediction, probability, features FROM predictions ORDER BY sequence DESC LIMIT 5"

Several processes may write and read at the same time (write-ahead log). A chunk is wholly there or not at all; it survives the
death of the process that wrote it as soon as :meth:`PredictionBook.write` has returned.

On disk: the tables ``models_1``, ``answers_1`` and ``outcomes_1``; the number is the format, and a later format gets tables of its own.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final, Self

import msgspec

from sekisho.errors import LedgerError
from sekisho.ledger.chunks import (
    BookModel,
    Entry,
    Prediction,
    PredictionRecord,
    Scalar,
    entry_of,
    read_entries,
    records_of,
)
from sekisho.text import Text

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from sekisho.ledger.chunks import ReadEntry

__all__ = ["BookModel", "Entry", "Outcome", "PredictionBook", "PredictionRecord", "Scalar"]

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS models_1 (
    model INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    version TEXT NOT NULL,
    names TEXT NOT NULL,
    UNIQUE (digest, version, names)
);
CREATE TABLE IF NOT EXISTS answers_1 (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    model INTEGER NOT NULL REFERENCES models_1 (model),
    first_at TEXT NOT NULL,
    last_at TEXT NOT NULL,
    rows INTEGER NOT NULL,
    entries TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS answers_1_at ON answers_1 (last_at);
CREATE TABLE IF NOT EXISTS outcomes_1 (
    request_id TEXT NOT NULL,
    row INTEGER NOT NULL,
    value TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (request_id, row)
);
CREATE VIEW IF NOT EXISTS predictions AS
SELECT
    a.sequence AS sequence,
    json_extract(entry.value, '$[0]') AS request_id,
    answer.key AS row,
    json_extract(entry.value, '$[1]') AS at,
    m.digest AS model,
    m.version AS version,
    CASE json_extract(entry.value, '$[3]')
        WHEN 1 THEN json_extract(entry.value, '$[4][' || answer.key || '].features')
        ELSE json_extract(entry.value, '$[4][' || answer.key || ']')
    END AS features,
    answer.value AS prediction,
    json_extract(entry.value, '$[6][' || answer.key || ']') AS probability,
    json_extract(entry.value, '$[7]."' || answer.key || '"') AS flags,
    json_extract(entry.value, '$[2]') AS latency_ms
FROM answers_1 AS a
JOIN models_1 AS m USING (model)
JOIN json_each(a.entries) AS entry
JOIN json_each(entry.value, '$[5]') AS answer;
"""
_SECONDS_FOR_LOCK: Final = 5.0
_CHUNKS_AT_ONCE: Final = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came true of one row.

    Attributes:
        request_id: The request that the row came in.
        row: Its index in that request.
        value: The class label or the number that it should have been; several by name.
        at: When the book was told: RFC 3339, UTC.

    """

    request_id: str
    row: int
    value: Prediction
    at: str


class PredictionBook:
    """The book of predictions in an SQLite file. Thread-safe.

    Args:
        path: The file; it is made, with its folder, when it is not there.

    Raises:
        LedgerError: The file cannot be made, opened or read as a book.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._models: dict[BookModel, int] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path, timeout=_SECONDS_FOR_LOCK, isolation_level=None, check_same_thread=False
            )
            # Chunks are long: on large pages a thousand rows take 1.5 ms of a processor, on usual ones 2.5. For a new file only.
            self._connection.execute("PRAGMA page_size = 16384")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def write(self, model: BookModel, entries: Sequence[Entry]) -> None:
        """Add one chunk; it survives the death of this process when this returns.

        Args:
            model: Whose answers they are.
            entries: The answers in the order of time; none does nothing.

        Raises:
            LedgerError: The file cannot be written: the disk is full, or another process holds it for seconds.

        """
        if not entries:
            return
        content = msgspec.json.encode(entries).decode()
        rows = sum(len(entry.predictions) for entry in entries)
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO answers_1 (model, first_at, last_at, rows, entries) VALUES (?, ?, ?, ?, ?)",
                (self._model(connection, model), entries[0].at, entries[-1].at, rows, content),
            )

    def append(self, records: Sequence[PredictionRecord]) -> None:
        """Add records one by one; those of one request must follow one another.

        Raises:
            LedgerError: The file cannot be written.

        """

        def whose(record: PredictionRecord) -> BookModel:
            return BookModel(digest=record.model, version=record.version, names=tuple(record.features))

        for model, chunk in groupby(records, key=whose):
            requests = [list(rows) for _, rows in groupby(chunk, key=lambda record: record.request_id)]
            self.write(model, [entry_of(rows) for rows in requests])

    def recent(self, rows: int, model: str | None = None) -> list[PredictionRecord]:
        """Return the last ``rows`` predictions, the newest last.

        Args:
            rows: How many at most.
            model: The digest of the artifact that must have answered; ``None`` for any.

        Raises:
            LedgerError: The file cannot be read.

        """
        newest_first: list[PredictionRecord] = []
        for record in self._backwards("" if model is None else "WHERE m.digest = ?", () if model is None else (model,)):
            if len(newest_first) >= rows:
                break
            newest_first.append(record)
        return newest_first[::-1]

    def find(self, request_id: str) -> list[PredictionRecord]:
        """Return the rows of one request, in order; none if it is not in the book. Searches the whole book.

        Raises:
            LedgerError: The file cannot be read.

        """
        records = self._backwards("WHERE instr(a.entries, ?) > 0", (msgspec.json.encode(request_id).decode(),))
        return sorted((record for record in records if record.request_id == request_id), key=lambda record: record.row)

    def count(self, model: str | None = None) -> int:
        """Return how many predictions the book holds.

        Args:
            model: The digest of the artifact that must have answered; ``None`` for any.

        Raises:
            LedgerError: The file cannot be read.

        """
        query = "SELECT coalesce(sum(a.rows), 0) FROM answers_1 AS a JOIN models_1 AS m USING (model)"
        with self._reading():
            if model is None:
                (total,) = self._connection.execute(query).fetchone()
            else:
                (total,) = self._connection.execute(f"{query} WHERE m.digest = ?", (model,)).fetchone()
        return int(total)

    def add_outcome(self, request_id: str, row: int, value: Prediction, *, at: str) -> None:
        """Write down what came true of one row; a later word on the same row replaces an earlier one.

        Args:
            request_id: The request that the row came in.
            row: Its index in that request.
            value: What it should have been.
            at: Now, RFC 3339, UTC.

        Raises:
            LedgerError: The file cannot be written.

        """
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO outcomes_1 (request_id, row, value, at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (request_id, row) DO UPDATE SET value = excluded.value, at = excluded.at",
                (request_id, row, msgspec.json.encode(value).decode(), at),
            )

    def outcomes(self, since: str = "") -> list[Outcome]:
        """Return what came true, the oldest first.

        Args:
            since: Only what the book was told at this moment or later: RFC 3339, UTC.

        Raises:
            LedgerError: The file cannot be read.

        """
        with self._reading():
            found = self._connection.execute(
                "SELECT request_id, row, value, at FROM outcomes_1 WHERE at >= ? ORDER BY at, request_id, row", (since,)
            ).fetchall()
        return [
            Outcome(request_id=request_id, row=row, value=msgspec.json.decode(value), at=at)
            for request_id, row, value, at in found
        ]

    def prune(self, before: str) -> int:
        """Remove every chunk that ended before a moment, and outcomes as old; return how many predictions went.

        Args:
            before: RFC 3339, UTC. Nothing younger is removed.

        Raises:
            LedgerError: The file cannot be written.

        """
        with self._transaction() as connection:
            (rows,) = connection.execute(
                "SELECT coalesce(sum(rows), 0) FROM answers_1 WHERE last_at < ?", (before,)
            ).fetchone()
            connection.execute("DELETE FROM answers_1 WHERE last_at < ?", (before,))
            connection.execute("DELETE FROM outcomes_1 WHERE at < ?", (before,))
        return int(rows)

    def _model(self, connection: sqlite3.Connection, model: BookModel) -> int:
        known = self._models.get(model)
        if known is not None:
            return known
        values = (model.digest, model.version, msgspec.json.encode(model.names).decode())
        connection.execute("INSERT OR IGNORE INTO models_1 (digest, version, names) VALUES (?, ?, ?)", values)
        (number,) = connection.execute(
            "SELECT model FROM models_1 WHERE digest = ? AND version = ? AND names = ?", values
        ).fetchone()
        self._models[model] = int(number)
        return int(number)

    def _backwards(self, condition: str, values: tuple[str, ...]) -> Iterator[PredictionRecord]:
        """Yield records, the newest first, chunk by chunk."""
        query = (
            "SELECT a.sequence, m.digest, m.version, m.names, a.entries FROM answers_1 AS a JOIN models_1 AS m USING (model) "  # noqa: S608 - our own words
            f"{condition} {'AND' if condition else 'WHERE'} a.sequence < ? ORDER BY a.sequence DESC LIMIT {_CHUNKS_AT_ONCE}"
        )
        before = 2**63 - 1
        while True:
            with self._reading():
                chunks = self._connection.execute(query, (*values, before)).fetchall()
            if not chunks:
                return
            for sequence, digest, version, names, content in chunks:
                before = sequence
                model = BookModel(digest=digest, version=version, names=tuple(msgspec.json.decode(names)))
                for entry in reversed(self._entries(content)):
                    yield from reversed(records_of(model, entry))

    def _entries(self, content: str) -> list[ReadEntry]:
        try:
            return read_entries(content)
        except msgspec.DecodeError as error:
            raise _unusable(self._path, error) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    self._models.clear()
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
        except sqlite3.Error as error:
            raise _unusable(self._path, error) from error

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except sqlite3.Error as error:
            raise _unusable(self._path, error) from error


def _unusable(path: Path, error: Exception) -> LedgerError:
    return LedgerError(
        Text(en=f"the book of predictions cannot be used: {error}", ja=f"予測台帳を使えません: {error}"),
        Text(
            en="check the permissions and the free space, or move the file away to begin a new book",
            ja="権限と空き容量を確認するか、ファイルを退避して新しい台帳を作ってください",
        ),
        where=path,
    )
