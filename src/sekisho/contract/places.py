"""On which line each key of a TOML document stands.

The standard library reads TOML (v1.0.0) but does not say where. This scanner walks the text of a document that the
standard library has already accepted; it knows the shape of statements and skips values, without reading them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

Place = tuple[str | int, ...]
"""The way to a value: keys of tables and indexes of arrays, from the outside in."""

_BLANKS: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_BASIC: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL: Final = re.compile(r"'[^'\n]*'")
_MULTILINE_BASIC: Final = re.compile(r'"""(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*"{3,5}')
_MULTILINE_LITERAL: Final = re.compile(r"'''(?:[^']|'{1,2}(?!'))*'{3,5}")
_STRINGS: Final = (_MULTILINE_BASIC, _MULTILINE_LITERAL, _BASIC, _LITERAL)
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")
_ESCAPE: Final = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")
_ESCAPED: Final = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}


def find_places(text: str) -> dict[Place, int]:
    """Return the line, from 1, of every table, key and element of a TOML document.

    A table that several lines speak of stands where it is first named.

    Args:
        text: A valid TOML document.

    Raises:
        ValueError: The document is not valid; not every fault is seen.

    """
    places: dict[Place, int] = {}
    for place, line in statements(text):
        places.setdefault(place, line)
    return places


def statements(text: str) -> list[tuple[Place, int]]:
    """Return every table, key and element with its line, from 1, in the order of the document."""
    return _Scanner(text).scan()


def dotted(place: Place) -> str:
    """Return a place as people write it: ``waivers[0].box``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).removeprefix(".")


class _Scanner:
    """Reads one document from front to back; ``at`` is the index of the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self.found: list[tuple[Place, int]] = []
        self.lengths: dict[Place, int] = {}  # of the arrays of tables

    def scan(self) -> list[tuple[Place, int]]:
        table: Place = ()
        self.skip(_BLANKS)
        while self.at < len(self.text):
            if self.sees("["):
                table = self.header()
            else:
                self.pair(table)
            self.skip(_BLANKS)
        return self.found

    # What a document consists of

    def header(self) -> Place:
        """Read ``[a.b]`` or ``[[a.b]]`` and return the table that it opens."""
        line = self.line()
        brackets = 2 if self.text.startswith("[[", self.at) else 1
        self.at += brackets
        keys = self.keys()
        self.expect("]" * brackets)
        place: Place = ()
        for key in keys[:-1]:
            place = self.enter(place, key, line)
        if brackets == 1:
            return self.enter(place, keys[-1], line)
        array = (*place, keys[-1])
        self.found.append((array, line))
        self.lengths[array] = self.lengths.get(array, 0) + 1
        return self.enter(place, keys[-1], line)

    def enter(self, place: Place, key: str, line: int) -> Place:
        """Note a table below ``place``; of an array of tables, its newest."""
        inner: Place = (*place, key)
        if inner in self.lengths:
            inner = (*inner, self.lengths[inner] - 1)
        self.found.append((inner, line))
        return inner

    def pair(self, table: Place) -> None:
        """Read ``a.b = value``."""
        line = self.line()
        place = table
        for key in self.keys():
            place = (*place, key)
            self.found.append((place, line))
        self.expect("=")
        self.value(place)

    def value(self, place: Place) -> None:
        """Step over a value, noting the places inside it."""
        self.skip(_BLANKS)
        if self.sees("["):
            self.array(place)
        elif self.sees("{"):
            self.inline_table(place)
        elif not any(self.skip(string) for string in _STRINGS) and not self.skip(_SCALAR):
            raise self.surprise()

    def array(self, place: Place) -> None:
        self.expect("[")
        index = 0
        while not self.sees("]"):
            element: Place = (*place, index)
            self.found.append((element, self.line()))
            self.value(element)
            self.take(",")
            index += 1
        self.expect("]")

    def inline_table(self, place: Place) -> None:
        self.expect("{")
        while not self.sees("}"):
            self.pair(place)
            self.take(",")
        self.expect("}")

    def keys(self) -> list[str]:
        """Read a key of one or more parts."""
        parts = [self.key()]
        while self.take("."):
            parts.append(self.key())
        return parts

    def key(self) -> str:
        self.skip(_BLANKS)
        for kind in (_BARE, _BASIC, _LITERAL):
            found = kind.match(self.text, self.at)
            if found:
                self.at = found.end()
                return _key_of(found[0])
        raise self.surprise()

    # Single steps

    def skip(self, pattern: re.Pattern[str]) -> bool:
        """Step over ``pattern`` if it is there, and say whether it took any characters."""
        found = pattern.match(self.text, self.at)
        before, self.at = self.at, found.end() if found else self.at
        return self.at > before

    def sees(self, character: str) -> bool:
        self.skip(_BLANKS)
        return self.text.startswith(character, self.at)

    def take(self, word: str) -> bool:
        seen = self.sees(word)
        self.at += len(word) if seen else 0
        return seen

    def expect(self, word: str) -> None:
        if not self.take(word):
            raise self.surprise()

    def line(self) -> int:
        """Return the line of the next token."""
        self.skip(_BLANKS)
        return bisect_right(self.starts, self.at)

    def surprise(self) -> ValueError:
        return ValueError(f"line {self.line()} is not TOML")


def _key_of(written: str) -> str:
    """Return a key without its quotation marks and escapes."""
    if written[0] == "'":
        return written[1:-1]
    return _ESCAPE.sub(_unescape, written[1:-1]) if written[0] == '"' else written


def _unescape(found: re.Match[str]) -> str:
    code = found[1]
    return _ESCAPED.get(code) or chr(int(code[1:], 16))
