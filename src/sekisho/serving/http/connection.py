"""One connection: requests in, answers out in the same order, and an end to everything that takes too long.

httptools reads the bytes. Most clients send the same head again and again on a connection that stays open; such a request is told by
its very bytes and taken without being read again. (The parser stands between two messages then, and does not miss it.)

Nothing here waits on a timer of its own: each connection says until when it may stay as it is (:attr:`Connection.until`), and
:func:`sweep` ends those that are late.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

import httptools

from sekisho.serving import problems
from sekisho.serving.http.exchange import Exchange
from sekisho.serving.http.head import Refused, read_head
from sekisho.serving.http.incoming import Incoming
from sekisho.serving.problems import Problem
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sekisho.serving.http.exchange import Channel, Site

SMALL_BODY: Final = 64 * 1024
"""Bytes; a smaller body of a refused request is read to its end, and the connection stays open."""
LARGEST_TAIL: Final = 64 * 1024 * 1024
"""Bytes that are thrown away after a refusal, so that the client gets to read it before the connection ends."""
SECONDS_OF_TAIL: Final = 2.0
MOST_KNOWN_HEADS: Final = 512
WIRE_PER_BYTE: Final = 8
"""Bytes on the wire for each byte of a body that comes in chunks: enough for chunks of one byte, too few for long extensions."""
MOST_PIECES: Final = 16_384
BYTES_OF_PIECE: Final = 256
"""A body may come in so many pieces, and one more for so many bytes: each costs time, however small it is."""
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_DIFFERS: Final = (b"x-request-id", b"traceparent", b"tracestate", b"baggage", b"expect", b"date")
"""Fields that differ from request to request: there is no use in remembering such a head."""

_LARGER_CHUNKS: Final = Text(en="send it in larger chunks", ja="より大きなチャンクに分けて送ってください")


class _Stop(Exception):
    """The rest of what came in is of no interest."""


class Connection(asyncio.Protocol):
    """The protocol of one connection.

    Args:
        site: What stands behind it.

    Attributes:
        until: Until when it may stay as it is, in seconds of the monotonic clock.

    """

    def __init__(self, site: Site) -> None:
        self.until = inf
        self._site = site
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport = None  # type: ignore[assignment] # there from connection_made on
        self._peer = ""
        self._mark = b""
        """What tells this caller from others who send the same bytes, if nothing in the bytes does."""
        self._waiting: deque[Exchange] = deque()
        self._incoming: Incoming | None = None
        self._chunk: bytes | None = None
        """What came in at once, if a message may begin with it."""
        self._seen = b""
        """What came in since a message may have begun, while its head has no end."""
        self._begun = 0
        """How many messages stand in what came in at once."""
        self._last = False
        """Whether no further request is taken, and the connection ends after the answers that are due."""
        self._closing = False
        """Whether what comes in is thrown away."""
        self._stuck = False
        """Whether the client does not read."""
        self._unstuck: asyncio.Future[None] | None = None
        """Done when it reads again, or has gone; ``None`` if nobody waits for that."""
        self._tail = 0

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: the first head must come soon."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        if self._site.by_address:
            self._mark = self._peer.encode() + b" "
        self._site.connections.add(self)
        self.until = monotonic() + self._site.limits.head_seconds
        if len(self._site.connections) > self._site.limits.connections:
            self._turn_away(Problem(kind=problems.OVERLOADED, fields=problems.retry_after(1)))

    def data_received(self, data: bytes) -> None:
        """Take what came in."""
        if self._incoming is None and not self._last:
            end = data.find(b"\r\n\r\n") + 4
            known = self._site.known_heads.get(self._mark + data[:end])
            if known is not None and known.head.length == len(data) - end and known.epoch == self._site.epoch:
                now = monotonic()
                if now < known.until:
                    exchange = Exchange(self, known, self._site.identify(known.head), now)
                    exchange.body = data[end:]
                    self._waiting.append(exchange)
                    self._site.begin(exchange)
                    return
        self._read(data)

    def eof_received(self) -> bool:
        """Keep the way back open as long as answers are due."""
        if self._closing:
            return False
        if self._incoming is not None and not self._incoming.dropped:
            self._turn_away(Problem(kind=problems.INCOMPLETE_BODY))
        self._last = True
        # TLS has no half of a connection that stays open; asyncio would only warn.
        return bool(self._waiting) and self._transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget everything; nobody waits for the answers any more."""
        self._site.connections.discard(self)
        self._closing = self._last = True
        for exchange in self._waiting:
            exchange.gone = True
        self._waiting.clear()
        self._release()
        self._wake()
        self._parser = None

    def pause_writing(self) -> None:
        """Wait until the client reads, but not for ever."""
        self._stuck = True
        self._transport.pause_reading()
        self.until = monotonic() + self._site.limits.write_seconds

    def resume_writing(self) -> None:
        """Go on: the client reads again."""
        self._stuck = False
        self._wake()
        if not self._transport.is_closing():
            self._transport.resume_reading()
        self.until = monotonic() + self._site.limits.idle_seconds

    # What httptools calls

    def on_message_begin(self) -> None:
        """Begin a request."""
        if self._last:
            raise _Stop
        self._begun += 1
        self._incoming = Incoming(monotonic())
        self.until = self._incoming.started + self._site.limits.head_seconds

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request target."""
        incoming = self._reading()
        incoming.target += url
        if len(incoming.target) > self._site.limits.target_bytes:
            self._stop(Problem(kind=problems.TARGET_TOO_LONG))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field; those that follow the body (trailers) are dropped."""
        incoming = self._reading()
        incoming.size += len(name) + len(value) + len(b": \r\n")
        if incoming.size > self._site.limits.head_bytes or len(incoming.fields) >= self._site.limits.headers:
            self._stop(Problem(kind=problems.HEAD_TOO_LARGE))
        if incoming.in_head:
            incoming.fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Let the site judge the head, and take or refuse the body."""
        incoming = self._reading()
        incoming.in_head = False
        try:
            head = read_head(
                self._parser.get_method(),
                incoming.target,
                self._parser.get_http_version(),
                incoming.fields,
                keep_alive=self._parser.should_keep_alive(),
                once=self._site.once,
            )
        except Refused as refused:
            self._stop(refused.problem)
        if head.version == "1.0" and b" HTTP/1.0\r\n" not in self._seen:
            # httptools takes other protocols of that number for HTTP, such as RTSP/1.0.
            self._stop(Problem(kind=problems.VERSION_NOT_SUPPORTED))
        admission = self._site.admit(head, self._peer)
        # No protocol is upgraded to: the request is answered as it is, and what follows is not read.
        self._last = self._site.draining or not head.keep_alive or self._parser.should_upgrade()
        exchange = Exchange(self, admission, self._site.identify(head), incoming.started)
        incoming.exchange = exchange
        self._waiting.append(exchange)
        self.until = monotonic() + self._site.limits.body_seconds
        # HTTP/1.0 knows no expectations (RFC 9110, 10.1.1).
        expects = head.by_name.get(b"expect") if head.version == "1.1" else None
        refusal = admission.refusal
        if refusal is None and head.length is not None and head.length > admission.takes:
            refusal = Problem(kind=problems.BODY_TOO_LARGE)
        if refusal is None and expects is not None and expects.lower() != b"100-continue":
            refusal = Problem(kind=problems.EXPECTATION_FAILED)
        if refusal is None:
            refusal = self._hold(incoming, head.length or 0)
        if refusal is not None:
            harmless = head.length is not None and head.length <= SMALL_BODY and expects is None
            self._refuse(incoming, refusal, to_the_end=harmless)
        elif expects is not None and head.length != 0 and len(self._waiting) == 1:
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        incoming = self._reading()
        if incoming.dropped:
            return
        exchange = incoming.exchange
        assert exchange is not None
        incoming.length += len(body)
        incoming.add(body)
        refusal = None
        if incoming.length > exchange.admission.takes:
            refusal = Problem(kind=problems.BODY_TOO_LARGE)
        elif incoming.pieces > MOST_PIECES + incoming.length // BYTES_OF_PIECE:
            refusal = Problem(kind=problems.BODY_TOO_LARGE, expected=_LARGER_CHUNKS)
        elif incoming.length > incoming.held:
            refusal = self._hold(incoming, min(2 * incoming.length, exchange.admission.takes))
        if refusal is not None:
            self._refuse(incoming, refusal, to_the_end=False)

    def on_message_complete(self) -> None:
        """Hand the request to the site: it is there to its last byte."""
        incoming = self._reading()
        self._incoming = None
        if incoming.dropped:
            self._rest()
            return
        exchange = incoming.exchange
        assert exchange is not None
        exchange.body = bytes(incoming.body)
        self._release(incoming)
        self._remember(exchange)
        self.until = inf
        self._site.begin(exchange)

    # What the site uses

    def answer(self, exchange: Exchange, data: bytes) -> None:
        """Send the answer to ``exchange`` as soon as those before it have gone."""
        waiting = self._waiting
        if exchange.gone:
            return
        exchange.gone = True
        if waiting[0] is not exchange:
            exchange.answer = data
            return
        waiting.popleft()
        while waiting and (next_answer := waiting[0].answer) is not None:
            data += next_answer
            waiting.popleft()
        self._transport.write(data)
        self._rest()

    def can_stream(self, exchange: Exchange) -> bool:
        """Whether the answer to ``exchange`` can be sent piece by piece: no earlier one is due, and the client knows chunks."""
        return bool(self._waiting) and self._waiting[0] is exchange and exchange.admission.head.version == "1.1"

    def write(self, data: bytes) -> None:
        """Send bytes of the answer that is due next."""
        self._transport.write(data)

    async def writable(self) -> None:
        """Wait until the client has read most of what was sent, or is gone."""
        if self._stuck and self._unstuck is None:
            self._unstuck = asyncio.get_running_loop().create_future()
        if self._unstuck is not None:
            await asyncio.shield(self._unstuck)

    @property
    def ends(self) -> bool:
        """Whether the connection ends after the answers that are due."""
        return self._last

    def end(self) -> None:
        """End the connection as soon as the answers that are due have gone."""
        self._last = True
        if not self._waiting and self._incoming is None:
            self._transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def expire(self) -> None:
        """End the connection because its time is over."""
        if self._stuck or self._closing:
            self._transport.abort()
        elif self._incoming is not None:
            self._turn_away(Problem(kind=problems.REQUEST_TIMEOUT))
        elif not self._waiting:
            self._transport.close()

    # What happens in between

    def _wake(self) -> None:
        unstuck, self._unstuck = self._unstuck, None
        if unstuck is not None:
            unstuck.set_result(None)

    def _read(self, data: bytes) -> None:
        if self._closing or (self._last and self._incoming is None):
            self._tail += len(data)
            if self._tail > LARGEST_TAIL:
                self._transport.abort()
            return
        incoming = self._incoming
        self._chunk = data if incoming is None else None
        self._seen = self._seen + data if incoming is not None and incoming.in_head else data
        self._begun = 0 if incoming is None else 1
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # answered as it is; the connection ends
        except httptools.HttpParserError as error:
            self._unreadable(data, error)
        incoming = self._incoming
        if incoming is None or not incoming.in_head:
            self._seen = b""
        if incoming is None or self._closing:
            return
        if self._begun == 1:
            incoming.wire += len(data)  # otherwise most of it belongs to the requests before
        limits = self._site.limits
        if incoming.in_head:
            # A field or target without an end never gets as far as its callback.
            if incoming.wire > limits.head_bytes + limits.target_bytes:
                self._turn_away(Problem(kind=problems.HEAD_TOO_LARGE))
        elif incoming.wire > WIRE_PER_BYTE * limits.body_bytes + limits.head_bytes:
            self._turn_away(Problem(kind=problems.BODY_TOO_LARGE))
        if len(self._waiting) > limits.pipeline:
            self._transport.abort()

    def _unreadable(self, data: bytes, error: httptools.HttpParserError) -> None:
        if self._closing or self._last:
            return  # what follows the last request is of no interest
        if isinstance(error, httptools.HttpParserCallbackError):
            self._site.fault(error.__context__ or error)
            self._turn_away(Problem(kind=problems.INTERNAL))
        elif isinstance(error, httptools.HttpParserInvalidMethodError) and data[:1].isalpha():
            self._turn_away(Problem(kind=problems.UNKNOWN_METHOD, fields=((b"allow", b"GET, HEAD, POST"),)))
        else:
            self._turn_away(Problem(kind=problems.MALFORMED_HTTP))

    def _reading(self) -> Incoming:
        assert self._incoming is not None
        return self._incoming

    def _stop(self, problem: Problem) -> NoReturn:
        self._turn_away(problem)
        raise _Stop

    def _turn_away(self, problem: Problem) -> None:
        """Answer a request that cannot be read, after those that are due, and end the connection."""
        self._last = self._closing = True
        incoming, self._incoming = self._incoming, None
        if incoming is not None and incoming.dropped:
            self._rest()  # it has its answer
            return
        if incoming is not None and incoming.exchange is not None:
            self._release(incoming)
            self._site.refuse(incoming.exchange, problem)
            return
        exchange = Exchange(self, None, "", monotonic())  # type: ignore[arg-type] # has no head
        self._waiting.append(exchange)
        self.answer(exchange, self._site.turn_away(problem))

    def _refuse(self, incoming: Incoming, problem: Problem, *, to_the_end: bool) -> None:
        """Answer a request before its body is there.

        Args:
            incoming: The request.
            problem: The answer.
            to_the_end: Whether the rest of the body is worth reading, so that the connection can stay open.

        """
        incoming.dropped = True
        incoming.body = b""
        self._release(incoming)
        assert incoming.exchange is not None
        if not to_the_end:
            self._last = self._closing = True
        self._site.refuse(incoming.exchange, problem)
        if not to_the_end:
            raise _Stop

    def _hold(self, incoming: Incoming, size: int) -> Problem | None:
        """Reserve memory for a body; return a problem if all bodies together would take too much."""
        more = size - incoming.held
        if more > 0 and size > SMALL_BODY and self._site.held + more > 2 * self._site.limits.body_bytes:
            return Problem(kind=problems.OVERLOADED, fields=problems.retry_after(2))
        incoming.held += more
        self._site.held += more
        return None

    def _release(self, incoming: Incoming | None = None) -> None:
        incoming = incoming or self._incoming
        if incoming is not None:
            self._site.held -= incoming.held
            incoming.held = 0

    def _remember(self, exchange: Exchange) -> None:
        """Remember a head that came in one piece with its body: it may come again."""
        chunk, self._chunk = self._chunk, None
        admission = exchange.admission
        if chunk is None or self._last or admission.until <= monotonic():
            return
        if any(name in admission.head.by_name for name in _DIFFERS):
            return
        end = chunk.find(b"\r\n\r\n") + 4
        if admission.head.length == len(exchange.body) and end + len(exchange.body) == len(chunk):
            known = self._site.known_heads
            if len(known) >= MOST_KNOWN_HEADS:
                known.clear()
            known[self._mark + chunk[:end]] = admission

    def _rest(self) -> None:
        """Wait for the next request, or end, if no answer is due."""
        if self._waiting:
            return
        if self._closing:
            # The client may still be sending. Closing now would make its system throw the answer away.
            self.until = monotonic() + SECONDS_OF_TAIL
            if self._transport.can_write_eof():
                self._transport.write_eof()
        elif self._last and self._incoming is None:
            self._transport.close()
        elif self._incoming is None and not self._stuck:
            self.until = monotonic() + self._site.limits.idle_seconds


def sweep(connections: Iterable[Channel], now: float) -> None:
    """End the connections that have stayed as they are for too long.

    Args:
        connections: All that are open.
        now: Seconds of the monotonic clock.

    """
    for connection in [one for one in connections if one.until < now]:
        connection.expire()
