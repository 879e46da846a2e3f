"""The page of known flaws is what its data say, and holds every flaw that is listed for its boxes."""

from __future__ import annotations

import json

import pytest
from tests.flaws.record import RESULTS, ROOT, render

LISTED = [
    "11a",
    "11b",
    "12a",
    "12b",
    "13a",
    "14a",
    "14b",
    "15a",
    "15c",
    "21a",
    "21b",
    "21c",
    "22a",
    "22b",
    "23a",
    "23b",
    "24a",
    "24b",
    "25a",
]


@pytest.mark.parametrize(("language", "name"), [("en", "flaws.md"), ("ja", "flaws.ja.md")])
def test_the_page_is_made_of_the_data(language: str, name: str) -> None:
    rows = json.loads(RESULTS.read_text())
    assert (ROOT / "docs" / name).read_text() == render(rows, language)


def test_every_listed_flaw_was_caught_and_its_twin_passed() -> None:
    rows = json.loads(RESULTS.read_text())
    assert {row["outcome"] for row in rows} == {"passed"}
    for listed in LISTED:
        mine = [row for row in rows if f"F{listed}" in row["listed"]]
        assert {status for row in mine for status in row["verdicts"]} & {"fail", "unknown"}, listed
        boxes = {row["box"] for row in mine}
        assert any("pass" in row["verdicts"] for row in rows if row["box"] in boxes), listed
