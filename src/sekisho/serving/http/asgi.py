"""The bridge to an ASGI application, for the routes that are not asked often. Bodies are whole on either side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from sekisho.serving.http.head import Field, Head

    Message = MutableMapping[str, Any]
    Application = Callable[
        [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
    ]

_OURS = frozenset((b"content-length", b"content-type", b"connection", b"date", b"server", b"transfer-encoding"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What an application answered.

    Attributes:
        status: The HTTP status.
        media_type: What the body is.
        body: All of it.
        fields: The other header fields.

    """

    status: int
    media_type: bytes
    body: bytes
    fields: tuple[Field, ...]


async def call(application: Application, head: Head, body: bytes, *, state: dict[str, Any]) -> Answer:
    """Ask an application.

    Args:
        application: Whom to ask.
        head: The head of the request.
        body: All of its body.
        state: What the application finds in ``request.state``.

    Raises:
        Exception: Whatever it raises; a ``RuntimeError`` if it did not answer.

    """
    received = False
    status = 0
    fields: list[Field] = []
    pieces: list[bytes] = []

    async def receive() -> Message:
        nonlocal received
        if received:
            return {"type": "http.disconnect"}
        received = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            fields.extend((bytes(name).lower(), bytes(value)) for name, value in message.get("headers", ()))
        elif message["type"] == "http.response.body":
            pieces.append(message.get("body", b""))

    await application(_scope(head, state), receive, send)
    if not status:
        raise RuntimeError("the application gave no answer")
    media_type = next((value for name, value in fields if name == b"content-type"), b"application/octet-stream")
    others = tuple(field for field in fields if field[0] not in _OURS)
    return Answer(status=status, media_type=media_type, body=b"".join(pieces), fields=others)


def _scope(head: Head, state: dict[str, Any]) -> Message:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": head.version,
        "method": head.method,
        "scheme": "http",
        "path": unquote(head.path.decode("ascii")),
        "raw_path": head.path,
        "query_string": head.query,
        "root_path": "",
        "headers": list(head.fields),
        "client": None,
        "server": None,
        "state": state,
    }
