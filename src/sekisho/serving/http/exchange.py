"""One request and its answer, and what a connection asks of the site behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sekisho.serving.http.forms import Form
    from sekisho.serving.http.head import Field, Head
    from sekisho.serving.http.responses import Responses
    from sekisho.serving.problems import Problem
    from sekisho.serving.settings import Limits

JSON = b"application/json"


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Admission:
    """What a site says of a head, before it sees the body.

    Attributes:
        head: The head that was looked at.
        route: Where the request goes; ``None`` if there is no such route.
        caller: Who asks.
        form: What it says of the body and of the answer.
        refusal: Why the request is not taken; ``None`` if it is.
        takes: Bytes of a body that the route takes.
        epoch: The state of the keys that the site looked at; another state makes the admission worthless.
        until: Until when it holds for the same bytes as well, in seconds of the monotonic clock.

    """

    head: Head
    route: Any
    caller: Any
    form: Form
    refusal: Problem | None
    takes: int
    epoch: int
    until: float


class Channel(Protocol):
    """What an answer goes back on: a connection.

    Attributes:
        until: Until when it may stay as it is, in seconds of the monotonic clock.

    """

    until: float

    @property
    def ends(self) -> bool:
        """Whether the connection ends after the answers that are due."""
        ...

    def answer(self, exchange: Exchange, data: bytes) -> None:
        """Send the answer to ``exchange`` as soon as those before it have gone."""
        ...

    def can_stream(self, exchange: Exchange) -> bool:
        """Whether the answer to ``exchange`` can be sent piece by piece: no earlier one is due, and the client knows chunks."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes of the answer that is due next."""
        ...

    async def writable(self) -> None:
        """Wait until the client has read most of what was sent, or is gone."""
        ...

    def end(self) -> None:
        """End the connection as soon as the answers that are due have gone."""
        ...

    def abort(self) -> None:
        """End the connection at once."""
        ...

    def expire(self) -> None:
        """End the connection because its time is over."""
        ...


class Exchange:
    """One request and its answer.

    Attributes:
        connection: Where it came from.
        admission: What the site said of its head; ``None`` if there was no head that could be read.
        body: All of the body.
        request_id: The caller's own, or a new one.
        started: When its first byte came, in seconds of the monotonic clock.
        gone: Whether nobody waits for the answer: the client has it, or has left.
        answer: The bytes of the answer, while they wait for those of earlier requests.

    """

    __slots__ = ("admission", "answer", "body", "connection", "gone", "request_id", "started")

    def __init__(self, connection: Channel, admission: Admission, request_id: str, started: float) -> None:
        self.connection = connection
        self.admission = admission
        self.request_id = request_id
        self.started = started
        self.body = b""
        self.gone = False
        self.answer: bytes | None = None

    def complete(
        self, responses: Responses, status: int, body: bytes, media_type: bytes, fields: tuple[Field, ...]
    ) -> None:
        """Send the answer.

        Args:
            responses: Renders it.
            status: The HTTP status.
            body: All of the body.
            media_type: What it is.
            fields: More header fields.

        """
        self.send(
            responses.render(
                status,
                body,
                media_type=media_type,
                request_id=self.request_id,
                close=self.connection.ends,
                fields=fields,
                bodiless=self.admission.head.method == "HEAD",
            )
        )

    def send(self, data: bytes) -> None:
        """Send the bytes of the answer, as soon as those before it on the same connection have gone."""
        self.connection.answer(self, data)


class Stream:
    """An answer that is sent piece by piece, in chunks (RFC 9112, 7.1).

    Args:
        exchange: Whose; its connection can stream.
        head: The bytes before the first chunk; they go with it.

    """

    def __init__(self, exchange: Exchange, head: bytes) -> None:
        self._exchange = exchange
        self._head = head

    async def write(self, data: bytes) -> None:
        """Send a piece, and wait until the client keeps up. Does nothing if it is gone."""
        if data and not self._exchange.gone:
            head, self._head = self._head, b""
            self._exchange.connection.write(b"%b%x\r\n%b\r\n" % (head, len(data), data))
            await self._exchange.connection.writable()

    def finish(self) -> None:
        """End the answer: all of it was sent."""
        self._exchange.send(self._head + b"0\r\n\r\n")

    def abort(self) -> None:
        """End the connection without an end of the answer, so that nobody takes what was sent for all of it."""
        self._exchange.connection.abort()


class Site(Protocol):
    """What stands behind the connections of one worker.

    Attributes:
        limits: What one connection may take.
        draining: Whether the service is about to end: no connection stays open after its answer.
        epoch: The state of the keys.
        by_address: Whether the address of a peer is all that tells who asks.
        connections: All that are open.
        known_heads: Heads that were admitted before, by their very bytes: what comes again need not be read again.
        held: Bytes of bodies that are held by all connections together.
        once: Header fields that may not stand twice.

    """

    limits: Limits
    draining: bool
    epoch: int
    by_address: bool
    connections: set[Channel]
    known_heads: dict[bytes, Admission]
    held: int
    once: frozenset[bytes]

    def admit(self, head: Head, peer: str) -> Admission:
        """Judge a head. What is admitted depends on nothing but the head, the state of the keys and, if that is all, the address."""
        ...

    def identify(self, head: Head) -> str:
        """Return the request id: the caller's, if it is harmless, or a new one."""
        ...

    def begin(self, exchange: Exchange) -> None:
        """Take a request that is there to its last byte; :meth:`Exchange.send` is called once, now or later."""
        ...

    def refuse(self, exchange: Exchange, problem: Problem) -> None:
        """Send a problem as the answer."""
        ...

    def turn_away(self, problem: Problem) -> bytes:
        """Return the answer to a request that could not even be read; the connection ends with it."""
        ...

    def fault(self, error: BaseException) -> None:
        """Take note of an error that is ours."""
        ...
