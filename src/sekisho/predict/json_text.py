"""JSON as callers send it, read by the letter (RFC 8259): UTF-8, no byte order mark, no NaN, no key twice.

msgspec reads nearly every request, and this module those that it refused or that may hold a key twice, so that the answer can say why.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any, Final, NoReturn

import msgspec

from sekisho.errors import InvalidInput
from sekisho.text import Text

_LONG_NUMBER: Final = re.compile(rb"[0-9]{19}")
"""What may be a whole number beyond 64 bits, of which msgspec would make a float."""
_REMEDY: Final = Text(
    en="send JSON as in RFC 8259, in UTF-8 without a byte order mark",
    ja="RFC 8259 に従った JSON を、BOM なしの UTF-8 で送ってください",
)


def parse(body: bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        InvalidInput: It is not JSON (``malformed_json``), or an object names a key twice (``duplicate_key``).

    """
    if _LONG_NUMBER.search(body) is None:
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            value = msgspec.json.decode(body)
            if _count_keys(value) == body.count(b":"):
                return value  # as many colons as keys: none stands twice
    try:
        value = _decoder.decode(body.decode("utf-8"))
        if b"\\u" in body:
            json.dumps(value, ensure_ascii=False).encode()  # an escape may stand for half a character
        return value
    except (UnicodeDecodeError, UnicodeEncodeError):
        raise _malformed(Text(en="the body is not UTF-8", ja="本文が UTF-8 ではありません")) from None
    except RecursionError:
        raise _malformed(Text(en="the body is nested too deeply", ja="本文の入れ子が深すぎます")) from None
    except json.JSONDecodeError as error:
        place = Text(
            en=f"the body is not JSON at character {error.pos}",
            ja=f"本文の {error.pos} 文字目が JSON として正しくありません",
        )
        raise _malformed(place) from None
    except ValueError:
        # Python refuses whole numbers of thousands of digits.
        raise _malformed(Text(en="a number has too many digits", ja="桁数の多すぎる数値があります")) from None


def check_keys(body: bytes, *, at_most: int) -> None:
    """Refuse a body in which a key may stand twice.

    Args:
        body: A JSON text that has been read already.
        at_most: How many keys it has if none stands twice. Each needs a colon, so fewer colons prove that there are no more.

    Raises:
        InvalidInput: A key does stand twice (``duplicate_key``).

    """
    if body.count(b":") > at_most:
        parse(body)


def _count_keys(value: object) -> int:
    if isinstance(value, dict):
        return len(value) + sum(_count_keys(one) for one in value.values() if type(one) in {dict, list})
    if isinstance(value, list):
        return sum(_count_keys(one) for one in value if type(one) in {dict, list})
    return 0


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidInput(
            "duplicate_key",
            Text(en="an object names a key twice", ja="オブジェクトのキーが重複しています"),
            Text(en="send every key once", ja="キーは1回だけ送ってください"),
        )
    return found


def _constant(name: str) -> NoReturn:
    raise _malformed(Text(en=f"{name} is not JSON", ja=f"{name} は JSON の値ではありません"))


def _malformed(what: Text) -> InvalidInput:
    return InvalidInput("malformed_json", what, _REMEDY)


_decoder: Final = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant)
