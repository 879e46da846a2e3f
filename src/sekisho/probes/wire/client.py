"""A client for HTTP/1.1 that reports what happened and judges nothing.

It follows no redirect, sends nothing that it was not told to send, and turns every way of failing into a
:class:`~sekisho.probes.wire.message.Reply`.
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

import httptools

from sekisho.probes.wire.message import Reply, Request

LARGEST_REPLY: Final = 64 * 1024 * 1024
"""Bytes; a service that answers more is cut off."""

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, kw_only=True, slots=True)
class Trust:
    """Whose certificates are believed, beside those that this machine believes.

    Attributes:
        authority: The certificate of a private authority.
        anybody: Whether every certificate will do: that of a service that was started here for a trial.

    """

    authority: Path | None = None
    anybody: bool = False

    def context(self) -> ssl.SSLContext:
        """Return the context of a client that believes these.

        Raises:
            OSError: The certificate of the authority cannot be read.

        """
        context = ssl.create_default_context()
        if self.anybody:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        elif self.authority is not None:
            context.load_verify_locations(self.authority)
        return context


USUAL: Final = Trust()


class Address:
    """Where a service listens, taken from its URL.

    Raises:
        ValueError: The URL is not ``http://host[:port][/prefix]`` or ``https://...``.

    """

    def __init__(self, url: str, trust: Trust = USUAL) -> None:
        parts = urlsplit(url)
        self.trust = trust
        self._context: ssl.SSLContext | None = None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("a service has an address such as http://127.0.0.1:8000")
        self.secure = parts.scheme == "https"
        self.name = parts.hostname
        self.port = parts.port or (443 if self.secure else 80)
        self.host = parts.netloc.rpartition("@")[2]
        self.prefix = parts.path.rstrip("/")

    def render(self, request: Request) -> bytes:
        """Return the bytes of ``request`` for this address."""
        if not self.prefix:
            return request.render(self.host)
        return Request(
            method=request.method,
            target=self.prefix + request.target,
            body=request.body,
            headers=request.headers,
            chunked=request.chunked,
        ).render(self.host)

    async def connect(self, timeout: float, source: str | None = None) -> Connection:
        """Open one connection, from the address ``source`` of this machine if it is given.

        Raises:
            OSError: Nobody listens, or TLS fails.
            TimeoutError: Nobody answered within ``timeout`` seconds.

        """
        loop = asyncio.get_running_loop()
        if self.secure and self._context is None:
            self._context = self.trust.context()
        local = None if source is None else (source, 0)
        async with asyncio.timeout(timeout):
            _, connection = await loop.create_connection(
                Connection, self.name, self.port, ssl=self._context, local_addr=local
            )
        return connection


class Connection(asyncio.Protocol):
    """One connection, with one request under way at most."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: Callable[[Reply], None] | None = None
        self._sent_at = 0.0
        self.answered = 0
        self.is_open = False

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """Read a piece of an answer."""
        if self._waiting is None:
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._finish(fault="malformed")
        except httptools.HttpParserError:
            self._finish(fault="malformed")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """End the answer under way: a body without a length ends here, all else is cut off."""
        self.is_open = False
        if self._waiting is not None:
            ends_here = self._has_headers and "content-length" not in self._headers
            self._finish(fault=None if ends_here and "transfer-encoding" not in self._headers else "closed")

    # httptools.HttpResponseParser

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep one header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Note the status, unless it only announces another (1xx)."""
        status = self._parser.get_status_code()
        if status >= 200:
            self._status = status
            self._has_headers = True
            if self._is_head:
                self._finish(fault=None)  # its length is that of a body which does not come (RFC 9110, section 9.3.2)

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        self._body += body
        if len(self._body) > LARGEST_REPLY:
            self._finish(fault="malformed")

    def on_message_complete(self) -> None:
        """Hand the answer over."""
        if self._has_headers:
            self._finish(fault=None)
        else:
            self._headers.clear()

    # What the client uses

    def send(self, data: bytes, done: Callable[[Reply], None]) -> None:
        """Send the bytes of one request; ``done`` is called once with what came of it."""
        assert self._transport is not None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._status = 0
        self._has_headers = False
        self._is_head = data.startswith(b"HEAD ")
        self._waiting = done
        self._sent_at = self._loop.time()
        self._transport.write(data)

    def give_up(self) -> None:
        """Wait no longer for the answer under way."""
        if self._waiting is not None:
            self._finish(fault="timeout")

    def close(self) -> None:
        """Close at once."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def _finish(self, *, fault: str | None) -> None:
        done, self._waiting = self._waiting, None
        if done is None:
            return
        keeps = fault is None and self.is_open and self._headers.get("connection", "").lower() != "close"
        if not keeps or self._is_head or not self._parser.should_keep_alive():
            self.close()
        self.answered += 1
        seconds = self._loop.time() - self._sent_at
        done(
            Reply(
                status=self._status if fault is None else 0,
                headers=dict(self._headers),
                body=_unpacked(bytes(self._body), self._headers.get("content-encoding", "")),
                seconds=seconds,
                fault=fault,
            )
        )


