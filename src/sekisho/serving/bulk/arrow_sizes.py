"""What an Arrow stream would take in memory, read from its metadata (Apache Arrow columnar format, "IPC Streaming Format").

Each message is a FlatBuffer before a body of buffers. A buffer may be compressed, and says before its bytes how long it will be; a batch
says how many rows it has. Both are looked at here, before the library allocates what they ask for.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_MESSAGES: Final = 4_096
_RECORD_BATCH: Final = "record batch"
_DICTIONARY: Final = "dictionary"
_HEADER: Final = 2
_NOT_COMPRESSED: Final = -1
# Places of the fields in their tables.
_DATA_OF_DICTIONARY: Final = 1
_LENGTH, _NODES, _BUFFERS, _COMPRESSION = range(4)


class Measured(Exception):
    """A stream that is not one, or holds more than it may."""


def measure(messages: Iterator[Any], *, most_rows: int, most_bytes: int) -> tuple[int, int]:
    """Return the rows of a stream, and the bytes that it takes when it is unpacked.

    Args:
        messages: The messages as ``pyarrow.ipc.MessageReader`` gives them; nothing in them is unpacked.
        most_rows: The reading stops when there are more.
        most_bytes: And when it would take more.

    Raises:
        Measured: A message is not what it says.

    """
    rows = size = 0
    for number, message in enumerate(messages):
        if number >= MOST_MESSAGES:
            raise Measured
        if message.type not in {_RECORD_BATCH, _DICTIONARY}:
            continue
        try:
            length, unpacked = _batch(memoryview(message.metadata), message.type, message.body)
        except (struct.error, IndexError, OverflowError):
            raise Measured from None
        rows += length if message.type == _RECORD_BATCH else 0
        size += unpacked
        if rows > most_rows or size > most_bytes:
            break
    return rows, size


def _batch(metadata: memoryview, kind: str, body: Any) -> tuple[int, int]:
    table = _table(metadata, 0)
    header = _follow(metadata, table, _HEADER)
    if kind == _DICTIONARY and header is not None:
        header = _follow(metadata, header, _DATA_OF_DICTIONARY)
    if header is None:
        raise Measured
    place = _field(metadata, header, _LENGTH)
    length = 0 if place is None else struct.unpack_from("<q", metadata, place)[0]
    if length < 0:
        raise Measured
    for node_length, nulls in _pairs(metadata, header, _NODES):
        if not 0 <= nulls <= node_length <= max(length, 0):
            raise Measured
    content = memoryview(body if body is not None else b"")
    if _follow(metadata, header, _COMPRESSION) is None:
        return length, len(content)
    size = 0
    for offset, taken in _pairs(metadata, header, _BUFFERS):
        if taken == 0:
            continue
        if offset < 0 or taken < 8 or offset + taken > len(content):
            raise Measured
        declared = struct.unpack_from("<q", content, offset)[0]
        if declared < _NOT_COMPRESSED:
            raise Measured
        size += taken if declared == _NOT_COMPRESSED else declared
    return length, size


def _pairs(data: memoryview, table: int, field: int) -> Iterator[tuple[int, int]]:
    """Yield the structs of two 64-bit numbers in a vector."""
    place = _follow(data, table, field)
    if place is None:
        return
    count = struct.unpack_from("<I", data, place)[0]
    if place + 4 + 16 * count > len(data):
        raise Measured
    yield from struct.iter_unpack("<qq", data[place + 4 : place + 4 + 16 * count])


def _table(data: memoryview, place: int) -> int:
    return place + int(struct.unpack_from("<I", data, place)[0])


def _field(data: memoryview, table: int, field: int) -> int | None:
    """Return where a field of a table is; ``None`` if it is not there."""
    entries = table - int(struct.unpack_from("<i", data, table)[0])
    size = struct.unpack_from("<H", data, entries)[0]
    at = 4 + 2 * field
    if at >= size:
        return None
    offset = int(struct.unpack_from("<H", data, entries + at)[0])
    return table + offset if offset else None


def _follow(data: memoryview, table: int, field: int) -> int | None:
    place = _field(data, table, field)
    return None if place is None else _table(data, place)
