"""The documents that people read: whole, true to the code, and the same in both languages."""

from __future__ import annotations

import re
import shlex
import unicodedata
from pathlib import Path

import pytest

import sekisho
from sekisho.cli.main import VERBS
from sekisho.contract.keys import tables
from sekisho.documents.reference.command_page import help_pages

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
PAIRS = [(path, path.with_name(f"{path.stem}.ja.md")) for path in DOCUMENTS if not path.name.endswith(".ja.md")]
ENGLISH_ONLY = {"AGENTS.md", "CHANGELOG.md"}
"""Documents for programmers; the records in docs/decisions are too."""
WRITTEN = ["README", "CONTRIBUTING", "docs/tutorial", "docs/writing-a-check"]
"""What is written by hand, in both languages."""


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def without_code(text: str) -> str:
    return re.sub(r"(?ms)^```.*?^```$", "", text)


def headings(text: str) -> list[str]:
    return re.findall(r"(?m)^(#+ .*)$", without_code(text))


def commands(text: str) -> list[str]:
    """Return every command that a document says to type, in order, without the comments behind them."""
    blocks = re.findall(r"(?ms)^```(?:console|bash|sh)\n(.*?)^```$", text)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [line.partition("  #")[0].strip() for line in lines]


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    words = heading.lstrip("#").strip().lower()
    kept = "".join(each for each in words if each in " -_" or unicodedata.category(each)[0] in "LNM")
    return kept.replace(" ", "-")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: name_of(pair[0]))
def test_every_document_has_its_twin(pair: tuple[Path, Path]) -> None:
    english, japanese = pair
    if english.name in ENGLISH_ONLY or "decisions" in english.parts:
        assert not japanese.exists()
        return
    assert japanese.exists()
    one, other = text_of(english), text_of(japanese)
    assert [each.split()[0] for each in headings(one)] == [each.split()[0] for each in headings(other)]
    assert commands(one) == commands(other)
    assert len(re.findall(r"(?m)^```", one)) == len(re.findall(r"(?m)^```", other))
    assert one.count("\n| ") == other.count("\n| ")


def test_what_is_written_by_hand_is_there() -> None:
    assert [stem for stem in WRITTEN if not (ROOT / f"{stem}.md").exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_link_inside_leads_somewhere(path: Path) -> None:
    text = without_code(text_of(path))
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        if (
            not found.exists()
            or not found.is_relative_to(ROOT)
            or (anchor and anchor not in {slug(each) for each in headings(text_of(found))})
        ):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_nothing_speaks_of_one_machine(path: Path) -> None:
    assert not re.search(r"/(work|root|home|tmp/s)/", text_of(path))


# --- the code and its documents ---


@pytest.mark.parametrize("language", ["", ".ja"])
def test_every_verb_and_public_name_is_told_of(language: str) -> None:
    told = "".join(text_of(ROOT / f"{stem}{language}.md") for stem in WRITTEN)
    assert [verb for verb in VERBS if not re.search(rf"\bsekisho {verb}\b", told)] == []
    names = [name for name in sekisho.__all__ if not name.startswith("_")]
    assert [name for name in names if not re.search(rf"\b(sekisho\.)?{name}\b", told)] == []


@pytest.mark.parametrize("language", ["", ".ja"])
def test_every_key_of_the_contract_is_told_of(language: str) -> None:
    told = text_of(ROOT / "docs" / f"contract{language}.md")
    assert [key.name for table in tables() for key in table.keys if f"`{key.short_name}`" not in told] == []


def test_every_command_that_is_shown_exists_with_its_options() -> None:
    pages = {" ".join(words): page for words, page in help_pages("en")}
    wrong = []
    for path in DOCUMENTS:
        for line in commands(text_of(path)):
            words = [each for each in shlex.split(line) if each != "|"]
            if "sekisho" not in words:
                continue
            words = words[words.index("sekisho") + 1 :]
            words = words[: next((place for place, each in enumerate(words) if each in {"&", "&&", ";", ">"}), None)]
            command = max((each for each in pages if words[: len(each.split())] == each.split()), key=len)
            page = pages[command] + pages[""]
            if not command and words and not words[0].startswith("-"):
                wrong.append(f"{name_of(path)}: {line}")
            wrong += [
                f"{name_of(path)}: {line}: {each}"
                for each in words
                if re.fullmatch(r"-[A-Za-z]|--[a-z-]+(=.*)?", each)
                and not re.search(rf"(?<![\w-]){re.escape(each.partition('=')[0])}(?![\w-])", page)
            ]
    assert wrong == []


def test_every_make_target_that_is_shown_exists() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", text_of(ROOT / "Makefile")))
    shown = {target for path in DOCUMENTS for target in re.findall(r"`make ([a-z-]+)`", text_of(path))}
    shown |= {line.split()[1] for path in DOCUMENTS for line in commands(text_of(path)) if line.startswith("make ")}
    assert shown - targets == set()
    assert {"demo", "test"} <= shown


@pytest.mark.parametrize("name", ["README.md", "README.ja.md"])
def test_the_readme_tells_the_exit_codes(name: str) -> None:
    rows = re.findall(r"(?m)^\| `?(\d+)`? \|", text_of(ROOT / name))
    assert rows == ["0", "1", "2", "3", "130", "141", "143"]


def test_the_changelog_begins_with_this_version() -> None:
    text = text_of(ROOT / "CHANGELOG.md")
    versions = re.findall(r"(?m)^## \[([^\]]+)\]", text)
    assert versions[0] in {"Unreleased", sekisho.__version__}
    assert "keepachangelog.com" in text
