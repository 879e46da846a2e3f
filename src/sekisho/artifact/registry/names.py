"""What models, versions and aliases may be called, and how one of them is asked for: ``NAME@VERSION`` or ``NAME@ALIAS``.

One rule for all: plain letters, digits, dots, dashes and underscores (a version also takes ``+``), begun by a letter or digit, not ended by a dot,
and none of the names that Windows keeps for devices. So a name is one folder on every file system, one word on every command line, and looks
like no other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from sekisho.errors import WrongUse
from sekisho.text import Text

Kind = Literal["name", "version", "alias"]
_SHAPES: Final = {
    "name": re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"),
    "version": re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,63}"),
    "alias": re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}"),
}
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_WORDS: Final = {
    "name": Text(en="a model's name", ja="モデル名"),
    "version": Text(en="a version", ja="バージョン"),
    "alias": Text(en="an alias", ja="エイリアス"),
}
_RULE: Final = {
    "name": Text(
        en="up to 100 letters, digits, dots, dashes and underscores", ja="英数字・ドット・ハイフン・下線で100文字以内"
    ),
    "version": Text(
        en="up to 64 letters, digits, dots, dashes, underscores and plus signs",
        ja="英数字・ドット・ハイフン・下線・プラスで64文字以内",
    ),
    "alias": Text(
        en="up to 64 letters, digits, dots, dashes and underscores, the first a letter",
        ja="英字で始まり、英数字・ドット・ハイフン・下線で64文字以内",
    ),
}


@dataclass(frozen=True, slots=True)
class Reference:
    """One version of one model, asked for by its number or by an alias."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def fits(kind: Kind, value: str) -> bool:
    """Return whether ``value`` keeps to the rule."""
    return _SHAPES[kind].fullmatch(value) is not None and not value.endswith(".") and not _DEVICES.fullmatch(value)


def check_name(kind: Kind, value: str) -> str:
    """Return ``value`` if it keeps to the rule.

    Raises:
        WrongUse: It does not; the error says the rule.

    """
    if fits(kind, value):
        return value
    words, rule = _WORDS[kind], _RULE[kind]
    raise WrongUse(
        Text(en=f"{value[:40]!a} cannot be {words.en}", ja=f"{value[:40]!a} は{words.ja}に使えません"),
        Text(
            en=f"use {rule.en}; begin with a letter or digit, do not end with a dot, and avoid CON, NUL and the like",
            ja=f"{rule.ja}で指定してください。先頭は英数字、末尾にドットは不可、CON や NUL などの予約名も使えません",
        ),
    )


def reference_of(text: str) -> Reference:
    """Return what ``NAME@VERSION`` or ``NAME@ALIAS`` asks for.

    Raises:
        WrongUse: It is neither.

    """
    name, at, version = text.partition("@")
    if not at:
        raise WrongUse(
            Text(en=f"{text[:80]!a} names no version", ja=f"{text[:80]!a} にバージョンの指定がありません"),
            Text(en="write NAME@VERSION or NAME@ALIAS", ja="NAME@VERSION または NAME@ALIAS の形で指定してください"),
        )
    return Reference(check_name("name", name), check_name("version", version))


def looks_like_reference(text: str) -> bool:
    """Return whether ``text`` has the form of ``NAME@VERSION``."""
    name, at, version = text.partition("@")
    return bool(at) and fits("name", name) and fits("version", version)
