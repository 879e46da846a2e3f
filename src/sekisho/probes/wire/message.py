"""What is sent to a service, and what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

JSON = "application/json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request, before an address and a key are put to it.

    Attributes:
        method: The HTTP method.
        target: Path and query.
        body: The bytes of the body.
        headers: Names and values, in order; ``Host``, ``Content-Length`` and ``Transfer-Encoding`` are added when sent unless
            they stand here.
        chunked: Whether the body goes in chunks, its length not announced.

    """

    method: str = "GET"
    target: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    chunked: bool = False

    def with_headers(self, *headers: tuple[str, str]) -> Request:
        """Return the same request with more headers."""
        return replace(self, headers=(*self.headers, *headers))

    def render(self, host: str) -> bytes:
        """Return the bytes of the request (RFC 9112)."""
        given = {name.lower() for name, _ in self.headers}
        lines = [f"{self.method} {self.target} HTTP/1.1"]
        if "host" not in given:
            lines.append(f"Host: {host}")
        lines += [f"{name}: {value}" for name, value in self.headers]
        body = self.body
        if self.chunked:
            lines.append("Transfer-Encoding: chunked")
            body = _chunks(body)
        elif "content-length" not in given and (body or self.method not in {"GET", "HEAD", "OPTIONS"}):
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join((*lines, "", "")).encode("latin-1") + body


def post(target: str, body: bytes, *, media_type: str | None = JSON, chunked: bool = False) -> Request:
    """Return a POST of ``body``; ``media_type=None`` sends no ``Content-Type``."""
    headers = () if media_type is None else (("Content-Type", media_type),)
    return Request(method="POST", target=target, body=body, headers=headers, chunked=chunked)


def _chunks(body: bytes, size: int = 64 * 1024) -> bytes:
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What came back.

    Attributes:
        status: The HTTP status; 0 when no answer came.
        headers: By lower-case name; of several alike, the last.
        body: The bytes of the body.
        seconds: From the first byte sent to the last byte read.
        fault: Why no answer came: ``refused``, ``closed``, ``timeout`` or ``malformed``; ``None`` when one came.

    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    fault: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the service did what was asked."""
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Whether the service said that the request was at fault."""
        return 400 <= self.status < 500

    @property
    def media_type(self) -> str:
        """The media type of the body, lower case, without parameters; empty when none is named."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> object:
        """Return the body as JSON (RFC 8259: no ``NaN``), or ``None`` when it is none."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
