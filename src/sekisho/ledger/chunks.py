"""What a chunk of the book of predictions holds: the answers to some requests in JSON, or to one with many rows in columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from sekisho.ledger.columns import FORMAT, Columns, Stored, decode, encode, packed, unpacked
from sekisho.ledger.values import Scalar

_ENCODER: Final = msgspec.json.Encoder()
Prediction = Scalar | dict[str, Scalar]
"""What was answered to one row: a label or a number; of a model that gives several, all of them by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PredictionRecord:
    """One row that was answered.

    Attributes:
        request_id: The request that it came in.
        row: Its index in that request.
        at: When it was answered: RFC 3339, UTC.
        model: The digest of the artifact that answered.
        version: The version of that artifact.
        features: The values by name, redacted where the service was told to.
        prediction: The class label or the number; of a model that gives several answers, a mapping from their names.
        probability: The probability of that class, if the model gives one; ``None`` where there are several answers.
        flags: What was unusual about the row, such as ``out_of_range:age``.
        latency_ms: How long the request took, in milliseconds.
        subject: Whom the row is about, as a keyed hash; ``None`` where the service was not told how to know.

    """

    request_id: str
    row: int
    at: str
    model: str
    version: str
    features: Mapping[str, Scalar]
    prediction: Prediction
    probability: float | None
    flags: tuple[str, ...]
    latency_ms: float
    subject: str | None = None

    @property
    def answer(self) -> Scalar:
        """The prediction; ``None`` where there are several."""
        return None if isinstance(self.prediction, dict) else self.prediction


