"""Whether a file of a known structure is whole: walked from its first byte to its last, nothing rebuilt."""

from __future__ import annotations

import ast
import struct
from typing import Final

import msgspec

_FIXED: Final = {"i": 1, "U": 1, "I": 2, "l": 4, "L": 8, "d": 4, "D": 8, "C": 1, "T": 0, "F": 0, "Z": 0, "N": 0}
_INTEGERS: Final = {"i": ">b", "U": ">B", "I": ">h", "l": ">i", "L": ">q"}
_DEEPEST: Final = 64


class NotWhole(ValueError):
    """The bytes end too early, go on too long, or are not of this structure."""


def check_safetensors(data: bytes) -> None:
    """Walk a safetensors file: a length, a JSON header, and tensors that fill the rest without a gap.

    Source: https://github.com/huggingface/safetensors#format

    Raises:
        NotWhole: It is not one.

    """
    if len(data) < 10:
        raise NotWhole
    (size,) = struct.unpack("<Q", data[:8])
    if not 2 <= size <= min(len(data) - 8, 100_000_000) or data[8:9] != b"{":
        raise NotWhole
    try:
        header = msgspec.json.decode(data[8 : 8 + size], type=dict[str, dict[str, object]])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotWhole from None
    end = 0
    for name, entry in header.items():
        offsets = entry.get("data_offsets")
        if name == "__metadata__":
            continue
        if not isinstance(offsets, list) or len(offsets) != 2 or not all(isinstance(place, int) for place in offsets):
            raise NotWhole
        end = max(end, offsets[1])
    if 8 + size + end != len(data):
        raise NotWhole


def is_safetensors(data: bytes) -> bool:
    """Return whether a file begins as safetensors do; its end may be missing."""
    if len(data) < 10:
        return False
    (size,) = struct.unpack("<Q", data[:8])
    return (
        2 <= size <= 100_000_000
        and data[8:10] in {b'{"', b"{}", b"{ "}
        and b"data_offsets" in data[8 : 8 + min(size, 10_000)]
    )


def array_holds_objects(data: bytes) -> bool:
    """Return whether a ``.npy`` file holds Python objects, which are pickles, and that it is whole otherwise.

    Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

    Raises:
        NotWhole: It is no ``.npy`` file, or cut off.

    """
    import numpy as np

    wide = data[6:7] in {b"\x02", b"\x03"}
    start = 12 if wide else 10
    if len(data) < start:
        raise NotWhole
    (size,) = struct.unpack("<I" if wide else "<H", data[8:start])
    try:
        header = ast.literal_eval(data[start : start + size].decode("latin-1").strip())
        dtype, shape = np.dtype(header["descr"]), header["shape"]
        cells = int(np.prod(shape, dtype=np.int64))
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        raise NotWhole from None
    if dtype.hasobject:
        return True
    if len(data) != start + size + cells * dtype.itemsize:
        raise NotWhole
    return False


def check_ubjson(data: bytes) -> None:
    """Walk a UBJSON file, as XGBoost writes it, to its last byte.

    Source: https://ubjson.org (Draft 12)

    Raises:
        NotWhole: It is not one.

    """
    if _value(data, 0, 0) != len(data):
        raise NotWhole


def _value(data: bytes, place: int, depth: int) -> int:
    """Return where the value that begins at ``place`` ends."""
    kind = chr(_byte(data, place))
    place += 1
    if depth > _DEEPEST:
        raise NotWhole
    if kind in _FIXED:
        return _skip(data, place, _FIXED[kind])
    if kind in "SH":
        size, place = _integer(data, place)
        return _skip(data, place, size)
    if kind == "{":
        return _container(data, place, depth, keys=True)
    if kind == "[":
        return _container(data, place, depth, keys=False)
    raise NotWhole


def _container(data: bytes, place: int, depth: int, *, keys: bool) -> int:
    element = None
    if _byte(data, place) == ord("$"):
        element, place = chr(_byte(data, place + 1)), place + 2
    if _byte(data, place) != ord("#"):
        end = ord("}" if keys else "]")
        while _byte(data, place) != end:
            place = _value(data, _key(data, place) if keys else place, depth + 1)
        return place + 1
    count, place = _integer(data, place + 1)
    if element in _FIXED and not keys:
        return _skip(data, place, count * _FIXED[element])
    for _ in range(count):
        place = _key(data, place) if keys else place
        place = _skip(data, place, _FIXED[element]) if element in _FIXED else _value(data, place, depth + 1)
    return place


def _key(data: bytes, place: int) -> int:
    size, place = _integer(data, place)
    return _skip(data, place, size)


def _integer(data: bytes, place: int) -> tuple[int, int]:
    form = _INTEGERS.get(chr(_byte(data, place)))
    if form is None:
        raise NotWhole
    end = _skip(data, place + 1, struct.calcsize(form))
    (value,) = struct.unpack(form, data[place + 1 : end])
    if value < 0:
        raise NotWhole
    return value, end


def _byte(data: bytes, place: int) -> int:
    if place >= len(data):
        raise NotWhole
    return data[place]


def _skip(data: bytes, place: int, size: int) -> int:
    if place + size > len(data):
        raise NotWhole
    return place + size
