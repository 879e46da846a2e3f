"""Erasing a person, or one request, from the book: from its chunks, its ids, its outcomes, its free pages and its log.

A row that goes leaves a gap: the other rows of its request keep their indexes. What is left behind is a record of the erasure: when, by whom,
how much, and a keyed hash of whom, from which nobody who lacks the key can tell who it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from sekisho.ledger.chunks import ReadEntry, cell_of, without_rows
from sekisho.ledger.personal import HASH, SEALED, opened

if TYPE_CHECKING:
    from sekisho.ledger.database import Run
    from sekisho.ledger.keys import Keyring
    from sekisho.ledger.predictions import Chunk, PredictionBook
    from sekisho.ledger.values import Scalar

SUBJECT: Final = "subject"
"""The purpose of the hash that stands for a person."""
Kind = Literal["subject", "request"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Erasure:
    """The record of an erasure.

    Attributes:
        at: When: RFC 3339, UTC.
        by_whom: Who asked for it.
        kind: Whether a person or a request was erased.
        digest: The keyed hash of the person; the SHA-256 of the id of a request.
        requests: Requests that rows went from.
        rows: Rows that went.
        outcomes: Outcomes that went.

    """

    at: str
    by_whom: str
    kind: Kind
    digest: str
    requests: int
    rows: int
    outcomes: int


def erase_subject(
    book: PredictionBook, subject: str, keys: Keyring, *, feature: str | None, at: str, by_whom: str
) -> Erasure:
    """Erase every row that is about a person.

    Args:
        book: The book.
        subject: The person, as the feature or the header names them; a number may be written as one.
        keys: The keys that the book was written with, all of them.
        feature: The feature that names the person, so that rows are found that were written before hashes were; ``None``: there is none.
        at: Now, RFC 3339, UTC.
        by_whom: Who asks for it.

    Raises:
        LedgerError: The book cannot be read or written; a chunk is torn. What was erased by then stays erased: do it again.

    """
    values = spellings(subject)
    digests = frozenset[str]().union(*(keys.digests(SUBJECT, value) for value in values))
    hashes = {f"{HASH}{digest}" for value in values for digest in keys.digests("value", value)}

    def is_theirs(chunk: Chunk, entry: ReadEntry, row: int) -> bool:
        if entry.subject(row) in digests:
            return True
        if feature is None:
            return False
        value = cell_of(chunk.model, entry, row, feature)
        if isinstance(value, str) and value.startswith(SEALED):
            value = opened(feature, value, keys)
        return value in hashes or (value is not None and any(_same(value, one) for one in values))

    digest = keys.first.digest(SUBJECT, subject)
    return _erase(book, is_theirs, kind="subject", digest=digest, known=digests, at=at, by_whom=by_whom)


def erase_request(book: PredictionBook, request_id: str, *, at: str, by_whom: str) -> Erasure:
    """Erase every row of a request.

    Raises:
        LedgerError: The book cannot be read or written; a chunk is torn.

    """
    digest = f"sha256:{hashlib.sha256(request_id.encode()).hexdigest()}"
    return _erase(
        book,
        lambda chunk, entry, row: entry.request_id == request_id,  # noqa: ARG005
        kind="request",
        digest=digest,
        known=frozenset((digest,)),
        at=at,
        by_whom=by_whom,
    )


def erasures(book: PredictionBook) -> list[Erasure]:
    """Return the records of all erasures, the oldest first.

    Raises:
        LedgerError: The book cannot be read.

    """
    names = ("at", "by_whom", "kind", "digest", "requests", "rows", "outcomes")
    found = book.database.query(f"SELECT {', '.join(names)} FROM erasures_2 ORDER BY erasure")  # noqa: S608
    return [Erasure(**dict(zip(names, row, strict=True))) for row in found]


def spellings(subject: str) -> tuple[Scalar, ...]:
    """Return the values that a word may stand for: the word, and the number that it is."""
    values: list[Scalar] = [subject]
    for read in (int, float):
        try:
            number = read(subject)
        except ValueError:
            continue
        if number not in values[1:] and number == number and abs(number) != float("inf") and abs(number) < 2**63:
            values.append(number)
    return tuple(values)


def _erase(
    book: PredictionBook,
    is_theirs: Callable[[Chunk, ReadEntry, int], bool],
    *,
    kind: Kind,
    digest: str,
    known: frozenset[str],
    at: str,
    by_whom: str,
) -> Erasure:
    requests = rows = outcomes = 0
    for chunk in book.chunks():
        try:
            gone = _found(chunk, is_theirs)
        except ValueError as error:
            raise chunk.torn() from error
        if gone:
            outcomes += _rewrite(book, chunk, gone)
            requests += len(gone)
            rows += sum(map(len, gone.values()))
    before = [one for one in erasures(book) if one.digest in known]
    if not rows and before:
        book.database.scrub()
        return before[-1]
    done = Erasure(at=at, by_whom=by_whom, kind=kind, digest=digest, requests=requests, rows=rows, outcomes=outcomes)
    with book.database.transaction() as run:
        run(
            "INSERT INTO erasures_2 (at, by_whom, kind, digest, requests, rows, outcomes) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (done.at, done.by_whom, done.kind, done.digest, done.requests, done.rows, done.outcomes),
        )
    book.database.scrub()
    return done


def _found(chunk: Chunk, is_theirs: Callable[[Chunk, ReadEntry, int], bool]) -> dict[int, set[int]]:
    """Return which rows of which entries are to go."""
    found = {}
    for place, entry in enumerate(chunk.entries()):
        rows = {row for row, cells in enumerate(entry.rows) if cells is not None and is_theirs(chunk, entry, row)}
        if rows:
            found[place] = rows
    return found


def _rewrite(book: PredictionBook, chunk: Chunk, gone: dict[int, set[int]]) -> int:
    """Write a chunk anew without some rows, and drop what belongs to them; return how many outcomes went."""
    entries = chunk.entries()
    kept, emptied, told = [], set(), []
    for place, entry in enumerate(entries):
        left = without_rows(entry, gone.get(place, ()))
        told += [(entry.request_id, row) for row in gone.get(place, ())]
        if left.left:
            kept.append(left)
        else:
            emptied.add(entry.request_id)
    emptied -= {entry.request_id for entry in kept}
    with book.database.transaction() as run:
        outcomes = sum(_drop_outcome(run, request_id, row) for request_id, row in told)
        if kept:
            run(
                "UPDATE answers_2 SET entries = ?, columns = NULL, rows = ? WHERE sequence = ?",
                (msgspec.json.encode(kept).decode(), sum(entry.left for entry in kept), chunk.sequence),
            )
            for request_id in emptied:
                run(
                    "DELETE FROM ids_2 WHERE bucket = ? AND request_id = ? AND sequence = ?",
                    (chunk.bucket, request_id, chunk.sequence),
                )
    if not kept:
        book.drop([chunk.sequence])
    return outcomes


def _drop_outcome(run: Run, request_id: str, row: int) -> int:
    return run("DELETE FROM outcomes_1 WHERE request_id = ? AND row = ?", (request_id, row)).rowcount


def _same(value: Scalar, other: Scalar) -> bool:
    return value == other and isinstance(value, str) == isinstance(other, str) and not isinstance(value, bool)
