"""UBJSON as XGBoost writes it: read without trust, and written."""

from __future__ import annotations

import struct
from typing import Any, Final

import numpy as np

MOST_DEPTH: Final = 16
MOST_ITEMS: Final = 100_000_000

_NUMBERS: Final = {"i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}
_MARKS: Final = {np.dtype(name).newbyteorder("="): mark for mark, name in _NUMBERS.items()}


class NotUbjson(ValueError):
    """The bytes are not UBJSON, or beyond the limits."""


def decode(data: bytes) -> Any:
    """Return the value in ``data``; typed arrays of numbers become NumPy arrays.

    Raises:
        NotUbjson: They are not one whole value, are too deep, or a key stands twice.

    """
    reader = _Reader(data)
    value = reader.value(reader.mark(), 0)
    if reader.at != len(data):
        raise NotUbjson("something follows the value")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        if size < 0 or size > len(self.data) - self.at:
            raise NotUbjson("it is cut off")
        self.at += size
        return self.data[self.at - size : self.at]

    def mark(self) -> str:
        return chr(self.take(1)[0])

    def length(self) -> int:
        mark = self.mark()
        if mark not in "iUIlL":
            raise NotUbjson("a length is no whole number")
        size = int(self.number(mark))
        if not 0 <= size <= MOST_ITEMS:
            raise NotUbjson("a length is beyond the limits")
        return size

    def number(self, mark: str) -> Any:
        kind = np.dtype(_NUMBERS[mark])
        return np.frombuffer(self.take(kind.itemsize), kind)[0].item()

    def text(self) -> str:
        try:
            return self.take(self.length()).decode("utf-8")
        except UnicodeDecodeError:
            raise NotUbjson("a string is not UTF-8") from None

    def value(self, mark: str, depth: int) -> Any:
        if depth > MOST_DEPTH:
            raise NotUbjson("it is nested too deep")
        if mark in _NUMBERS:
            return self.number(mark)
        match mark:
            case "S":
                return self.text()
            case "T" | "F":
                return mark == "T"
            case "Z":
                return None
            case "[":
                return self.array(depth + 1)
            case "{":
                return self.object(depth + 1)
        raise NotUbjson("an unknown mark")

    def array(self, depth: int) -> Any:
        mark = self.mark()
        if mark == "$":
            kind = self.mark()
            if kind not in _NUMBERS or self.mark() != "#":
                raise NotUbjson("a typed array of something else than numbers")
            dtype = np.dtype(_NUMBERS[kind])
            size = self.length()
            return np.frombuffer(self.take(size * dtype.itemsize), dtype).astype(dtype.newbyteorder("="))
        if mark == "#":
            return [self.value(self.mark(), depth) for _ in range(self.length())]
        found = []
        while mark != "]":
            found.append(self.value(mark, depth))
            mark = self.mark()
        return found

    def object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.data[self.at : self.at + 1] != b"}":
            key = self.text()
            if key in found:
                raise NotUbjson("a key stands twice")
            found[key] = self.value(self.mark(), depth)
        self.at += 1
        return found


def encode(value: Any) -> bytes:
    """Return ``value``, as :func:`decode` gives it, in the one form that XGBoost writes."""
    parts: list[bytes] = []
    _write(value, parts)
    return b"".join(parts)


def _write(value: Any, parts: list[bytes]) -> None:
    if isinstance(value, dict):
        parts.append(b"{")
        for key, item in value.items():
            parts.append(_counted(key.encode()))
            _write(item, parts)
        parts.append(b"}")
    elif isinstance(value, np.ndarray):
        mark = _MARKS[value.dtype]
        parts.append(b"[$" + mark.encode() + b"#L" + struct.pack(">q", len(value)))
        parts.append(value.astype(value.dtype.newbyteorder(">")).tobytes())
    elif isinstance(value, list):
        parts.append(b"[#L" + struct.pack(">q", len(value)))
        for item in value:
            _write(item, parts)
    elif isinstance(value, str):
        parts.append(b"S" + _counted(value.encode()))
    elif value is None or isinstance(value, bool):
        parts.append({None: b"Z", True: b"T", False: b"F"}[value])
    elif isinstance(value, int):
        parts.append(b"L" + struct.pack(">q", value))
    else:
        parts.append(b"D" + struct.pack(">d", value))


def _counted(text: bytes) -> bytes:
    return b"L" + struct.pack(">q", len(text)) + text
