"""Writing YAML: whatever a value holds, it stays one value.

Strings that could be read as anything else are written in double quotes with every special character escaped (YAML 1.2.2,
chapter 5.7 and 7.3.1), so that a name with quotes, line breaks or YAML of its own is read back as the very same name, by
readers of YAML 1.1 as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

Yaml = Mapping[str, "Yaml"] | Sequence["Yaml"] | str | int | float | bool | None

_PLAIN: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*|[0-9]+(?:ms|[smhdg])")
_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_UNPRINTABLE: Final = re.compile('[\\\\"\x00-\x1f\x7f-\xa0\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]')


def to_yaml(value: Yaml) -> str:
    """Return ``value`` as a YAML document in block style, keys in their own order.

    Raises:
        ValueError: A number is not finite.

    """
    return "".join(f"{line}\n" for line in _block(value))


def quoted(text: str) -> str:
    """Return ``text`` as a YAML scalar: plain where that is safe, else in the quotes that need fewer escapes."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    if '"' in text and "'" not in text and text.isascii() and text.isprintable():
        return f"'{text}'"
    return '"' + _UNPRINTABLE.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    return _ESCAPES.get(character) or f"\\u{ord(character):04x}"


def _block(value: Yaml) -> Iterator[str]:
    """Yield the lines of a value that stands by itself."""
    if isinstance(value, Mapping) and value:
        for key, below in value.items():
            yield from _entry(f"{quoted(key)}:", below)
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        for below in value:
            first, *rest = _block(below)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    else:
        yield _scalar(value)


def _entry(key: str, value: Yaml) -> Iterator[str]:
    if isinstance(value, Mapping | Sequence) and not isinstance(value, str) and value:
        yield key
        yield from (f"  {line}" for line in _block(value))
    else:
        yield f"{key} {_scalar(value)}"


def _scalar(value: Yaml) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return _number(value)
        case str():
            return quoted(value)
        case Mapping():
            return "{}"
        case _:
            return "[]"


def _number(value: float) -> str:
    if value != value or value in {float("inf"), float("-inf")}:
        raise ValueError("a number that is not finite has no place in a deployment file")
    digits = repr(value)
    if "e" not in digits:
        return digits
    mantissa, exponent = digits.split("e")  # readers of YAML 1.1 want a point and a sign
    point = mantissa if "." in mantissa else f"{mantissa}.0"
    return f"{point}e{int(exponent):+03d}"
