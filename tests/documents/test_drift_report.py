from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from sekisho.documents.drift_report import page, write_html
from sekisho.text import use_language
from sekisho.watch.drift.detector import DriftDetector
from sekisho.watch.drift.lines import HEADINGS, lines
from sekisho.watch.drift.report import DriftReport

HOSTILE = "<img src=x onerror=alert(1)>"


def table(rows: int, seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {
        "age": random.normal(40, 10, rows),
        "visits": random.poisson(3, rows),
        "city": random.choice(np.array(["東京", "Nagoya", "大阪"], dtype=object), rows),
        "many": np.char.add("id ", random.integers(0, 60, rows).astype(str)).astype(object),
        "member": random.random(rows) < 0.4,
        "joined": np.datetime64("2026-01-01", "us") + random.integers(0, 10**6, rows).astype("timedelta64[s]"),
        "gone": random.normal(size=rows),
        "note": np.char.add("secret ", random.integers(0, 10**9, rows).astype(str)).astype(object),
        HOSTILE: random.normal(size=rows),
    }


@pytest.fixture(scope="module")
def report() -> DriftReport:
    now = table(1_000, 2)
    now["age"] = now["age"] + 8
    now["city"] = np.where(np.arange(1_000) < 40, f"{HOSTILE}{{{{7*7}}}}", now["city"]).astype(object)
    now["visits"] = ["many"] * 1_000
    now["extra"] = np.zeros(1_000)
    del now["gone"]
    return DriftDetector(table(5_000, 1)).detect_drift(now, 0.001)


def test_lines_are_those_of_the_headings(report: DriftReport) -> None:
    with use_language("ja"):
        found = lines(report)
    assert all(len(line) == len(HEADINGS) for line in found)
    assert {line[:2] for line in found[:2]} == {("age", "ドリフト"), ("city", "ドリフト")}
    assert [line[:2] for line in found[2:4]] == [("gone", "列の欠落"), ("visits", "型の変化")]
    assert found[-1][0] == "extra"


def test_the_page_holds_both_languages_and_opens_in_that_in_use(report: DriftReport) -> None:
    for language in ("en", "ja"):
        with use_language(language):
            text = page(report, reference="training.csv", current="now.csv")
        assert f'<html lang="{language}">' in text
        assert "Drift in 4 of 9 columns" in text
        assert "9 列中 4 列でドリフトを検知" in text


def test_nothing_of_others_becomes_markup(report: DriftReport) -> None:
    text = page(report, reference=HOSTILE, current="now.csv")
    assert HOSTILE not in text
    assert "&lt;img src=x" in text
    assert "{{7*7}}" in text, "labels are data, no template"
    assert "secret" not in text, "free text stays where it is"


def test_every_compared_column_has_a_picture(report: DriftReport) -> None:
    text = page(report, reference="a", current="b")
    cards = re.findall(r'<article class="column[^"]*" id="column-\d+">\s*<h3>(.*?)<span', text)
    assert set(cards) == {"age", "city", "many", "member", "joined", "note", "&lt;img src=x onerror=alert(1)&gt;"}
    assert text.count("<svg viewBox") == 3
    links = re.findall(r'href="#(column-\d+)"', text)
    assert all(f'id="{link}"' in text for link in links)


def test_a_page_of_a_window_without_rows() -> None:
    report = DriftDetector(table(500, 1)).detect_drift([])
    text = page(report, reference="a", current="b")
    assert "Not enough data" in text
    assert "<article" not in text


def test_writing_is_whole_or_not_at_all(report: DriftReport, tmp_path: Path) -> None:
    path = write_html(report, tmp_path / "deep" / "drift.html", reference="a", current="b")
    assert path.read_text(encoding="utf-8").endswith("</html>\n")
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_html(report, tmp_path / "file" / "drift.html", reference="a", current="b")


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1_280])
def test_the_page_in_a_browser(report: DriftReport, tmp_path: Path, width: int) -> None:
    """It fetches nothing, runs nothing of others', speaks one language at a time, and fits a telephone."""
    path = write_html(report, tmp_path / "drift.html", reference="training.csv", current="now.csv")
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        tab = browser.new_page(viewport={"width": width, "height": 900})
        said: list[str] = []
        asked: list[str] = []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("dialog", lambda dialog: said.append(dialog.message))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(path.as_uri())
        tab.click("label[for=in-ja]")
        assert tab.get_by_text("9 列中 4 列でドリフトを検知").is_visible()
        assert not tab.get_by_text("Drift in 4 of 9 columns").is_visible()
        tab.click("label[for=in-en]")
        assert tab.get_by_text("Drift in 4 of 9 columns").is_visible()
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.evaluate("document.querySelectorAll('.column img').length") == 0
        browser.close()
    assert said == []
    assert asked == [path.as_uri()]
