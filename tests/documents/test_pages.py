"""The pages of reference: complete, in both languages, and up to date in ``docs/``."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sekisho.cli.main import VERBS
from sekisho.contract.boxes import BOXES
from sekisho.contract.keys import tables
from sekisho.documents.pages import reference_pages, write_pages
from sekisho.documents.reference.markdown import NOTICE, page_name, table
from sekisho.gate.check import SECTIONS
from sekisho.text import Text, verbatim

DOCS = Path(__file__).parents[2] / "docs"
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return reference_pages()


def test_every_page_is_up_to_date(pages: dict[str, str]) -> None:
    stale = [
        name
        for name, text in pages.items()
        if not (DOCS / name).exists() or (DOCS / name).read_text(encoding="utf-8") != text
    ]
    assert stale == [], "run `make docs`"


def test_no_page_is_left_of_what_is_no_more(pages: dict[str, str]) -> None:
    made = {
        str(path.relative_to(DOCS))
        for path in DOCS.rglob("*.md")
        if path.read_text(encoding="utf-8").startswith(NOTICE)
    }
    assert made == set(pages)


def test_every_section_and_key_of_the_contract_has_its_row(pages: dict[str, str]) -> None:
    for name in ("contract.md", "contract.ja.md"):
        sections = dict(re.findall(r"(?ms)^## `?\[{0,2}([^\]`\n]*)\]{0,2}`?\n(.*?)(?=^## |\Z)", pages[name]))
        for section in tables():
            body = sections[section.name] if section.name else next(iter(sections.values()))
            assert re.findall(r"(?m)^\| `(\w+)` \|", body) == [key.short_name for key in section.keys]


def test_every_box_has_a_page_that_says_all_of_it(pages: dict[str, str]) -> None:
    for box in BOXES:
        for language, headings in (
            ("en", ("Why", "How it is measured", "What to do when it fails", "Prove it")),
            ("ja", ("なぜ必要か", "測り方", "不合格のときの対処", "判定する")),
        ):
            page = pages[f"boxes/{box}.md" if language == "en" else f"boxes/{box}.ja.md"]
            for heading in headings:
                body = page.partition(f"\n## {heading}\n\n")[2].partition("\n\n")[0]
                assert body, f"{box}: {heading}"
            assert f"$ sekisho check {box}" in page


def test_the_index_lists_every_box_by_section(pages: dict[str, str]) -> None:
    for name in ("boxes/README.md", "boxes/README.ja.md"):
        assert re.findall(r"\| `([\w/-]+)` \|", pages[name])[: len(BOXES)] == list(BOXES)
        assert pages[name].count("\n## ") == len(SECTIONS)


def test_every_command_shows_its_help(pages: dict[str, str]) -> None:
    for name, usage in (("cli.md", "Usage"), ("cli.ja.md", "使い方")):
        headings = re.findall(r"(?m)^## sekisho ?(.*)$", pages[name])
        assert set(VERBS) < set(headings)
        for heading in headings:
            assert f"{usage}: " + " ".join(f"sekisho {heading}".split()) in pages[name]


def test_both_languages_have_the_same_pages_in_their_own_words(pages: dict[str, str]) -> None:
    english = {name for name in pages if not name.endswith(".ja.md")}
    assert {name.removesuffix(".md") + ".ja.md" for name in english} == set(pages) - english
    for name in english:
        assert not JAPANESE.search(pages[name].replace("日本語", "")), name
        assert JAPANESE.search(pages[name.removesuffix(".md") + ".ja.md"].replace("日本語", "")), name
        levels = [re.findall(r"(?m)^(#+) ", pages[each]) for each in (name, name.removesuffix(".md") + ".ja.md")]
        assert levels[0] == levels[1], name


def test_a_page_of_a_box_that_is_no_more_is_removed_and_others_are_kept(tmp_path: Path) -> None:
    shutil.copytree(DOCS / "boxes", tmp_path / "boxes")
    old = tmp_path / "boxes" / "quality" / "old.md"
    old.write_text(f"{NOTICE}\n")
    mine = tmp_path / "boxes" / "mine.md"
    mine.write_text("# Mine\n")
    written = write_pages(tmp_path)
    assert not old.exists()
    assert mine.exists()
    assert all(path.exists() for path in written)


def test_without_a_folder_it_says_how_it_is_used() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "sekisho.documents.pages"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "FOLDER" in ended.stderr


def test_a_cell_of_a_table_keeps_to_its_row() -> None:
    lines = list(table([verbatim("a"), Text(en="b", ja="乙")], [("x | y", "one\ntwo")], "ja"))
    assert lines == ["| a | 乙 |", "| --- | --- |", "| x \\| y | one two |"]
    assert page_name("cli", "en") == "cli.md"