@dataclass(frozen=True, kw_only=True, slots=True)
class BookModel:
    """Whose answers a chunk holds.

    Attributes:
        digest: The digest of the artifact.
        version: Its version.
        names: The names of its features, in the order of the signature.

    """

    digest: str
    version: str
    names: tuple[str, ...]


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The answer to one request, as it stands in a chunk.

    Attributes:
        request_id: The request.
        at: When it was answered.
        latency_ms: How long it took.
        wrapped: Whether each row stands inside ``{"features": row}``, as callers send it.
        rows: The rows: lists in the order of the signature or objects by name; JSON that is taken over as it is; or columns.
        predictions: One a row.
        probabilities: One a row; ``None`` if the model gives none.
        flags: By the index of the row, only where there are any.
        subjects: Whom the request is about, or each of its rows, as keyed hashes.

    """

    request_id: str
    at: str
    latency_ms: float
    wrapped: bool
    rows: Sequence[msgspec.Raw] | Sequence[object] | msgspec.Raw | Columns
    predictions: Sequence[Prediction]
    probabilities: Sequence[float] | None
    flags: Mapping[int, Sequence[str]]
    subjects: str | Sequence[str | None] | None = None


@dataclass(slots=True)
class Sheet:
    """Answers that will be one chunk, each in JSON from the beginning: what is left to do with it costs one step for all of them.

    Attributes:
        ids: The requests, in the order of time.
        lines: The entry of each.
        rows: How many rows they have together.
        first_at: When the first was answered.
        last_at: When the last was.

    """

    ids: list[str] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    rows: int = 0
    first_at: str = ""
    last_at: str = ""

    def add(self, entry: Entry) -> None:
        """Add an entry that does not hold columns."""
        self.lines.append(_ENCODER.encode(entry))
        self.ids.append(entry.request_id)
        self.rows += len(entry.predictions)
        self.first_at = self.first_at or entry.at
        self.last_at = entry.at

    def content(self) -> str:
        """Return the JSON of all entries."""
        return (b"[" + b",".join(self.lines) + b"]").decode()


class ReadEntry(msgspec.Struct, frozen=True, array_like=True):
    """An :class:`Entry` as it is read back. A row that was erased is ``None``, and so is its prediction."""

    request_id: str
    at: str
    latency_ms: float
    wrapped: bool
    rows: list[dict[str, object] | list[Scalar] | None]
    predictions: list[Prediction]
    probabilities: list[float | None] | None
    flags: dict[int, tuple[str, ...]]
    subjects: str | list[str | None] | None = None

    @property
    def left(self) -> int:
        """How many rows have not been erased."""
        return sum(row is not None for row in self.rows)

    def subject(self, row: int) -> str | None:
        """Return whom a row is about."""
        return self.subjects[row] if isinstance(self.subjects, list) else self.subjects


def entry_of(rows: Sequence[PredictionRecord]) -> Entry:
    """Return the entry for the rows of one request."""
    first = rows[0]
    probabilities = [row.probability for row in rows]
    subjects = [row.subject for row in rows]
    return Entry(
        request_id=first.request_id,
        at=first.at,
        latency_ms=first.latency_ms,
        wrapped=False,
        rows=[dict(row.features) for row in rows],
        predictions=[row.prediction for row in rows],
        probabilities=None if None in probabilities else [value for value in probabilities if value is not None],
        flags={place: row.flags for place, row in enumerate(rows) if row.flags},
        subjects=subjects if any(subject is not None for subject in subjects) else None,
    )


def written(entry: Entry) -> tuple[str, bytes]:
    """Return an entry that holds columns as it is stored: its id and its time for people who like SQL, and all of it in binary."""
    assert isinstance(entry.rows, Columns)
    stored = Stored(
        format=FORMAT,
        request_id=entry.request_id,
        at=entry.at,
        latency_ms=entry.latency_ms,
        rows=len(entry.rows),
        blocks=packed(entry.rows),
        predictions=entry.predictions,  # type: ignore[arg-type] # any sequence is a list in MessagePack
        probabilities=entry.probabilities,  # type: ignore[arg-type]
        flags=entry.flags,
        subjects=entry.subjects,  # type: ignore[arg-type]
    )
    return msgspec.json.encode((entry.request_id, entry.latency_ms)).decode(), encode(stored)


def read_entries(content: str, columns: bytes | None, names: Sequence[str]) -> list[ReadEntry]:
    """Return the entries of a chunk, in the order of time.

    Args:
        content: Its JSON.
        columns: The binary form of the one entry that it holds; ``None`` if it holds JSON.
        names: The names of the features.

    Raises:
        ValueError: It is not a chunk.

    """
    if columns is None:
        try:
            entries = msgspec.json.decode(content, type=list[ReadEntry])
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from error
    else:
        entries = [_read_columns(decode(bytes(columns)), names)]
    for entry in entries:
        lengths = {len(entry.rows), len(entry.predictions)}
        lengths |= {len(each) for each in (entry.probabilities, entry.subjects) if isinstance(each, list)}
        if len(lengths) > 1:
            raise ValueError("an entry has lists of several lengths")
    return entries


def _read_columns(stored: Stored, names: Sequence[str]) -> ReadEntry:
    try:
        rows = unpacked(stored, names)
    except IndexError as error:
        raise ValueError("a column has no name") from error
    return ReadEntry(
        request_id=stored.request_id,
        at=stored.at,
        latency_ms=stored.latency_ms,
        wrapped=False,
        rows=rows,  # type: ignore[arg-type] # objects, none of them erased
        predictions=stored.predictions,
        probabilities=list(stored.probabilities) if stored.probabilities is not None else None,
        flags={row: tuple(found) for row, found in stored.flags.items()},
        subjects=stored.subjects,
    )


def without_rows(entry: ReadEntry, gone: Collection[int]) -> ReadEntry:
    """Return an entry without some of its rows; the others keep their indexes."""

    def left(values: list[Any] | None) -> list[Any] | None:
        return None if values is None else [None if row in gone else value for row, value in enumerate(values)]

    return msgspec.structs.replace(
        entry,
        rows=left(entry.rows),
        predictions=left(entry.predictions),
        probabilities=left(entry.probabilities),
        flags={row: found for row, found in entry.flags.items() if row not in gone},
        subjects=left(entry.subjects) if isinstance(entry.subjects, list) else entry.subjects,
    )


def records_of(model: BookModel, entry: ReadEntry) -> list[PredictionRecord]:
    """Return the rows of one request, without those that were erased.

    Raises:
        ValueError: A row is none.

    """
    return [
        PredictionRecord(
            request_id=entry.request_id,
            row=place,
            at=entry.at,
            model=model.digest,
            version=model.version,
            features=_by_name(model.names, row.get("features") if entry.wrapped and isinstance(row, dict) else row),
            prediction=prediction,
            probability=None if entry.probabilities is None else entry.probabilities[place],
            flags=entry.flags.get(place, ()),
            latency_ms=entry.latency_ms,
            subject=entry.subject(place),
        )
        for place, (row, prediction) in enumerate(zip(entry.rows, entry.predictions, strict=True))
        if row is not None
    ]


def cell_of(model: BookModel, entry: ReadEntry, row: int, name: str) -> Scalar:
    """Return one cell of an entry; ``None`` if it is not there.

    Raises:
        ValueError: The row is none.

    """
    cells: object = entry.rows[row]
    if entry.wrapped and isinstance(cells, dict):
        cells = cells.get("features")
    if isinstance(cells, dict):
        return cells.get(name)
    if not isinstance(cells, list) or len(cells) != len(model.names):
        raise ValueError("a row is neither a list nor an object")
    return cells[model.names.index(name)] if name in model.names else None


def _by_name(names: Sequence[str], row: object) -> dict[str, Scalar]:
    if isinstance(row, dict):
        return {name: row[name] for name in names if name in row}
    if not isinstance(row, list):
        raise ValueError("a row is neither a list nor an object")
    return dict(zip(names, row, strict=True))
