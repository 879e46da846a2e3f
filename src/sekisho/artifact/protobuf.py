"""Looking into a serialized ONNX model without the onnx library: whether it is one, and whether it points outside itself.

Field numbers are those of ``onnx.proto``; the wire format is that of Protocol Buffers
(https://protobuf.dev/programming-guides/encoding/).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_VARINT, _FIXED64, BYTES, _FIXED32 = 0, 1, 2, 5

_MODEL_FIELDS: Final = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
"""Every field of ``ModelProto``, with its wire type."""
_GRAPH, _OPSETS = 7, 8

_INSIDE: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
"""Which fields of a message can hold a tensor, and as what."""
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_KEY: Final = b"location"
"""Every tensor kept outside names its file under this key."""


class NotProtobuf(ValueError):
    """The bytes do not follow the wire format."""


def is_onnx(data: bytes) -> bool:
    """Return whether ``data`` is, whole and from its first byte, a ``ModelProto``."""
    seen = set()
    try:
        for field, wire, _, _ in fields(memoryview(data), 0, len(data)):
            if _MODEL_FIELDS.get(field) != wire:
                return False
            seen.add(field)
    except NotProtobuf:
        return False
    return {_GRAPH, _OPSETS} <= seen


def has_external_data(data: bytes) -> bool:
    """Return whether some tensor of the model lies in another file. ``data`` must be a ``ModelProto``.

    Raises:
        NotProtobuf: A message inside is damaged.

    """
    if _KEY not in data:
        return False
    view = memoryview(data)
    waiting = [("model", 0, len(data))]
    while waiting:
        message, start, end = waiting.pop()
        inside = _INSIDE[message]
        for field, wire, first, last in fields(view, start, end):
            if message == "tensor" and (field == _EXTERNAL_DATA or (field == _DATA_LOCATION and first != last)):
                return True
            if wire == BYTES and field in inside:
                waiting.append((inside[field], first, last))
    return False


def fields(data: memoryview, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield number, wire type, and begin and end of the content of each field; of a varint, its value and 0."""
    position = start
    while position < end:
        tag, position = _varint(data, position, end)
        field, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, position = _varint(data, position, end)
            yield field, wire, value, 0
            continue
        if wire == BYTES:
            size, position = _varint(data, position, end)
        elif wire in {_FIXED64, _FIXED32}:
            size = 8 if wire == _FIXED64 else 4
        else:
            raise NotProtobuf
        if position + size > end:
            raise NotProtobuf
        yield field, wire, position, position + size
        position += size


def _varint(data: memoryview, position: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while position < end and shift < 70:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
        shift += 7
    raise NotProtobuf
