"""What a route takes and gives, whatever the protocol: bodies become questions, replies become bodies, compiled once for a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from sekisho.errors import InvalidInput
from sekisho.serving.http.forms import JSON, Form, Offer
from sekisho.text import Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sekisho.artifact.signature import Signature
    from sekisho.predict.answers import Confidence, Prediction
    from sekisho.predict.rows import Row, RowReader
    from sekisho.predict.scrutiny import Flag


Reach = Literal["service", "name", "version"]
"""What a path means: the model that answers where none is named, the live version of the model that it names, or the version that it names."""


class Question(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """What a caller asks.

    Attributes:
        rows: The validated rows, at least one.
        verbatim: The rows as JSON, each inside ``{"features": row}``, exactly as they came; ``None`` if they came in another form.
        wish: What the caller wants the answer to be, for :meth:`Route.write`.
        seconds: How long the caller waits, if they say.

    """

    rows: Sequence[Row]
    verbatim: bytes | None = None
    wish: Any = None
    seconds: float | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """What the caller is told, row by row.

    Attributes:
        request_id: The id of the request.
        timestamp: When the model answered: RFC 3339, UTC.
        model_version: The version of the model.
        predictions: The class labels or numbers; of a model that gives several answers a row, mappings from their names.
        confidence: The probability of the class that is predicted; ``None`` if the model gives none.
        probabilities: Those of all classes, in the order of the signature; ``None`` if the model gives none.
        flags: What is unusual about a row, by its index.
        table: ``probabilities`` as one array of shape ``(rows, classes)``, where there are many rows.

    """

    request_id: str
    timestamp: str
    model_version: str
    predictions: Sequence[Prediction]
    confidence: Sequence[Confidence] | None
    probabilities: Sequence[Sequence[float]] | None
    flags: Mapping[int, Sequence[Flag]]
    table: NDArray[np.float64] | None = None


class Pieces(Protocol):
    """Writes one answer piece by piece. :meth:`part` is called for every part of the rows in order, by any thread."""

    @property
    def media_type(self) -> bytes:
        """What the answer is."""
        ...

    def part(self, reply: Reply) -> bytes:
        """Return the bytes of the next rows; before the first of them, what an answer begins with."""
        ...

    def end(self, reply: Reply, rows: int) -> bytes:
        """Return what an answer of so many rows ends with. ``reply`` says what belongs to no row."""
        ...


class Written(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """An answer that is not plain JSON.

    Attributes:
        body: All of it.
        media_type: What it is.
        fields: More header fields.

    """

    body: bytes
    media_type: bytes
    fields: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Model:
    """What a protocol needs to know of a model.

    Attributes:
        name: Its name.
        version: Its version.
        platform: What runs it.
        signature: What goes in and what comes out.
        reader: Reads rows by it.
        most_rows: How many rows a request may have.
        most_bytes: How many bytes a body may hold, unpacked.
        versions: Tells the versions of the model that are served at the moment.

    """

    signature: Signature
    reader: RowReader
    most_rows: int
    most_bytes: int = 8 * 2**20
    name: str = "model"
    version: str = "1"
    platform: str = "onnx"
    versions: Callable[[], Sequence[str]] = lambda: ()

    def check_count(self, rows: int) -> None:
        """Refuse a request with no rows, or too many.

        Raises:
            InvalidInput: ``no_rows`` or ``too_many_rows``.

        """
        if not rows:
            raise InvalidInput(
                "no_rows",
                Text(en="there are no rows", ja="行がありません"),
                Text(en="send at least one row", ja="1行以上送ってください"),
            )
        if rows > self.most_rows:
            raise InvalidInput(
                "too_many_rows",
                Text(en="the request has too many rows", ja="行数が多すぎます"),
                Text(en=f"send at most {self.most_rows:,} rows", ja=f"{self.most_rows:,} 行以内で送ってください"),
            )


class Route(ABC):
    """One ``POST`` route of a protocol, compiled for a model."""

    path: str
    """Where it is."""
    reach: Reach = "service"
    """What its path means. A route of the service is also there for every model by name, and for every version."""
    offer: Offer = Offer(media_types=(JSON,))
    """What it takes and gives."""

    @abstractmethod
    def read(self, body: bytes, form: Form) -> Question:
        """Return what a body asks. Thread-safe.

        Args:
            body: All of it, unpacked.
            form: What the head says of it.

        Raises:
            InvalidInput: It does not fit. The code is one of :data:`~sekisho.serving.problems.KINDS`.

        """

    @abstractmethod
    def write(self, reply: Reply, question: Question) -> bytes | Written:
        """Return the answer: the bytes of JSON, or something else. Thread-safe."""

    def pieces(self, question: Question) -> Pieces | None:  # noqa: ARG002
        """Return what writes a large answer piece by piece; ``None`` if such an answer cannot be cut."""
        return None

    @abstractmethod
    def operation(self) -> Mapping[str, Any]:
        """Return the OpenAPI operation: summary, request body, and as ``answer`` the content of status 200 by media type."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """One ``GET`` route of a protocol: what it says depends on nothing but whether the model is ready.

    Attributes:
        path: Where it is.
        summary: What it is for.
        says: Its JSON value, given whether the model is ready.
        schema: That value as JSON Schema.
        tells: Whether its status is 503 while the model is not ready.
        reach: What its path means.

    """

    path: str
    summary: Text
    says: Callable[[bool], Mapping[str, Any]]
    schema: Mapping[str, Any]
    tells: bool = False
    reach: Reach = "service"
