"""What every protocol gives: routes that turn bodies into rows and answers into bodies, compiled once for a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.column import Scalar
    from sekisho.artifact.signature import Signature
    from sekisho.predict.rows import Row, RowReader
    from sekisho.predict.scrutiny import Flag

JSON = "application/json"


class Question(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """What a caller asks.

    Attributes:
        rows: The validated rows, at least one.
        verbatim: The rows as JSON, each inside ``{"features": row}``, exactly as they came; ``None`` if they came in another form.

    """

    rows: Sequence[Row]
    verbatim: bytes | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """What the caller is told, row by row.

    Attributes:
        request_id: The id of the request.
        timestamp: When the model answered: RFC 3339, UTC.
        model_version: The version of the model.
        predictions: The class labels or numbers.
        confidence: The probability of the class that is predicted; ``None`` if the model gives none.
        probabilities: Those of all classes, in the order of the signature; ``None`` if the model gives none.
        flags: What is unusual about a row, by its index.

    """

    request_id: str
    timestamp: str
    model_version: str
    predictions: Sequence[Scalar]
    confidence: Sequence[float] | None
    probabilities: Sequence[Sequence[float]] | None
    flags: Mapping[int, Sequence[Flag]]


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Model:
    """What a protocol needs to know of a model.

    Attributes:
        signature: What goes in and what comes out.
        reader: Reads rows by it.
        most_rows: How many rows a request may have.

    """

    signature: Signature
    reader: RowReader
    most_rows: int


class Route(ABC):
    """One ``POST`` route of a protocol, compiled for a model."""

    path: str
    """Where it is."""
    media_types: tuple[str, ...] = (JSON,)
    """What bodies may be."""
    answer_type: str = JSON
    """What answers are."""

    @abstractmethod
    def read(self, body: bytes, media_type: str) -> Question:
        """Return what a body asks.

        Args:
            body: All of it.
            media_type: One of :attr:`media_types`.

        Raises:
            InvalidInput: It does not fit. The code is one of :data:`~sekisho.serving.problems.KINDS`.

        """

    @abstractmethod
    def write(self, reply: Reply) -> bytes:
        """Return the body of the answer."""

    @abstractmethod
    def operation(self) -> Mapping[str, Any]:
        """Return the OpenAPI operation: summary, request body and the answer of status 200."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WireProtocol:
    """One unit of the shelf.

    Attributes:
        id: Its name.
        title: Who speaks it.
        routes: Compiles its routes for a model.

    """

    id: str
    title: Text
    routes: Callable[[Model], Sequence[Route]]
