"""Help pages in the caller's language, set for terminals where a Japanese character takes two cells.

The CLI library words its headings and a few descriptions itself, in English; this page setter words them again and
breaks Japanese text by its width and without leaving punctuation at the start of a line.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

import click

from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEADINGS: Final = {
    "Options": Text(en="Options", ja="オプション"),
    "Positional arguments": Text(en="Arguments", ja="引数"),
    "Commands": Text(en="Commands", ja="コマンド"),
}
SAYINGS: Final = (
    (r"Show this message and exit\.", Text(en="Show this help and exit", ja="このヘルプを表示して終了する")),
    (r"Show the version and exit\.", Text(en="Show the version and exit", ja="バージョンを表示して終了する")),
    (r"\[default: ", Text(en="[default: ", ja="[既定値: ")),
    (r"; default: ", Text(en="; default: ", ja="; 既定値: ")),
    (r"\[required\]", Text(en="[required]", ja="[必須]")),
    (r"; required\]", Text(en="; required]", ja="; 必須]")),
    (r"\[env var: ", Text(en="[env var: ", ja="[環境変数: ")),
)
NEVER_FIRST: Final = frozenset("、。，．）］｝」』】〉》・：；？！ーゃゅょっァィゥェォャュョッ,.)]}:;?!")
"""Characters that do not begin a line (JIS X 4051, the common part)."""
NEVER_LAST: Final = frozenset("（［｛「『【〈《([{")
"""Characters that do not end a line."""


class HelpPage(click.HelpFormatter):
    """Writes one help page in the language in use."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write how the command is called."""
        self.write(f"{prefix or Text(en='Usage: ', ja='使い方: ')}{prog} {args}".rstrip() + "\n")

    def write_heading(self, heading: str) -> None:
        """Write the heading of a part of the page."""
        super().write_heading(str(HEADINGS.get(heading, heading)))

    def write_text(self, text: str) -> None:
        """Write paragraphs; one that begins with a backspace mark keeps its lines, as the CLI library has it."""
        indent = " " * self.current_indent
        paragraphs = []
        for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
            kept, lines = _lines(paragraph, self.width - self.current_indent)
            paragraphs.append("\n".join(indent + (line if kept else line.strip()) for line in lines))
        self.write("\n\n".join(paragraphs) + "\n")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write terms and what they mean, in two columns."""
        pairs = [(term, say(meaning)) for term, meaning in rows]
        column = min(max(cells(term) for term, _ in pairs), col_max) + col_spacing
        margin = " " * self.current_indent
        for term, meaning in pairs:
            lines = list(wrap(meaning, max(self.width - self.current_indent - column, 10)))
            if lines and cells(term) <= column - col_spacing:
                self.write(f"{margin}{term}{' ' * (column - cells(term))}{lines.pop(0)}\n")
            else:
                self.write(f"{margin}{term}\n")
            for line in lines:
                self.write(f"{margin}{' ' * column}{line}\n")


class HelpContext(click.Context):
    """The context of every verb: its help pages are ours."""

    formatter_class = HelpPage


def speak(command: click.Command) -> click.Command:
    """Give ``command`` and its sub-commands help pages in the language in use; return it."""
    command.context_class = HelpContext
    for below in getattr(command, "commands", {}).values():
        speak(below)
    return command


def say(meaning: str) -> str:
    """Return a description with the CLI library's own words in the language in use."""
    for pattern, words in SAYINGS:
        meaning = re.sub(pattern, str(words), meaning)
    return meaning


def cells(text: str) -> int:
    """Return how many cells of a terminal ``text`` takes: two for a wide character, one for others."""
    return sum(0 if unicodedata.combining(each) else 2 if _is_wide(each) else 1 for each in text)


def wrap(text: str, width: int) -> Iterator[str]:
    """Break ``text`` into lines of at most ``width`` cells: between words, and between Japanese characters."""
    line = ""
    for token in _tokens(_joined(text)):
        if line and cells(line + token.rstrip()) > width:
            yield line.rstrip()
            line = token.lstrip()
        else:
            line += token
    if line.strip():
        yield line.rstrip()


def _joined(text: str) -> str:
    """Return ``text`` on one line: a line end is a blank, but not between two Japanese characters."""
    joined = ""
    for part in text.splitlines():
        words = " ".join(part.split())
        blank = "" if _is_wide(joined[-1:]) and _is_wide(words[:1]) else " "
        joined = f"{joined}{blank}{words}" if joined and words else joined + words
    return joined


def _lines(paragraph: str, width: int) -> tuple[bool, list[str]]:
    first, _, rest = paragraph.lstrip("\n").partition("\n")
    if first.strip() == "\b":
        return True, rest.splitlines()
    return False, list(wrap(paragraph, width))


def _tokens(text: str) -> list[str]:
    """Split where a line may break; a token keeps the blank after it and the punctuation that must follow it."""
    tokens: list[str] = []
    for each in text:
        before = tokens[-1] if tokens else ""
        glued = (
            each in NEVER_FIRST
            or each == " "
            or not (_ends(before) or (_is_wide(each) and before[-1:] not in NEVER_LAST))
        )
        if before and glued:
            tokens[-1] += each
        else:
            tokens.append(each)
    return tokens


def _ends(token: str) -> bool:
    """Return whether another token may begin after ``token``."""
    last = token[-1:]
    return last == " " or (last not in NEVER_LAST and _is_wide(last))


def _is_wide(character: str) -> bool:
    return character != "" and unicodedata.east_asian_width(character) in "WF"
