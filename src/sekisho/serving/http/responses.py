"""The bytes of answers."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from typing import Final

_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
_ALWAYS: Final = b"cache-control: no-store\r\nx-content-type-options: nosniff\r\n"
_CLOSE: Final = b"connection: close\r\n"


class Responses:
    """Renders answers; the part that all of a kind share is made once a second, with the date.

    Args:
        always: More header fields of every answer.

    """

    def __init__(self, *always: tuple[bytes, bytes]) -> None:
        self._always = _ALWAYS + b"".join([b"%b: %b\r\n" % field for field in always])
        self._prefixes: dict[tuple[int, bytes], bytes] = {}
        self._date = b""
        self.tick()

    def tick(self) -> None:
        """Take the date of now; to be called once a second."""
        date = formatdate(usegmt=True).encode()
        if date != self._date:
            self._date = date
            self._prefixes.clear()

    def render(
        self,
        status: int,
        body: bytes,
        *,
        media_type: bytes,
        request_id: str,
        close: bool,
        fields: tuple[tuple[bytes, bytes], ...] = (),
        bodiless: bool = False,
    ) -> bytes:
        """Return an answer.

        Args:
            status: The HTTP status.
            body: All of the body.
            media_type: What it is.
            request_id: Goes into ``X-Request-ID``.
            close: Whether the connection ends after it.
            fields: More header fields.
            bodiless: Whether the body is left out, as the answer to ``HEAD``.

        """
        more = _more(fields, close=close)
        prefix = self._prefixes.get((status, media_type)) or self._prefix(status, media_type)
        head = b"%bx-request-id: %b\r\ncontent-length: %d\r\n%b\r\n" % (prefix, request_id.encode(), len(body), more)
        return head if bodiless else head + body

    def begin(
        self, media_type: bytes, *, request_id: str, close: bool, fields: tuple[tuple[bytes, bytes], ...] = ()
    ) -> bytes:
        """Return the head of an answer of status 200 whose body follows in chunks (RFC 9112, 7.1)."""
        more = _more(fields, close=close)
        prefix = self._prefixes.get((200, media_type)) or self._prefix(200, media_type)
        return b"%bx-request-id: %b\r\ntransfer-encoding: chunked\r\n%b\r\n" % (prefix, request_id.encode(), more)

    def _prefix(self, status: int, media_type: bytes) -> bytes:
        line = b"HTTP/1.1 %d %b\r\n" % (status, _REASONS.get(status, b""))
        prefix = b"%bdate: %b\r\ncontent-type: %b\r\n%b" % (line, self._date, media_type, self._always)
        self._prefixes[status, media_type] = prefix
        return prefix


def _more(fields: tuple[tuple[bytes, bytes], ...], *, close: bool) -> bytes:
    more = _CLOSE if close else b""
    return more + b"".join([b"%b: %b\r\n" % field for field in fields]) if fields else more
