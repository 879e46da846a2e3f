"""The book of predictions: what was asked, what was answered, and what came true.

Answers are written in chunks: everything that one process answered within a fraction of a second is one row of a table, in JSON; a request
with many rows is a row of its own, in columns. People who like SQL read the view ``predictions``, which shows one line a prediction, and the
view ``batches``, which shows one line for each request that is kept in columns (``sekisho ledger export`` shows their rows)::

    sqlite3 predictions.sqlite "SELECT at, prediction, probability, features FROM predictions ORDER BY sequence DESC LIMIT 5"

The book is an SQLite file, or a PostgreSQL database by URL. Several processes may write and read at the same time. A chunk is wholly there or
not at all; it survives the death of the process that wrote it as soon as :meth:`PredictionBook.write` has returned.

A request is found by its id through the table ``ids_2``: ids are grouped in buckets of what one process wrote, so that writing touches a few
pages whatever the ids are, and finding looks once into each bucket.

The number at the end of a table is its format; a later format gets tables of its own. A file of format 1 is taken over when it is opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from sekisho.errors import LedgerError
from sekisho.ledger.address import checked, is_url
from sekisho.ledger.chunks import (
    BookModel,
    Entry,
    Prediction,
    PredictionRecord,
    ReadEntry,
    Sheet,
    entry_of,
    read_entries,
    records_of,
)
from sekisho.ledger.database import unusable
from sekisho.ledger.sqlite import SqliteDatabase
from sekisho.ledger.values import Scalar
from sekisho.ledger.writing import Writer

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from sekisho.ledger.database import Database, Run

__all__ = ["BookModel", "Chunk", "Entry", "Outcome", "PredictionBook", "PredictionRecord", "Scalar", "Sheet"]

CHUNKS_AT_ONCE: Final = 32
_COLUMNS: Final = (
    "SELECT a.sequence, m.digest, m.version, m.names, a.entries, a.columns, a.rows, a.bucket, a.last_at "
    "FROM answers_2 AS a JOIN models_1 AS m USING (model)"
)
# One look into each bucket, by skipping from each to the next.
_FIND: Final = """
WITH RECURSIVE buckets (bucket) AS (
    SELECT min(bucket) FROM ids_2
    UNION ALL
    SELECT (SELECT min(i.bucket) FROM ids_2 AS i WHERE i.bucket > b.bucket) FROM buckets AS b WHERE b.bucket IS NOT NULL
)
SELECT i.sequence FROM buckets AS b JOIN ids_2 AS i ON i.bucket = b.bucket WHERE i.request_id = ?
ORDER BY i.sequence DESC LIMIT ?
"""
_MOST_CHUNKS_OF_AN_ID: Final = 1_000


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Chunk:
    """One row of the table of answers.

    Attributes:
        sequence: Its number; later chunks have larger ones.
        model: Whose answers it holds.
        content: The JSON.
        columns: The binary form, if it holds one request in columns.
        rows: How many predictions it says that it holds.
        bucket: Where its ids are; ``None`` in chunks of format 1.
        last_at: When the last of its answers was given.
        place: Where the book is.

    """

    sequence: int
    model: BookModel
    content: str
    columns: bytes | None
    rows: int
    bucket: int | None
    last_at: str
    place: str

    def entries(self) -> list[ReadEntry]:
        """Return what it holds.

        Raises:
            LedgerError: It is torn.

        """
        try:
            return read_entries(self.content, self.columns, self.model.names)
        except ValueError as error:
            raise self.torn() from error

    def records(self) -> list[PredictionRecord]:
        """Return all its rows, in the order of time.

        Raises:
            LedgerError: It is torn.

        """
        try:
            return [record for entry in self.entries() for record in records_of(self.model, entry)]
        except ValueError as error:
            raise self.torn() from error

    def torn(self) -> LedgerError:
        """Return the error that says that it cannot be read."""
        return unusable(self.place, f"chunk {self.sequence} is torn")


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
    """The book of predictions in an SQLite file or a PostgreSQL database. Thread-safe.

    Args:
        address: The file, which is made with its folder when it is not there; or ``postgresql://user@host:5432/database``.
        durable: Whether :meth:`write` waits until the disk has what was written, so that it survives a power failure too.
        lazy: Whether it is opened only when it is first needed: then a book that cannot be opened is tried again each time.

    Attributes:
        database: What it is kept in.

    Raises:
        LedgerError: It cannot be made, opened or read as a book.
        MissingExtra: The library that speaks to the database is not installed.
        WrongUse: The address is none.

    """

    def __init__(self, address: Path | str, *, durable: bool = False, lazy: bool = False) -> None:
        address = checked(address)
        if is_url(address):
            from sekisho.ledger.postgres import PostgresDatabase

            self.database: Database = PostgresDatabase(str(address), durable=durable, lazy=lazy)
        else:
            assert not isinstance(address, str)
            self.database = SqliteDatabase(address, durable=durable, lazy=lazy)
        self._writer = Writer(self.database)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file or the database."""
        self.database.close()

    # Writing

    def write(self, model: BookModel, answers: Sheet | Sequence[Entry], *, token: str | None = None) -> None:
        """Add some answers; they survive the death of this process when this returns.

        Args:
            model: Whose answers they are.
            answers: The answers in the order of time; none does nothing.
            token: A word that no other call uses, for whoever tries again when nobody knows what became of the first time: what was
                written under it once is not written twice.

        Raises:
            LedgerError: They cannot be written: the disk is full, the database does not answer, or another process holds it for seconds.

        """
        self._writer.write(model, answers, token)

    def append(self, records: Sequence[PredictionRecord]) -> None:
        """Add records one by one; those of one request must follow one another.

        Raises:
            LedgerError: The book cannot be written.

        """

        def whose(record: PredictionRecord) -> BookModel:
            return BookModel(digest=record.model, version=record.version, names=tuple(record.features))

        for model, chunk in groupby(records, key=whose):
            requests = [list(rows) for _, rows in groupby(chunk, key=lambda record: record.request_id)]
            self.write(model, [entry_of(rows) for rows in requests])

    def touch(self) -> None:
        """Write something that means nothing, to see whether the book can be written.

        Raises:
            LedgerError: It cannot.

        """
        with self.database.transaction() as run:
            run("UPDATE models_1 SET version = version WHERE model = (SELECT min(model) FROM models_1)")

    def add_outcome(self, request_id: str, row: int, value: Prediction, *, at: str) -> None:
        """Write down what came true of one row; a later word on the same row replaces an earlier one.

        Args:
            request_id: The request that the row came in.
            row: Its index in that request.
            value: What it should have been.
            at: Now, RFC 3339, UTC.

        Raises:
            LedgerError: The book cannot be written.

        """
        with self.database.transaction() as run:
            run(
                "INSERT INTO outcomes_1 (request_id, row, value, at) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (request_id, row) DO UPDATE SET value = excluded.value, at = excluded.at",
                (request_id, row, msgspec.json.encode(value).decode(), at),
            )

    def prune(self, before: str) -> int:
        """Remove every chunk that ended before a moment, and outcomes as old; return how many predictions went.

        Args:
            before: RFC 3339, UTC. Nothing younger is removed.

        Raises:
            LedgerError: The book cannot be written.

        """
        gone = 0
        while True:
            old = self.database.query(
                "SELECT sequence FROM answers_2 WHERE last_at < ? ORDER BY sequence LIMIT ?", (before, CHUNKS_AT_ONCE)
            )
            if not old:
                break
            gone += self.drop([sequence for (sequence,) in old])
        with self.database.transaction() as run:
            run("DELETE FROM outcomes_1 WHERE at < ?", (before,))
        return gone

    def drop(self, sequences: Sequence[int]) -> int:
        """Remove chunks with their ids, and the outcomes of requests that are not in the book any more; return how many predictions went.

        Raises:
            LedgerError: The book cannot be written.

        """
        these, listed = self.database.values_of, msgspec.json.encode(list(sequences)).decode()
        chosen = f"(SELECT CAST(value AS BIGINT) FROM {these})"  # noqa: S608 - our own words
        with self.database.transaction() as run:
            found = run(f"SELECT rows, bucket FROM answers_2 WHERE sequence IN {chosen}", (listed,)).fetchall()  # noqa: S608
            ids: set[str] = set()
            for bucket in {bucket for _, bucket in found if bucket is not None}:
                where = f"FROM ids_2 WHERE bucket = ? AND sequence IN {chosen}"
                ids |= {name for (name,) in run(f"SELECT DISTINCT request_id {where}", (bucket, listed)).fetchall()}
                run(f"DELETE {where}", (bucket, listed))
            run(f"DELETE FROM answers_2 WHERE sequence IN {chosen}", (listed,))  # noqa: S608
            self.drop_outcomes(run, ids)
        return sum(int(rows) for rows, _ in found)

    def drop_outcomes(self, run: Run, ids: set[str]) -> int:
        """Remove the outcomes of those of some requests that are not in the book any more; return how many."""
        listed = msgspec.json.encode(sorted(ids)).decode()
        told = run(
            f"SELECT DISTINCT request_id FROM outcomes_1 WHERE request_id IN (SELECT value FROM {self.database.values_of})",  # noqa: S608
            (listed,),
        ).fetchall()
        gone = 0
        for (request_id,) in told:
            if run(_FIND, (request_id, 1)).fetchone() is None:
                gone += run("DELETE FROM outcomes_1 WHERE request_id = ?", (request_id,)).rowcount
        return gone

    # Reading

    def recent(self, rows: int, model: str | None = None) -> list[PredictionRecord]:
        """Return the last ``rows`` predictions, the newest last.

        Args:
            rows: How many at most.
            model: The digest of the artifact that must have answered; ``None`` for any.

        Raises:
            LedgerError: The book cannot be read.

        """
        newest_first: list[PredictionRecord] = []
        before = 2**63 - 1
        where, values = ("", ()) if model is None else ("m.digest = ? AND", (model,))
        while len(newest_first) < rows:
            # Few chunks at first: one may hold all that is asked for.
            most = min(CHUNKS_AT_ONCE, 1 + len(newest_first))
            chunks = self._chunks(f"{where} a.sequence < ? ORDER BY a.sequence DESC LIMIT {most}", (*values, before))
            if not chunks:
                break
            for chunk in chunks:
                before = chunk.sequence
                newest_first += reversed(chunk.records())
        return newest_first[:rows][::-1]

    def find(self, request_id: str) -> list[PredictionRecord]:
        """Return the rows of one request, in order; none if it is not in the book. An id that was used twice gives the rows of both.

        Raises:
            LedgerError: The book cannot be read.

        """
        found = [
            record
            for chunk in self._chunks_of(request_id, _MOST_CHUNKS_OF_AN_ID)
            for record in chunk.records()
            if record.request_id == request_id
        ]
        return sorted(found, key=lambda record: (record.row, record.at))

    def rows_of(self, request_id: str) -> int | None:
        """Return how many rows the newest request of this id had; ``None`` if there is none in the book.

        Raises:
            LedgerError: The book cannot be read.

        """
        for chunk in self._chunks_of(request_id, 1):
            for entry in reversed(chunk.entries()):
                if entry.request_id == request_id:
                    return len(entry.predictions)
        return None

    def count(self, model: str | None = None) -> int:
        """Return how many predictions the book holds.

        Args:
            model: The digest of the artifact that must have answered; ``None`` for any.

        Raises:
            LedgerError: The book cannot be read.

        """
        query = "SELECT coalesce(sum(a.rows), 0) FROM answers_2 AS a JOIN models_1 AS m USING (model)"
        if model is None:
            ((total,),) = self.database.query(query)
        else:
            ((total,),) = self.database.query(f"{query} WHERE m.digest = ?", (model,))
        return int(total)

    def outcomes(self, since: str = "") -> list[Outcome]:
        """Return what came true, the oldest first.

        Args:
            since: Only what the book was told at this moment or later: RFC 3339, UTC.

        Raises:
            LedgerError: The book cannot be read.

        """
        return self._outcomes("at >= ? ORDER BY at, request_id, row", (since,))

    def outcomes_of(self, ids: Sequence[str]) -> dict[tuple[str, int], Outcome]:
        """Return what came true of some requests, by request and row.

        Raises:
            LedgerError: The book cannot be read.

        """
        where = f"request_id IN (SELECT value FROM {self.database.values_of})"  # noqa: S608 - our own words
        found = self._outcomes(where, (msgspec.json.encode(ids).decode(),))
        return {(outcome.request_id, outcome.row): outcome for outcome in found}

    def chunks(self) -> Iterator[Chunk]:
        """Yield the whole book, the oldest chunk first, a few in memory at a time; what is written meanwhile comes too.

        Raises:
            LedgerError: The book cannot be read.

        """
        after = 0
        while found := self._chunks(f"a.sequence > ? ORDER BY a.sequence LIMIT {CHUNKS_AT_ONCE}", (after,)):
            after = found[-1].sequence
            yield from found

    def _chunks_of(self, request_id: str, most: int) -> list[Chunk]:
        """Return the newest chunks that hold a request, the newest first."""
        listed = [sequence for (sequence,) in self.database.query(_FIND, (request_id, most))]
        where = f"a.sequence IN (SELECT CAST(value AS BIGINT) FROM {self.database.values_of}) ORDER BY a.sequence DESC"  # noqa: S608
        found = self._chunks(where, (msgspec.json.encode(listed).decode(),)) if listed else []
        if len(found) < most and self.database.query("SELECT 1 FROM answers_2 WHERE bucket IS NULL LIMIT 1"):
            found += self._chunks_of_format_1(request_id, most - len(found))
        return found

    def _chunks_of_format_1(self, request_id: str, most: int) -> list[Chunk]:
        """Return chunks whose ids stand in no table: all of them are searched."""
        where = "a.bucket IS NULL AND instr(a.entries, ?) > 0 ORDER BY a.sequence DESC"
        chunks = self._chunks(where, (msgspec.json.encode(request_id).decode(),))
        return [chunk for chunk in chunks if any(entry.request_id == request_id for entry in chunk.entries())][:most]

    def _chunks(self, where: str, values: tuple[Any, ...]) -> list[Chunk]:
        return [
            Chunk(
                sequence=sequence,
                model=BookModel(digest=digest, version=version, names=tuple(msgspec.json.decode(names))),
                content=content,
                columns=columns,
                rows=rows,
                bucket=bucket,
                last_at=last_at,
                place=self.database.place,
            )
            for sequence, digest, version, names, content, columns, rows, bucket, last_at in self.database.query(
                f"{_COLUMNS} WHERE {where}", values
            )
        ]

    def _outcomes(self, where: str, values: tuple[Any, ...]) -> list[Outcome]:
        found = self.database.query(f"SELECT request_id, row, value, at FROM outcomes_1 WHERE {where}", values)  # noqa: S608
        return [
            Outcome(request_id=request_id, row=row, value=msgspec.json.decode(value), at=at)
            for request_id, row, value, at in found
        ]
