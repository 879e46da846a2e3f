"""The few forms of Markdown that the reference pages share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.text import LANGUAGES, Language, Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

NOTICE: Final = "<!-- Made from the code by `make docs`: change the words there. -->"
LANGUAGE_NAMES: Final[dict[Language, str]] = {"en": "English", "ja": "日本語"}


def page_name(stem: str, language: Language) -> str:
    """Return the file name of a page: ``contract.md`` in English, ``contract.ja.md`` in Japanese."""
    return f"{stem}.md" if language == "en" else f"{stem}.{language}.md"


def head(title: Text, stem: str, language: Language) -> Iterator[str]:
    """Yield the lines that begin a page: the notice, the title, and the way to the other language.

    Args:
        title: The title of the page.
        stem: The last part of its name, without language and ending.
        language: The language of the page.

    """
    others = (f"[{LANGUAGE_NAMES[each]}]({page_name(stem, each)})" for each in LANGUAGES if each != language)
    yield from (NOTICE, "", f"# {title.of(language)}", "", " · ".join((LANGUAGE_NAMES[language], *others)), "")


def table(headings: Sequence[Text], rows: Iterable[Sequence[str]], language: Language) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"| {' | '.join(heading.of(language) for heading in headings)} |"
    yield f"|{' --- |' * len(headings)}"
    for row in rows:
        yield f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in row)} |"


def code(words: str) -> str:
    """Return ``words`` as code inside a sentence."""
    mark = "``" if "`" in words else "`"
    return f"{mark}{words}{mark}"
