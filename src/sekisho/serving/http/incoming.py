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
        body: What there is of the body.
        pieces: In how many pieces it came.
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
        "pieces",
        "size",
        "started",
        "target",
        "wire",
    )

    def __init__(self, started: float) -> None:
        self.started = started
        self.wire = self.size = self.length = self.pieces = self.held = 0
        self.target = b""
        self.fields: list[Field] = []
        self.in_head = True
        self.exchange: Exchange | None = None
        self.dropped = False
        self.body: bytes | bytearray = b""

    def add(self, piece: bytes) -> None:
        """Add a piece of the body; many small ones take no more memory than one large one."""
        self.pieces += 1
        if not self.body:
            self.body = piece
        elif isinstance(self.body, bytes):
            self.body = bytearray(self.body) + piece
        else:
            self.body += piece
