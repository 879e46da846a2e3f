"""Every verb explains itself in both languages, with an example."""

from __future__ import annotations

import re

import pytest

from sekisho.cli.help import cells
from sekisho.cli.main import VERBS
from sekisho.documents.reference.command_page import help_pages
from sekisho.text import Language

JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
EXAMPLE = {"en": "Example", "ja": "例"}


def pages(language: Language) -> dict[str, str]:
    """Return the help page of every verb and sub-command."""
    return {" ".join(words): page for words, page in help_pages(language) if words}


def _part(page: str, heading: str) -> str:
    return page.partition(f"\n{heading}:\n")[2].partition("\n\n")[0]


@pytest.fixture(scope="module")
def english() -> dict[str, str]:
    return pages("en")


@pytest.fixture(scope="module")
def japanese() -> dict[str, str]:
    return pages("ja")


def test_both_languages_know_the_same_commands(english: dict[str, str], japanese: dict[str, str]) -> None:
    assert english.keys() == japanese.keys()
    assert set(VERBS) < set(english)


def test_every_page_shows_an_example_of_its_own_command(english: dict[str, str], japanese: dict[str, str]) -> None:
    without = [
        f"{language}: {name}"
        for language, found in (("en", english), ("ja", japanese))
        for name, page in found.items()
        if EXAMPLE[language] not in page or not re.search(rf"(?m)^ +(\S+=\S+ )?sekisho {name}\b", page)
    ]
    assert without == []


def test_english_pages_are_english_and_japanese_pages_japanese(
    english: dict[str, str], japanese: dict[str, str]
) -> None:
    assert [name for name, page in english.items() if JAPANESE.search(page)] == []
    assert [name for name, page in japanese.items() if not JAPANESE.search(page)] == []


def test_every_option_and_command_is_explained(english: dict[str, str], japanese: dict[str, str]) -> None:
    unexplained = []
    for language, found, headings in (
        ("en", english, ("Options", "Commands")),
        ("ja", japanese, ("オプション", "コマンド")),
    ):
        for name, page in found.items():
            for heading in headings:
                lines = _part(page, heading).splitlines()
                for index, line in enumerate(lines):
                    term = re.match(r"^  (\S.*?)(?:  (.*))?$", line)
                    explained = term and (term[2] or (index + 1 < len(lines) and lines[index + 1].startswith("     ")))
                    if term and not explained:
                        unexplained.append(f"{language}: {name}: {term[1]}")
                    if language == "ja" and term and term[2] and not JAPANESE.search(term[2]) and "--" in term[1]:
                        unexplained.append(f"{language}: {name}: {line}")
    assert unexplained == []


def test_pages_hold_their_width(english: dict[str, str], japanese: dict[str, str]) -> None:
    wide = [
        f"{name}: {line}"
        for found in (english, japanese)
        for name, page in found.items()
        for line in page.splitlines()
        if cells(line) > 100 and not re.match(r" +sekisho ", line)  # an example is typed on one line
    ]
    assert wide == []
