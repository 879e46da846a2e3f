"""The page on writing a check is run as it stands: its files are installed, judged, and pass, fail and do not know."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sekisho.contract.writing import write_contract
from sekisho.gate.check import Check
from sekisho.gate.explaining import explain
from sekisho.gate.graph import Units
from sekisho.gate.notebook import check
from sekisho.gate.testing import judge_example
from sekisho.gate.verdict import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parent.parent / "docs"
PAGES = ["writing-a-check.md", "writing-a-check.ja.md"]
BOX = "documentation/contacts"


def files_on(page: str) -> dict[str, str]:
    """Return every file that the page shows, by its path."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return dict(re.findall(r"(?ms)^```(?:python|toml)\n# (\S+)\n(.*?)^```$", text))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the distribution that the page builds."""
    files = files_on(PAGES[0])
    for name, text in files.items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    information = tmp_path / "site" / "house_rules-1.0.0.dist-info"
    information.mkdir()
    groups = re.findall(r'(?ms)^\[project\.entry-points\."(.*?)"\]\n(.*?)(?=^\[|\Z)', files["pyproject.toml"])
    entry_points = "".join(f"[{group}]\n{lines.replace(chr(34), '')}\n" for group, lines in groups)
    (information / "entry_points.txt").write_text(entry_points)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: house-rules\nVersion: 1.0.0\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    importlib.invalidate_caches()
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "house_rules"]:
        del sys.modules[name]


def test_both_languages_show_the_same_files() -> None:
    assert files_on(PAGES[0]) == files_on(PAGES[1])
    assert set(files_on(PAGES[0])) == {"house_rules/contact_page.py", "house_rules/contacts.py", "pyproject.toml"}


def test_its_examples_are_judged_as_they_say(installed: None) -> None:
    box: Check = Units.installed().checks[BOX]
    assert [example.status for example in box.examples] == [Status.PASS, Status.FAIL, Status.UNKNOWN]
    for example in box.examples:
        assert judge_example(box, example).status is example.status
    assert [probe.id for probe in explain(Units.installed(), BOX).probes] == ["documentation/contact-page"]


@pytest.mark.parametrize(
    ("page", "status", "words"),
    [
        ("aoi@example.com, ren@example.com", Status.PASS, "2 people are named"),
        ("aoi@example.com", Status.FAIL, "1 people are named"),
        (None, Status.UNKNOWN, "there is no page of contacts"),
    ],
)
def test_it_judges_a_project(page: str | None, status: Status, words: str, installed: None, tmp_path: Path) -> None:
    values = {"model": {"name": "m"}, "monitoring": {"on_call": "#ml-on-call"}}
    root = write_contract(tmp_path / "project", values, "en").parent
    if page is not None:
        (root / "docs").mkdir()
        (root / "docs" / "contacts.md").write_text(page)
    (item,) = check(root, [BOX]).items
    assert item.verdict.status is status
    assert words in item.verdict.summary.en
