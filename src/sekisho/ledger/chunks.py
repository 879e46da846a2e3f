"""What a chunk of the book of predictions holds: the answers to some requests, in JSON that is written once and read often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

Scalar = float | int | bool | str | None
"""A JSON value of one cell; a datetime is RFC 3339 in UTC, a null is ``None``."""
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
        rows: The rows: lists in the order of the signature or objects by name; JSON that is taken over as it is.
        predictions: One a row.
        probabilities: One a row; ``None`` if the model gives none.
        flags: By the index of the row, only where there are any.

    """

    request_id: str
    at: str
    latency_ms: float
    wrapped: bool
    rows: Sequence[msgspec.Raw] | Sequence[object] | msgspec.Raw
    predictions: Sequence[Prediction]
    probabilities: Sequence[float] | None
    flags: Mapping[int, Sequence[str]]


class ReadEntry(msgspec.Struct, frozen=True, array_like=True):
    """An :class:`Entry` as it is read back."""

    request_id: str
    at: str
    latency_ms: float
    wrapped: bool
    rows: list[dict[str, object] | list[Scalar]]
    predictions: list[Prediction]
    probabilities: list[float] | None
    flags: dict[int, tuple[str, ...]]


def entry_of(rows: Sequence[PredictionRecord]) -> Entry:
    """Return the entry for the rows of one request."""
    first = rows[0]
    probabilities = [row.probability for row in rows]
    return Entry(
        request_id=first.request_id,
        at=first.at,
        latency_ms=first.latency_ms,
        wrapped=False,
        rows=[dict(row.features) for row in rows],
        predictions=[row.prediction for row in rows],
        probabilities=None if None in probabilities else [value for value in probabilities if value is not None],
        flags={place: row.flags for place, row in enumerate(rows) if row.flags},
    )


def read_entries(content: str) -> list[ReadEntry]:
    """Return the entries of a chunk, in the order of time.

    Raises:
        msgspec.DecodeError: It is not a chunk.

    """
    return msgspec.json.decode(content, type=list[ReadEntry])


def records_of(model: BookModel, entry: ReadEntry) -> list[PredictionRecord]:
    """Return the rows of one request."""
    return [
        PredictionRecord(
            request_id=entry.request_id,
            row=place,
            at=entry.at,
            model=model.digest,
            version=model.version,
            features=_by_name(model.names, row["features"] if entry.wrapped and isinstance(row, dict) else row),
            prediction=prediction,
            probability=None if entry.probabilities is None else entry.probabilities[place],
            flags=entry.flags.get(place, ()),
            latency_ms=entry.latency_ms,
        )
        for place, (row, prediction) in enumerate(zip(entry.rows, entry.predictions, strict=True))
    ]


def _by_name(names: Sequence[str], row: object) -> dict[str, Scalar]:
    if isinstance(row, dict):
        return {name: row[name] for name in names if name in row}
    assert isinstance(row, list)
    return dict(zip(names, row, strict=True))
