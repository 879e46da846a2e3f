"""The page in a real browser: nothing is fetched, nothing of others' runs, both languages read well, and it fits a telephone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from sekisho.documents.canvas import Limit
from sekisho.documents.drawing import Mark, intervals, percent
from sekisho.documents.forms import web_page as form
from sekisho.documents.plots.interface import Plot
from sekisho.documents.report import write_html
from sekisho.gate.report import Report
from sekisho.gate.verdict import Status
from sekisho.text import Text, verbatim

pytestmark = pytest.mark.slow

MakeReport = Callable[..., Report]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = (
    "<script>window.struck = 1</script><img src=x onerror='window.struck = 1'>{{3**33}}" + "長い名前" * 40 + "x" * 300
)


@dataclass(frozen=True, kw_only=True)
class Gaps:
    """A fact with a plot, as probes return them."""

    label: str
    gap: float


def draw(fact: Gaps, contract: object) -> str:
    return intervals(
        [Mark(label=fact.label, value=fact.gap, low=0.0, high=2 * fact.gap, holds=False)],
        limits=[Limit(value=0.1, label=str(Text(en="allowed", ja="許容差")))],
        show=percent,
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("the slow tests need Chromium: apt-get install chromium (tests/install-test-tools.sh does)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page_file(make_report: MakeReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page with every status, a plot, and hostile words wherever words can stand."""
    plot = Plot("gaps", Gaps, Text(en="Gaps by group", ja="グループ間の差"), draw)
    monkeypatch.setattr(form, "_plots", lambda: {Gaps: (plot,)})
    words = Text(en=f"Said in English {HOSTILE}", ja=f"日本語での説明 {HOSTILE}")
    report = make_report(
        words=words,
        facts=(Gaps(label=HOSTILE, gap=0.12),),
        warnings=(words,),
        service=HOSTILE,
        machine={"processor": HOSTILE},
    )
    return write_html(report, tmp_path / "index.html")


@dataclass(kw_only=True)
class Watched:
    """A page, and what it did that it should not have."""

    page: Page
    noise: list[str]
    requests: list[str]


@pytest.fixture
def opened(browser: Browser, page_file: Path) -> Iterator[Callable[..., Watched]]:
    contexts = []

    def open_page(width: int = 1280, scheme: str = "light", *, script: bool = True) -> Watched:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=script,
        )
        contexts.append(context)
        page = context.new_page()
        noise: list[str] = []
        requests: list[str] = []

        def hear(message: ConsoleMessage) -> None:
            noise.append(message.text)

        def see(request: Request) -> None:
            requests.append(request.url)

        page.on("console", hear)
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on("request", see)
        page.goto(page_file.as_uri())
        return Watched(page=page, noise=noise, requests=requests)

    yield open_page
    for context in contexts:
        context.close()


def test_nothing_is_fetched_and_nothing_hostile_runs(opened: Callable[..., Watched], page_file: Path) -> None:
    watched = opened()
    watched.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    watched.page.wait_for_timeout(300)
    assert watched.requests == [page_file.as_uri()]
    assert watched.noise == []
    assert watched.page.evaluate("window.struck") is None
    assert watched.page.locator("script").count() == 1
    assert watched.page.locator("img").count() == 0


def test_a_script_that_slips_in_does_not_run(opened: Callable[..., Watched]) -> None:
    watched = opened()
    watched.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.struck = 1'}))"
    )
    watched.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.struck = 1\">')")
    watched.page.wait_for_timeout(300)
    assert watched.page.evaluate("window.struck") is None
    assert any("Content Security Policy" in line for line in watched.noise)


@pytest.mark.parametrize("script", [True, False])
def test_each_language_is_shown_alone(opened: Callable[..., Watched], *, script: bool) -> None:
    page = opened(script=script).page
    assert page.get_by_text("Overview", exact=True).is_visible()
    assert not page.get_by_text("概要", exact=True).is_visible()
    page.get_by_text("日本語", exact=True).click()
    assert page.get_by_text("概要", exact=True).is_visible()
    assert not page.get_by_text("Overview", exact=True).is_visible()
    figure = page.locator("figure:visible").first
    assert figure.locator("svg:visible").count() == 1
    assert figure.locator("svg:visible").get_by_text("許容差").count() == 1
    if script:
        assert page.evaluate("document.documentElement.lang") == "ja"


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("language", ["English", "日本語"])
def test_it_fits_every_width(opened: Callable[..., Watched], width: int, language: str) -> None:
    page = opened(width).page
    page.get_by_text(language, exact=True).click()
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    spilling = page.evaluate(
        """() => [...document.querySelectorAll('main *, header *')]
            .filter(each => !each.closest('svg, .command') && each.offsetParent
                && each.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
            .map(each => each.outerHTML.slice(0, 80))"""
    )
    assert spilling == []


CONTRAST = """() => {
    const channel = value => { const c = value / 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
    const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const rgb = colour => colour.match(/[\\d.]+/g).map(Number);
    const behind = element => {
        for (let at = element; at; at = at.parentElement) {
            const colour = rgb(getComputedStyle(at).backgroundColor);
            if (colour.length < 4 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    const worst = {};
    for (const element of document.querySelectorAll('body *')) {
        const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
        if (!own || !element.offsetParent || element.closest('svg')) continue;
        const [one, other] = [light(rgb(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
        const ratio = (one + 0.05) / (other + 0.05);
        if (ratio < 4.5) worst[element.className || element.tagName] = ratio;
    }
    return worst;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(opened: Callable[..., Watched], scheme: str) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    page = opened(scheme=scheme).page
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate(CONTRAST) == {}


def test_a_link_to_a_box_opens_it(opened: Callable[..., Watched]) -> None:
    page = opened().page
    box = page.locator("#quality--requirements")
    assert box.get_attribute("open") is None
    page.locator(".dots a").first.click()
    page.wait_for_function("document.getElementById('quality--requirements').open")
    assert box.locator(".evidence").is_visible()


def test_the_verdict_of_a_pass_is_shown_as_one(browser: Browser, make_report: MakeReport, tmp_path: Path) -> None:
    report = make_report(statuses=(Status.PASS,), words=verbatim("well"))
    page = browser.new_page()
    page.goto(write_html(report, tmp_path / "index.html").as_uri())
    assert page.locator(".seal").inner_text() == "Passed"
    assert page.locator("details[open]").count() == 0
    page.close()