def _unpacked(body: bytes, coding: str) -> bytes:
    """Return a body as it was before it was compressed; as it came when it is not what it says, or too large."""
    if coding.strip().lower() not in {"gzip", "x-gzip", "deflate"}:
        return body
    reader = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        plain = reader.decompress(body, LARGEST_REPLY)
    except zlib.error:
        return body
    return plain if reader.eof else body


class Client:
    """Several connections to one service, kept open between requests.

    Args:
        url: Where the service listens.
        timeout: Seconds after which a request is given up.
        trust: Whose certificates are believed.

    """

    def __init__(self, url: str, *, timeout: float = 30.0, trust: Trust = USUAL) -> None:
        self._address = Address(url, trust)
        self._timeout = timeout
        self._idle: list[Connection] = []

    async def send(self, request: Request) -> Reply:
        """Send one request on an idle connection, or on a new one, and return what came of it."""
        data = self._address.render(request)
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                reply = await self._exchange(connection, data)
                if reply.fault != "closed" or reply.headers or reply.body:
                    return reply
                break  # the service had closed it between two requests: once more on a new one
        try:
            connection = await self._address.connect(self._timeout)
        except TimeoutError:
            return Reply(status=0, fault="timeout")
        except OSError:
            return Reply(status=0, fault="refused")
        return await self._exchange(connection, data)

    async def send_all(self, requests: Sequence[Request], *, connections: int = 1) -> list[Reply]:
        """Send all requests, at most ``connections`` at a time, and return the replies in the same order."""
        replies: list[Reply | None] = [None] * len(requests)
        queue = iter(range(len(requests)))

        async def work() -> None:
            for index in queue:
                replies[index] = await self.send(requests[index])

        await asyncio.gather(*(work() for _ in range(max(1, min(connections, len(requests))))))
        return [reply for reply in replies if reply is not None]

    def close(self) -> None:
        """Close every connection."""
        while self._idle:
            self._idle.pop().close()

    async def _exchange(self, connection: Connection, data: bytes) -> Reply:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Reply] = loop.create_future()
        connection.send(data, lambda reply: None if answer.done() else answer.set_result(reply))
        timer = loop.call_later(self._timeout, connection.give_up)
        try:
            reply = await answer
        finally:
            timer.cancel()
            if not answer.done() or answer.cancelled():
                connection.close()
        if connection.is_open:
            self._idle.append(connection)
        return reply


def run(work: Coroutine[object, object, ResultT]) -> ResultT:
    """Run ``work`` on an event loop of its own, in this thread."""
    with asyncio.Runner() as runner:
        return runner.run(work)


def exchange(
    url: str, requests: Sequence[Request], *, connections: int = 1, timeout: float = 30.0, trust: Trust = USUAL
) -> list[Reply]:
    """Send all requests and return the replies in the same order.

    Args:
        url: Where the service listens.
        requests: What to send.
        connections: How many may be under way at a time.
        timeout: Seconds after which a request is given up.
        trust: Whose certificates are believed.

    """

    async def work() -> list[Reply]:
        client = Client(url, timeout=timeout, trust=trust)
        try:
            return await client.send_all(requests, connections=connections)
        finally:
            client.close()

    return run(work())
