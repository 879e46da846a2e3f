"""What of an answer goes into the book: rows without what must not be there, and in which form.

JSON is taken over as it came, unless something in it must be left out, hidden, or put into UTC. Many rows go column by column.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from sekisho.ledger.chunks import Entry
from sekisho.ledger.columns import FEWEST_ROWS, Columns, Kind
from sekisho.ledger.values import Scalar
from sekisho.predict.columnar import ColumnarRows

if TYPE_CHECKING:
    from sekisho.artifact.signature import Feature, Signature
    from sekisho.ledger.keys import Keyring, LedgerKey
    from sekisho.predict.answers import Confidence, Prediction
    from sekisho.predict.cells import Cell
    from sekisho.predict.rows import Row
    from sekisho.predict.scrutiny import Flag
    from sekisho.serving.http.head import Head

SUBJECT: Final = "subject"
"""The purpose of the hash that stands for a person."""
_NO_FLAGS: Final[dict[int, list[str]]] = {}
_KINDS: Final[dict[str, Kind]] = {"float": "float", "integer": "integer", "boolean": "boolean", "datetime": "datetime"}


class Answered(NamedTuple):
    """An answer of which an entry is made later.

    Attributes:
        request_id: The request.
        at: When it was answered.
        latency_ms: How long it took.
        rows: The validated rows.
        verbatim: The rows as they came in JSON, if they may be taken over.
        predictions: One a row.
        confidence: The probability of each; ``None`` if the model gives none.
        flags: What is unusual about a row, by its index.
        head: The head of the request; ``None`` if nothing in it is wanted.

    """

    request_id: str
    at: str
    latency_ms: float
    rows: Sequence[Row]
    verbatim: bytes | None
    predictions: Sequence[Prediction]
    confidence: Sequence[Confidence] | None
    flags: Mapping[int, Sequence[Flag]]
    head: Head | None


class EntryMaker:
    """Makes entries of answers.

    Args:
        signature: Says which features are personal.
        redacted: Features that are left out, whatever they are.
        treat: What is made of the value of a personal feature; ``None``: it is left out.
        keys: The keys that subjects are hashed with; needed to know subjects.
        subject: The feature that says whom a row is about.
        subject_header: The request header that says whom a request is about, in lower case.

    """

    def __init__(
        self,
        signature: Signature,
        *,
        redacted: Sequence[str] = (),
        treat: Callable[[str, Scalar], Scalar] | None = None,
        keys: Keyring | None = None,
        subject: str | None = None,
        subject_header: bytes | None = None,
    ) -> None:
        self._features = signature.features
        personal = {feature.name for feature in signature.features if feature.personal} - set(redacted)
        self._treated = tuple((place, name) for place, name in enumerate(signature.names) if treat and name in personal)
        self._treat = treat
        hidden = personal | set(redacted)
        self._shown = tuple((place, name) for place, name in enumerate(signature.names) if name not in hidden)
        self._moments = frozenset(
            place for place, feature in enumerate(signature.features) if feature.kind == "datetime"
        )
        self._takes_verbatim = not self._moments and len(self._shown) == len(signature.features)
        self._longest_row = sum(len(feature.name) + 48 for feature in signature.features) + 64
        self._several = bool(signature.output.outputs)
        self._key = None if keys is None else keys.first
        self._subject = signature.names.index(subject) if subject in signature.names and self._key else None
        self.subject_header = subject_header if self._key else None
        self._most_light = 0 if self._treated or self._key else FEWEST_ROWS - 1

    def is_light(self, rows: Sequence[Row]) -> bool:
        """Return whether an entry is made in a few microseconds: few rows, nothing to hash or encrypt."""
        return len(rows) <= self._most_light

    def verbatim(self, rows: Sequence[Row], sent: bytes | None) -> bytes | None:
        """Return the JSON of some rows if it may be taken over, and is not mostly blanks."""
        if sent is None or not self._takes_verbatim or len(sent) > self._longest_row * len(rows):
            return None
        return sent

    def size(self, rows: Sequence[Row], verbatim: bytes | None) -> int:
        """Return how many bytes an answer takes while it waits, about."""
        if isinstance(rows, ColumnarRows):
            return rows.nbytes
        return self._longest_row * len(rows) if verbatim is None else len(verbatim)

    def entry(
        self,
        request_id: str,
        at: str,
        latency_ms: float,
        rows: Sequence[Row],
        verbatim: bytes | None,
        predictions: Sequence[Prediction],
        confidence: Sequence[Confidence] | None,
        flags: Mapping[int, Sequence[Flag]],
        head: Head | None,
    ) -> Entry:
        """Return what is written of an answer; the arguments are those of :class:`Answered`."""
        wrapped = verbatim is not None and not isinstance(rows, ColumnarRows)
        return Entry(
            request_id,
            at,
            latency_ms,
            wrapped,
            msgspec.Raw(verbatim) if wrapped and verbatim is not None else self._kept(rows),
            predictions,
            None if self._several else confidence,  # type: ignore[arg-type] # one number a row
            {row: list(map(str, found)) for row, found in flags.items()} if flags else _NO_FLAGS,
            None if self._key is None else self._subjects(self._key, rows, head),
        )

    def _kept(self, rows: Sequence[Row]) -> Columns | list[Mapping[str, Scalar]]:
        if len(rows) < FEWEST_ROWS:
            return [self._by_name(row) for row in rows]
        if isinstance(rows, ColumnarRows):
            shown = [self._column(place, rows) for place, _ in self._shown]
            cells = {place: rows.column(place) for place, _ in self._treated}
        else:
            columns = list(zip(*rows, strict=True))
            shown = [(place, "any", self._plain(place, columns[place])) for place, _ in self._shown]
            cells = {place: list(columns[place]) for place, _ in self._treated}
        treat = self._treat
        treated: list[tuple[int, Kind, Any]] = []
        if treat is not None:
            treated = [
                (place, "any", [treat(name, _plain(cell)) for cell in cells[place]]) for place, name in self._treated
            ]
        return Columns(rows=len(rows), cells=(*shown, *treated))

    def _column(self, place: int, rows: ColumnarRows) -> tuple[int, Kind, Any]:
        array = rows.array(place)
        feature: Feature = self._features[place]
        return place, ("any" if array.dtype == object else _KINDS.get(feature.kind, "any")), array

    def _plain(self, place: int, cells: Sequence[Cell]) -> Sequence[Scalar]:
        return [_plain(cell) for cell in cells] if place in self._moments else cells  # type: ignore[return-value]

    def _by_name(self, row: Row) -> Mapping[str, Scalar]:
        cells = {name: _plain(row[place]) for place, name in self._shown}
        if self._treat is not None:
            cells |= {name: self._treat(name, _plain(row[place])) for place, name in self._treated}
        return cells

    def _subjects(self, key: LedgerKey, rows: Sequence[Row], head: Head | None) -> str | list[str | None] | None:
        if self._subject is not None:
            place = self._subject
            cells = rows.column(place) if isinstance(rows, ColumnarRows) else [row[place] for row in rows]
            return [None if cell is None else key.digest(SUBJECT, _plain(cell)) for cell in cells]
        if self.subject_header is not None and head is not None:
            told = head.by_name.get(self.subject_header, b"").strip()
            return key.digest(SUBJECT, told.decode("utf-8", "replace")) if told else None
        return None


def _plain(cell: Cell) -> Scalar:
    """Return a cell as a JSON value: a moment is RFC 3339 in UTC."""
    if isinstance(cell, dt.datetime):
        words = msgspec.to_builtins(cell.astimezone(dt.UTC))
        assert isinstance(words, str)
        return words
    return cell
