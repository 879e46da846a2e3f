"""Reading TOML so that every mistake of syntax is found at once, each with its line and words a person can use.

The standard library stops at the first mistake. Here the statement that holds it is noted and left out, and the rest is
read again: a section whose header is broken is left out whole, and after a value that is never closed reading goes on
where the next statement seems to begin.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import Any, Final

from sekisho.contract.places import Place, dotted, statements
from sekisho.text import Text

MOST_FAULTS: Final = 50
MOST_DOTS: Final = 500
"""Dots that a line may have: reading a key takes time that grows with the square of its parts."""
MOST_EFFORT: Final = 4_000_000
"""Characters that may be read, over and over, to find every mistake."""

_HEADER: Final = re.compile(r"""\s*\[{1,2}\s*[A-Za-z_"']""")
_BEGINNING: Final = re.compile(r"""\s*($|#|\[{1,2}\s*[A-Za-z_"']|[\w."' -]+=)""")
"""What a line looks like that begins a statement."""

_CLOSE: Final = Text(
    en="close every quotation mark, bracket and brace; text of several lines stands in three quotation marks",
    ja="引用符と括弧を閉じてください。複数行の文字列は引用符3つで囲みます",
)
_KINDS: Final[tuple[tuple[str, Text, Text], ...]] = (
    (
        "Unclosed|Unterminated|Illegal character '\\\\n'|Expected \"'\"|Expected '\"|Expected '\\]'|Expected '\\]\\]'",
        Text(en="something is opened and never closed", ja="閉じられていない箇所があります"),
        _CLOSE,
    ),
    (
        "Expected '='|Invalid initial character|Invalid statement",
        Text(en="this is neither a section nor a key with its value", ja="セクションでも「キー = 値」でもありません"),
        Text(en='write [section] or key = "value"', ja='[section] または key = "value" と書いてください'),
    ),
    (
        "Invalid value|Invalid date|Exceeds",
        Text(en="this value cannot be read", ja="値を読み取れません"),
        Text(
            en='text stands in quotation marks ("text"), lists in brackets; true and false are in lower case',
            ja='文字列は引用符で囲み ("text")、配列は角括弧で書きます。true と false は小文字です',
        ),
    ),
    (
        "Expected newline",
        Text(en="something stands behind the value", ja="値の後ろに余分なものがあります"),
        Text(
            en='one key a line, text in quotation marks ("text"), a day as 2027-03-31',
            ja='1行に1つのキーを書き、文字列は引用符で囲み ("text")、日付は 2027-03-31 のように書いてください',
        ),
    ),
    (
        "Unescaped|Invalid hex|Escaped character",
        Text(en="a backslash in this text stands for nothing", ja="文字列の中の \\ の使い方が正しくありません"),
        Text(
            en="write \\\\, or put the text in single quotation marks", ja="\\\\ と書くか、文字列を ' で囲んでください"
        ),
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntaxFault:
    """One mistake of syntax: the line, from 1, what it is, and what to do."""

    line: int
    what: Text
    remedy: Text


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What could be read of a document.

    Attributes:
        data: The document without the statements that have mistakes; ``None`` when nothing can be said of the rest.
        text: The text that ``data`` was read from, with those statements left blank.
        faults: Every mistake of syntax, in the order of the lines.

    """

    data: dict[str, Any] | None
    text: str
    faults: tuple[SyntaxFault, ...] = field(default=())


def read_toml(text: str) -> Reading:
    """Read a TOML document (v1.0.0) with every mistake of syntax."""
    text = text.replace("\r\n", "\n")
    crowded = [number for number, line in enumerate(text.split("\n"), 1) if line.count(".") > MOST_DOTS]
    if crowded:
        return Reading(data=None, text=text, faults=(_too_deep(crowded[0]),))
    return _Reader(text).read()


class _Reader:
    """Reads one document again and again, leaving out what is broken."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.faults: list[SyntaxFault] = []
        self.effort = MOST_EFFORT

    def read(self) -> Reading:
        while True:
            text = "\n".join(self.lines)
            try:
                return Reading(data=self.loads(text), text=text, faults=tuple(self.faults))
            except RecursionError:
                self.faults.append(_too_deep(1))
            except ValueError as error:
                if self.leave_out(error):
                    continue
            return Reading(data=None, text=text, faults=tuple(self.faults))

    def loads(self, text: str) -> dict[str, Any]:
        self.effort -= len(text)
        return tomllib.loads(text)

    def leave_out(self, error: ValueError) -> bool:
        """Note a mistake and blank the statement that holds it; return whether reading on makes sense."""
        seen = _line_of(error, self.lines)
        begun = self.beginning(seen)
        if begun is None:
            self.faults.append(_fault(error, self.lines, seen, seen))
            return False
        fault = _fault(error, self.lines, begun, seen)
        self.faults.append(fault)
        last = seen - 1 if seen > begun and _BEGINNING.match(self.lines[seen - 1]) else seen
        if self.lines[begun - 1].lstrip().startswith("["):
            last = self.end(last, _HEADER)
        elif seen > begun or fault.remedy is _CLOSE:
            last = self.end(last, _BEGINNING)
        self.lines[begun - 1 : last] = [""] * (last - begun + 1)
        return len(self.faults) < MOST_FAULTS and self.effort > 0

    def beginning(self, seen: int) -> int | None:
        """Return the line on which the statement begins that went wrong on line ``seen``; ``None``: too far to look."""
        for line in range(seen, 0, -1):
            try:
                self.loads("\n".join(self.lines[: line - 1]))
            except ValueError:
                if self.effort < 0:
                    return None
            else:
                return line
        return None

    def end(self, line: int, stop: re.Pattern[str]) -> int:
        """Return the last line before the next one that looks like ``stop``."""
        while line < len(self.lines) and not stop.match(self.lines[line]):
            line += 1
        return line


def _line_of(error: ValueError, lines: list[str]) -> int:
    found = re.search(r"\(at line (\d+), column \d+\)$", str(error))
    if found:
        return int(found[1])
    if not isinstance(error, tomllib.TOMLDecodeError):  # a number of thousands of digits
        return max(range(1, len(lines) + 1), key=lambda number: len(lines[number - 1]))
    return max((number for number, line in enumerate(lines, 1) if line.strip()), default=1)


def _fault(error: ValueError, lines: list[str], begun: int, seen: int) -> SyntaxFault:
    said = str(error)
    if re.match("Cannot|Duplicate", said):
        return _stands_twice(lines, seen)
    plain = said.partition(" (at ")[0]
    what = Text(en=f"this is not TOML: {plain}", ja=f"TOML の構文に合いません: {plain}")
    remedy = Text(en="see https://toml.io", ja="https://toml.io/ja をご覧ください")
    for pattern, kind, mending in _KINDS:
        if re.match(pattern, said):
            what, remedy = kind, mending
            break
    if seen > begun:
        what = Text(en=f"{what.en} (seen on line {seen})", ja=f"{what.ja} ({seen}行目で判明)")
        remedy = _CLOSE
    return SyntaxFault(line=begun, what=what, remedy=remedy)


def _stands_twice(lines: list[str], line: int) -> SyntaxFault:
    """Name the key or section of ``line`` that stood before, and where."""
    remedy = Text(en="keep one of the two", ja="どちらか一方だけを残してください")
    try:
        found = statements("\n".join(lines[:line]))
    except ValueError:  # the line is in the middle of a list
        return SyntaxFault(
            line=line, what=Text(en="a key stands twice", ja="同じキーが2回書かれています"), remedy=remedy
        )
    first: dict[Place, int] = {}
    for place, number in found[:-1]:
        first.setdefault(place, number)
    last = found[-1][0]
    while last not in first:
        last = last[:-1]
    name = dotted(last)
    what = Text(
        en=f"{name} stands twice; first on line {first[last]}",
        ja=f"{name} が2回書かれています (最初は{first[last]}行目)",
    )
    return SyntaxFault(line=line, what=what, remedy=remedy)


def _too_deep(line: int) -> SyntaxFault:
    return SyntaxFault(
        line=line,
        what=Text(en="this is nested too deeply", ja="入れ子が深すぎます"),
        remedy=Text(en="a contract needs no more than three levels", ja="契約ファイルに必要な階層は3つまでです"),
    )
