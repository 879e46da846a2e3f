"""What a setting may be, said in both languages, and without what it was: that may be a password that got into the wrong place."""

from __future__ import annotations

import re
from typing import Any, Final, Literal, get_args, get_origin

import msgspec

from sekisho.text import Text, verbatim

_EXPECTED: Final = re.compile(r"Expected (?P<what>.+?)(?:, got `[^`]*`)?(?: - at `(?P<place>[^`]*)`)?$")


def wanted(error: msgspec.ValidationError, kind: Any) -> Text:
    """Return what could stand where something else did.

    Args:
        error: What was wrong.
        kind: The type of the setting.

    """
    found = _EXPECTED.match(str(error))
    if found is not None:
        place = "" if found["place"] is None else f" ({found['place']})"
        return Text(en=f"it must be: {found['what']}{place}", ja=f"次の形で指定してください: {found['what']}{place}")
    words = _words(kind)
    if words:
        shown = ", ".join(words)
        return Text(en=f"use one of: {shown}", ja=f"次から選んでください: {shown}")
    return verbatim("sekisho serve --help")


def _words(kind: Any) -> list[str]:
    """Return the words that may stand in a value, or the names of its fields."""
    if get_origin(kind) is Literal:
        return list(map(str, get_args(kind)))
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [field.name for field in msgspec.structs.fields(kind)]
    return [word for one in get_args(kind) for word in _words(one)]
