"""Bytes to a service and back: as they are, without a library that would mend them."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})[^\r\n]*\r\n")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back: one answer.

    Attributes:
        status: The HTTP status.
        fields: The header fields in order, names in lower case.
        body: The body.
        size: Bytes of all of it on the wire.
        milliseconds: How long it took, where that was measured.

    """

    status: int
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    size: int = 0
    milliseconds: float = 0.0

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.fields)

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a problem; empty if it is none."""
        try:
            return str(self.json()["code"])
        except (ValueError, KeyError, TypeError):
            return ""


@dataclass(frozen=True, kw_only=True)
class Received:
    """Everything that came back on one connection.

    Attributes:
        data: The bytes.
        answers: The final answers in it, in order.
        interim: The statuses of interim answers (1xx).
        closed: Whether the service ended the connection.
        milliseconds: How long it took from the last byte sent to the end, or to the last byte received.

    """

    data: bytes
    answers: tuple[Answer, ...]
    interim: tuple[int, ...]
    closed: bool
    milliseconds: float

    @property
    def statuses(self) -> list[int]:
        return [answer.status for answer in self.answers]


def parse_answers(data: bytes, *, bodiless: bool = False) -> tuple[tuple[Answer, ...], tuple[int, ...]]:
    """Return the answers in ``data``, and the statuses of interim ones."""
    answers: list[Answer] = []
    interim: list[int] = []
    at = 0
    while (found := _STATUS_LINE.match(data, at)) is not None:
        end = data.find(b"\r\n\r\n", at)
        if end < 0:
            break
        lines = data[found.end() : end].decode("latin-1").split("\r\n") if end > found.end() else []
        fields = tuple(
            (name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)
        )
        status = int(found[1])
        begin, start = end + 4, at
        if status < 200:
            interim.append(status)
            at = begin
            continue
        body, at = _body(data, begin, dict(fields), empty=bodiless or status in {204, 304})
        answers.append(Answer(status=status, fields=fields, body=body, size=at - start))
    return tuple(answers), tuple(interim)


def _body(data: bytes, begin: int, fields: Mapping[str, str], *, empty: bool) -> tuple[bytes, int]:
    if empty:
        return b"", begin
    if "chunked" in fields.get("transfer-encoding", ""):
        pieces: list[bytes] = []
        at = begin
        while True:
            line = data.find(b"\r\n", at)
            size = data[at:line].split(b";")[0].strip() if line >= 0 else b""
            if not re.fullmatch(rb"[0-9a-fA-F]{1,8}", size):
                return b"".join(pieces), len(data)
            length = int(size, 16)
            pieces.append(data[line + 2 : line + 2 + length])
            at = line + 2 + length + 2
            if length == 0:
                return b"".join(pieces), at
    length_text = fields.get("content-length", "")
    if length_text.isdigit():
        end = min(len(data), begin + int(length_text))
        return data[begin:end], end
    return data[begin:], len(data)


@dataclass(kw_only=True)
class Client:
    """Talks to one service.

    Attributes:
        url: Where it is.
        headers: Fields that its usual requests carry, such as a key.
        timeout: Seconds to wait for anything.

    """

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    timeout: float = 10.0

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or "127.0.0.1"

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or (443 if self.url.startswith("https:") else 80)

    def connect(self, timeout: float | None = None, *, window: int = 0) -> socket.socket:
        """Return a connection; TLS if the service speaks it, certificates unseen."""
        plain = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        if window:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        plain.settimeout(self.timeout if timeout is None else timeout)
        try:
            plain.connect((self.host, self.port))
        except BaseException:
            plain.close()
            raise
        if not self.url.startswith("https:"):
            return plain
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(plain, server_hostname=self.host)

    def raw(self, data: bytes, *, half_close: bool = False, wait: float = 5.0, bodiless: bool = False) -> Received:
        """Send bytes as they are; return what comes back until the service ends the connection or is silent for ``wait`` seconds."""
        with self.connect() as connection:
            with contextlib.suppress(OSError):  # refused before everything was sent
                connection.sendall(data)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
            return read_all(connection, wait=wait, bodiless=bodiless)

    def ask(
        self,
        path: str,
        body: bytes | None = None,
        *,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
        bare: bool = False,
        timeout: float | None = None,
    ) -> Answer:
        """Send one request on a connection of its own.

        Args:
            path: The request target.
            body: The body, if there is one; JSON unless ``headers`` say otherwise.
            method: ``POST`` if there is a body, else ``GET``.
            headers: More header fields.
            bare: Whether the usual header fields (keys) are left out.
            timeout: Seconds to wait.

        """
        sent = {"content-type": "application/json"} if body is not None else {}
        sent |= {} if bare else self.headers
        given = {name.lower() for name in headers or {}}
        sent = {name: value for name, value in sent.items() if name.lower() not in given} | dict(headers or {})
        kind = http.client.HTTPSConnection if self.url.startswith("https:") else http.client.HTTPConnection
        more: dict[str, Any] = {"context": ssl._create_unverified_context()} if self.url.startswith("https:") else {}
        connection = kind(self.host, self.port, timeout=timeout or self.timeout, **more)
        began = time.monotonic()
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, body, sent)
            reply = connection.getresponse()
            content = reply.read()
        finally:
            connection.close()
        fields = tuple((name.lower(), value) for name, value in reply.getheaders())
        return Answer(
            status=reply.status,
            fields=fields,
            body=content,
            size=len(content) + sum(len(name) + len(value) + 4 for name, value in fields),
            milliseconds=(time.monotonic() - began) * 1000,
        )


def read_all(connection: socket.socket, *, wait: float = 5.0, bodiless: bool = False) -> Received:
    """Return everything that comes until the other side ends the connection, or is silent for ``wait`` seconds."""
    began = time.monotonic()
    last = began
    pieces: list[bytes] = []
    closed = False
    connection.settimeout(wait)
    try:
        while True:
            data = connection.recv(65_536)
            last = time.monotonic()
            if not data:
                closed = True
                break
            pieces.append(data)
    except TimeoutError:
        pass
    except OSError:
        closed, last = True, time.monotonic()
    data = b"".join(pieces)
    answers, interim = parse_answers(data, bodiless=bodiless)
    return Received(data=data, answers=answers, interim=interim, closed=closed, milliseconds=(last - began) * 1000)


@dataclass(kw_only=True)
class Bystander:
    """Somebody else who asks meanwhile.

    Attributes:
        waits: How long each of their answers took, in milliseconds.
        served: How many of their requests got 200.
        failures: What went wrong.

    """

    waits: list[float] = field(default_factory=list)
    served: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def longest(self) -> float:
        return round(max(self.waits, default=0.0), 1)


@contextlib.contextmanager
def bystander(client: Client, request: bytes, *, every: float = 0.02) -> Iterator[Bystander]:
    """Send the same good request again and again on one connection, while the block runs; due times are fixed, so that waits are not hidden."""
    seen = Bystander()
    stop = threading.Event()

    def work() -> None:
        due = time.monotonic()
        connection: socket.socket | None = None
        while not stop.is_set():
            now = time.monotonic()
            if now < due:
                time.sleep(due - now)
            try:
                connection = connection or client.connect()
                connection.sendall(request)
                answer = one_answer(connection)
                if answer.status == 200:
                    seen.served += 1
                else:
                    seen.failures.append(str(answer.status))
                if answer.headers.get("connection", "").lower() == "close":
                    connection.close()
                    connection = None
            except OSError as error:
                seen.failures.append(type(error).__name__)
                if connection is not None:
                    connection.close()
                connection = None
            seen.waits.append((time.monotonic() - due) * 1000)
            due = max(due + every, time.monotonic() - 0.5)
        if connection is not None:
            connection.close()

    thread = threading.Thread(target=work, daemon=True, name="bystander")
    thread.start()
    time.sleep(3 * every)
    try:
        yield seen
        time.sleep(every)
    finally:
        stop.set()
        thread.join(client.timeout + 1)


def one_answer(connection: socket.socket) -> Answer:
    """Read one answer from a connection that stays open."""
    data = b""
    while True:
        piece = connection.recv(65_536)
        if not piece:
            raise ConnectionResetError
        data += piece
        answers, _ = parse_answers(data)
        if not answers:
            continue
        first = answers[0]
        announced = first.headers.get("content-length")
        if announced is None and "chunked" in first.headers.get("transfer-encoding", ""):
            whole = data.endswith(b"0\r\n\r\n")
        else:
            whole = announced is None or len(first.body) >= int(announced)
        if whole:
            return first
