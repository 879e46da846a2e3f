"""Compressed bodies, unpacked no further than a limit; answers packed for those who ask for it."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, Final

from sekisho.errors import InvalidInput
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

GZIP: Final = "gzip"
DEFLATE: Final = "deflate"
ZSTD: Final = "zstd"
CODINGS: Final = (GZIP, DEFLATE, ZSTD)
SMALLEST_PACKED: Final = 16 * 1024
"""Bytes; a smaller answer is sent as it is."""
_PIECE: Final = 64 * 1024
_WINDOW_OF_GZIP: Final = 16 + zlib.MAX_WBITS


def unpack(body: bytes, coding: str, *, most: int) -> bytes:
    """Return what a body holds.

    Nothing is unpacked beyond the limit: a bomb costs as much memory as the largest body that is allowed.

    Args:
        body: The bytes that came.
        coding: One of :data:`CODINGS`.
        most: How many bytes it may hold.

    Raises:
        InvalidInput: It cannot be unpacked (``malformed_encoding``), holds more (``body_too_large``), or the library that
            unpacks it is not there (``unsupported_encoding``).

    """
    pieces: list[bytes] = []
    size = 0
    for piece in _zstd(body) if coding == ZSTD else _deflated(body, coding):
        size += len(piece)
        if size > most:
            raise InvalidInput(
                "body_too_large",
                Text(en="the body is too large when unpacked", ja="展開後の本文が大きすぎます"),
                Text(en=f"send at most {most:,} bytes", ja=f"{most:,} バイト以内で送ってください"),
            )
        pieces.append(piece)
    return b"".join(pieces)


def pack(body: bytes) -> bytes:
    """Return a body compressed with gzip, quickly rather than well."""
    whole = packer()
    return whole.compress(body) + whole.flush()


def packer() -> zlib._Compress:
    """Return what compresses an answer with gzip, quickly rather than well."""
    return zlib.compressobj(1, zlib.DEFLATED, _WINDOW_OF_GZIP)


def _deflated(body: bytes, coding: str) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_WINDOW_OF_GZIP if coding == GZIP else zlib.MAX_WBITS)
    whole = memoryview(body)
    try:
        for at in range(0, len(body), _PIECE):
            if unpacker.eof:
                raise _malformed(coding)  # something follows
            # What is left of a part is copied each time, so parts are small.
            part: bytes | memoryview = whole[at : at + _PIECE]
            while part and not unpacker.eof:
                if piece := unpacker.decompress(part, _PIECE):
                    yield piece
                part = unpacker.unconsumed_tail
            while not unpacker.eof and (piece := unpacker.decompress(b"", _PIECE)):
                yield piece
    except zlib.error:
        raise _malformed(coding) from None
    if not unpacker.eof or unpacker.unused_data:
        raise _malformed(coding)  # cut off, or something follows


def _zstd(body: bytes) -> Iterator[bytes]:
    if not body:
        raise _malformed(ZSTD)  # pyarrow would take it for nothing at all
    try:
        import pyarrow as pa
    except ImportError:
        raise InvalidInput(
            "unsupported_encoding",
            Text(en="zstd needs a library that is not installed here", ja="zstd に必要なライブラリがありません"),
            Text(
                en="send gzip, or have pyarrow installed beside the service",
                ja="gzip で送るか、サービス側に pyarrow を導入してください",
            ),
        ) from None
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
            while piece := _read(stream):
                yield piece
    except (OSError, pa.ArrowException):
        raise _malformed(ZSTD) from None


def _read(stream: Any) -> bytes:
    piece: bytes = stream.read(_PIECE)
    return piece


def _malformed(coding: str) -> InvalidInput:
    return InvalidInput(
        "malformed_encoding",
        Text(en=f"the body is not {coding}", ja=f"本文が {coding} ではありません"),
        Text(
            en="compress the whole body once, as Content-Encoding says",
            ja="Content-Encoding のとおりに、本文全体を1回だけ圧縮してください",
        ),
    )
