"""What has come in of a request that is not there to its last byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sekisho.serving.http.exchange import Exchange
    from sekisho.serving.http.head import Field


class Incoming:
    """What has come in of one request.

    Attributes:
        started: When its first byte came, in seconds of the monotonic clock.
        target: The request target.
        fields: The header fields, names in lower case.
        body: The pieces of the body.
        wire: Bytes that came in while it was read.
        size: Bytes of its header fields.
        in_head: Whether the head has not ended yet.
        exchange: There as soon as the head has ended.
        dropped: Whether it has been answered already, so that the rest of it is thrown away.
        length: Bytes of the body.
        held: Bytes that are reserved for it.

    """

    __slots__ = (
        "body",
        "dropped",
        "exchange",
        "fields",
        "held",
        "in_head",
        "length",
        "size",
        "started",
        "target",
        "wire",
    )

    def __init__(self, started: float) -> None:
        self.started = started
        self.wire = self.size = self.length = self.held = 0
        self.target = b""
        self.fields: list[Field] = []
        self.in_head = True
        self.exchange: Exchange | None = None
        self.dropped = False
        self.body: list[bytes] = []
