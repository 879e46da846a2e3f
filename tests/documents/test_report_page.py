"""The page as text: what is in it and what is not. How it behaves in a browser is tested in test_report_browser.py."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from sekisho.contract.boxes import BOXES
from sekisho.documents.forms.web_page import web_page
from sekisho.gate.report import Report
from sekisho.gate.verdict import Status
from sekisho.text import Text, use_language, verbatim

MakeReport = Callable[..., Report]
VOID = {"meta", "link", "input"}


class Page(HTMLParser):
    """Collects elements, attributes and text, and whether every element is closed by its own end."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.words.append(data)

    @property
    def ids(self) -> list[str]:
        return [attrs["id"] or "" for _, attrs in self.tags if "id" in attrs]


def html_of(report: Report) -> str:
    html = web_page.render(report)
    assert html is not None
    return html


def test_the_page_is_well_formed_and_every_link_leads_to_a_place(make_report: MakeReport) -> None:
    page = Page(html_of(make_report()))
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    links = [attrs["href"] or "" for tag, attrs in page.tags if tag == "a"]
    assert links
    assert {link.removeprefix("#") for link in links} <= set(page.ids)


def test_every_box_is_there_with_its_status_in_words(make_report: MakeReport) -> None:
    page = Page(html_of(make_report()))
    assert [attrs["id"] for tag, attrs in page.tags if tag == "details" and attrs.get("class") == "box"] == [
        box.replace("/", "--") for box in BOXES
    ]
    text = " ".join(page.words)
    assert all(word in text for word in ("unknown", "未測定", "waived", "免除", "not applicable", "対象外"))


def test_nothing_is_fetched_from_anywhere(make_report: MakeReport) -> None:
    page = Page(html_of(make_report(service="http://127.0.0.1:8000")))
    for tag, attrs in page.tags:
        assert tag not in {"img", "iframe", "object", "embed", "form", "base", "video", "audio"}
        assert "src" not in attrs
        assert (attrs.get("href") or "#").startswith(("#", "data:,"))
        assert not any(name.startswith("on") for name in attrs)
    style = re.search(r"<style>(.*?)</style>", html_of(make_report()), re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_the_policy_of_the_page_lets_only_its_own_script_run(make_report: MakeReport) -> None:
    html = html_of(make_report())
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(
        attrs["content"] or ""
        for tag, attrs in Page(html).tags
        if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy"
    )
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", "{{3**33}}", '"><img src=x onerror=alert(1)>', "</style>", "&lt;"]
)
def test_hostile_words_stay_words(make_report: MakeReport, hostile: str) -> None:
    words = Text(en=f"en {hostile}", ja=f"ja {hostile}")
    page = Page(html_of(make_report(words=words, warnings=(words,), service=hostile, machine={"processor": hostile})))
    assert page.open == []
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    text = "".join(page.words)
    assert f"en {hostile}" in text
    assert f"ja {hostile}" in text
    assert str(3**33) not in text


def test_the_page_opens_in_the_language_in_use_and_holds_both(make_report: MakeReport) -> None:
    for language in ("en", "ja"):
        with use_language("ja" if language == "ja" else "en"):
            html = html_of(make_report())
        page = Page(html)
        assert next(attrs["lang"] for tag, attrs in page.tags if tag == "html") == language
        assert {attrs["lang"] for tag, attrs in page.tags if tag == "span" and "lang" in attrs} == {"en", "ja"}
        (chosen,) = [attrs["value"] for tag, attrs in page.tags if tag == "input" and "checked" in attrs]
        assert chosen == language


def test_what_reads_the_same_in_both_languages_stands_there_once(make_report: MakeReport) -> None:
    html = html_of(make_report(words=verbatim("the-only-words"), statuses=(Status.PASS,)))
    assert "<p>the-only-words</p>" in html


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.04, "0.0 s"), (59.4, "59.4 s"), (59.6, "1 min 0 s"), (90.6, "1 min 31 s")]
)
def test_a_duration_is_what_it_says(make_report: MakeReport, seconds: float, shown: str) -> None:
    assert f"</span> {shown}</dd>" in html_of(make_report(seconds=seconds))
