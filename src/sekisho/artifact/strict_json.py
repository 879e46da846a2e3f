"""JSON that can be read one way only: how the files of an artifact are written, and how they are read back.

Written: keys sorted, no blanks, UTF-8. Read: no duplicate keys, no NaN, bounded size and depth, exactly the fields of a type.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, TypeVar

import msgspec

from sekisho.errors import IntegrityError
from sekisho.text import Text

MOST_BYTES: Final = 64 * 1024 * 1024
MOST_DEPTH: Final = 32
MOST_PARTS: Final = 4_000_000
"""Commas, brackets that open, and pairs of quotes: a text of few bytes could else stand for many objects."""

StructT = TypeVar("StructT")

_MOST_DIGITS: Final = 400
_OTHERS: Final = bytes(set(range(256)) - set(b'[]{}"'))
_STRINGS: Final = re.compile(rb'"[^"]*"')
_BRACKETS: Final = re.compile(rb"[\[\]{}]+")


def encode(value: object) -> bytes:
    """Return the one JSON text of ``value``."""
    return msgspec.json.encode(value, order="sorted")


def decode(data: bytes, kind: type[StructT], *, where: str, most_bytes: int = MOST_BYTES) -> StructT:
    """Return the ``kind`` that ``data`` holds.

    Args:
        data: The whole file.
        kind: A msgspec struct, or any type that msgspec can convert to.
        where: The name of the file, for the error.
        most_bytes: What is refused unread.

    Raises:
        IntegrityError: It is too large or too deep, is not JSON, repeats a key, holds NaN or infinity, or has fields that the
            type does not have.

    """
    if len(data) > most_bytes:
        raise _refused(where, Text(en=f"larger than {most_bytes:,} bytes", ja=f"{most_bytes:,} バイトを超えています"))
    if sum(data.count(mark) for mark in (b",", b"[", b"{")) + data.count(b'"') // 2 > MOST_PARTS:
        raise _refused(where, Text(en=f"more than {MOST_PARTS:,} values", ja=f"値が {MOST_PARTS:,} 個を超えています"))
    if _depth(data) > MOST_DEPTH:
        raise _refused(where, Text(en=f"nested deeper than {MOST_DEPTH}", ja=f"入れ子が {MOST_DEPTH} 段を超えています"))
    try:
        plain = json.loads(
            data, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite, parse_int=_bounded
        )
        return msgspec.convert(plain, kind, strict=True)
    except msgspec.ValidationError as error:
        raise _refused(where, Text(en=str(error), ja=f"型が合いません: {error}")) from None
    except _Refusal as error:
        raise _refused(where, error.text) from None
    except (ValueError, RecursionError):
        raise _refused(where, Text(en="not JSON", ja="JSON ではありません")) from None


class _Refusal(Exception):
    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self.text = text


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Refusal(Text(en="a key stands twice", ja="同じキーが2回あります"))
    return found


def _no_constant(word: str) -> None:
    raise _Refusal(Text(en=f"{word} is not a number", ja=f"{word} は数値ではありません"))


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise _Refusal(Text(en="a number is beyond all bounds", ja="大きすぎる数値があります"))
    return number


def _bounded(word: str) -> int:
    if len(word) > _MOST_DIGITS:
        raise _Refusal(Text(en="a number is beyond all bounds", ja="大きすぎる数値があります"))
    return int(word)


def _depth(data: bytes) -> int:
    deepest = depth = 0
    bare = data.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, delete=_OTHERS)
    for brackets in _BRACKETS.finditer(_STRINGS.sub(b"", bare)):
        for bracket in brackets[0]:
            depth += 1 if bracket in b"[{" else -1
            deepest = max(deepest, depth)
            if deepest > MOST_DEPTH:
                return deepest
    return deepest


def _refused(where: str, what: Text) -> IntegrityError:
    return IntegrityError(what, Text(en="pack the artifact again", ja="成果物をパックし直してください"), where=where)
