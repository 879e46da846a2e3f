"""Reading a whole book: what is in it, all of it row by row, and whether it is whole. In constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.errors import LedgerError
from sekisho.ledger.erasure import Erasure, erasures
from sekisho.ledger.personal import opened

if TYPE_CHECKING:
    from sekisho.ledger.chunks import PredictionRecord
    from sekisho.ledger.keys import Keyring
    from sekisho.ledger.predictions import Chunk, PredictionBook

MOST_FAULTS: Final = 100
COLUMNS: Final = (
    *("request_id", "row", "at", "model", "version", "prediction", "probability", "flags", "latency_ms"),
    *("subject", "outcome", "outcome_at"),
)
"""The columns of an exported row before its features."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OfModel:
    """What a book holds of one version of a model.

    Attributes:
        digest: The digest of the artifact.
        version: Its version.
        rows: Predictions.
        last_at: When the last of them was answered.

    """

    digest: str
    version: str
    rows: int
    last_at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What is in a book.

    Attributes:
        place: Where it is.
        rows: Predictions.
        requests: Requests.
        chunks: Rows of the table that holds them.
        outcomes: Outcomes.
        first_at, last_at: When the first and the last prediction was answered: RFC 3339, UTC; ``None`` in an empty book.
        size: The bytes that it takes.
        models: What it holds of each version of each model.
        erasures: The records of erasures.

    """

    place: str
    rows: int
    requests: int
    chunks: int
    outcomes: int
    first_at: str | None
    last_at: str | None
    size: int
    models: tuple[OfModel, ...]
    erasures: tuple[Erasure, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wholeness:
    """Whether a book is whole.

    Attributes:
        chunks: Chunks that were read.
        rows: Predictions that could be read.
        repeated_ids: Request ids that stand for several requests, because callers have chosen them so.
        faults: What is wrong, the first hundred.

    """

    chunks: int
    rows: int
    repeated_ids: int
    faults: tuple[str, ...]


def contents(book: PredictionBook) -> Contents:
    """Return what is in a book.

    Raises:
        LedgerError: It cannot be read.

    """
    query = book.database.query
    ((chunks, rows),) = query("SELECT count(*), coalesce(sum(rows), 0) FROM answers_2")
    first = query("SELECT first_at FROM answers_2 ORDER BY sequence LIMIT 1")
    last = query("SELECT last_at FROM answers_2 ORDER BY sequence DESC LIMIT 1")
    by_model = query(
        "SELECT m.digest, m.version, sum(a.rows), max(a.last_at) FROM answers_2 AS a JOIN models_1 AS m USING (model) "
        "GROUP BY m.digest, m.version ORDER BY 4"
    )
    return Contents(
        place=book.database.place,
        rows=int(rows),
        requests=_count(book, "ids_2"),
        chunks=chunks,
        outcomes=_count(book, "outcomes_1"),
        first_at=first[0][0] if first else None,
        last_at=last[0][0] if last else None,
        size=book.database.size(),
        models=tuple(
            OfModel(digest=digest, version=version, rows=int(count), last_at=at)
            for digest, version, count, at in by_model
        ),
        erasures=tuple(erasures(book)),
    )


def exported(
    book: PredictionBook, *, since: str = "", until: str = "9999", model: str | None = None, keys: Keyring | None = None
) -> Iterator[dict[str, Any]]:
    """Yield every prediction with what came true of it, the oldest first.

    Args:
        book: The book.
        since: Only what was answered at this moment or later: RFC 3339, UTC.
        until: Only what was answered before this moment.
        model: The beginning of the digest, or the version, of the artifact that must have answered; ``None`` for any.
        keys: With them, what was encrypted is decrypted.

    Raises:
        LedgerError: The book cannot be read, or a value cannot be decrypted.

    """
    for chunk in book.chunks():
        if chunk.last_at < since or not (
            model is None or chunk.model.version == model or chunk.model.digest.startswith(model)
        ):
            continue
        records = [record for record in chunk.records() if since <= record.at < until]
        told = book.outcomes_of(sorted({record.request_id for record in records})) if records else {}
        for record in records:
            outcome = told.get((record.request_id, record.row))
            shown = asdict(record if keys is None else _opened(record, keys))
            shown |= {
                "outcome": None if outcome is None else outcome.value,
                "outcome_at": None if outcome is None else outcome.at,
            }
            yield shown


def feature_names(book: PredictionBook) -> list[str]:
    """Return the names of all features of all models in a book, in the order of the oldest."""
    found = book.database.query("SELECT names FROM models_1 ORDER BY model")
    return list(dict.fromkeys(name for (names,) in found for name in msgspec.json.decode(names)))


def wholeness(book: PredictionBook) -> Wholeness:
    """Return whether a book is whole: the file itself, every chunk, and every request's place in the table of ids.

    Raises:
        LedgerError: It cannot be read at all.

    """
    faults = book.database.faults()
    chunks = rows = 0
    for chunk in book.chunks():
        chunks += 1
        try:
            found = len(chunk.records())
        except LedgerError as error:
            faults.append(error.what.en)
            continue
        rows += found
        if found != chunk.rows:
            faults.append(f"chunk {chunk.sequence} says {chunk.rows} rows and holds {found}")
        missing = _missing(book, chunk)
        if missing:
            faults.append(f"{missing} requests of chunk {chunk.sequence} are not in the table of ids")
    ((repeated,),) = book.database.query(
        "SELECT count(*) FROM (SELECT request_id FROM ids_2 GROUP BY request_id HAVING count(*) > 1) AS repeated"
    )
    return Wholeness(chunks=chunks, rows=rows, repeated_ids=repeated, faults=tuple(faults[:MOST_FAULTS]))


def _missing(book: PredictionBook, chunk: Chunk) -> int:
    if chunk.bucket is None:
        return 0
    names = {entry.request_id for entry in chunk.entries()}
    listed = msgspec.json.encode(sorted(names)).decode()
    ((known,),) = book.database.query(
        "SELECT count(*) FROM ids_2 WHERE bucket = ? AND sequence = ? AND request_id IN "  # noqa: S608 - our own words
        f"(SELECT value FROM {book.database.values_of})",
        (chunk.bucket, chunk.sequence, listed),
    )
    return len(names) - int(known)


def _opened(record: PredictionRecord, keys: Keyring) -> PredictionRecord:
    return replace(record, features={name: opened(name, value, keys) for name, value in record.features.items()})


def _count(book: PredictionBook, table: str) -> int:
    ((count,),) = book.database.query(f"SELECT count(*) FROM {table}")  # noqa: S608 - our own words
    return int(count)
