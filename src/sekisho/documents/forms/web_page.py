"""The report as one HTML page: both languages, light and dark, plots inside, nothing fetched from anywhere.

Whatever came from outside (names, reasons, sentences) goes through the template's escaping, and the page's own policy lets
no script run but its one.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from sekisho import __version__, shelf
from sekisho.contract.sections import Contract
from sekisho.documents.forms.interface import form
from sekisho.documents.plots.interface import Plot
from sekisho.gate.report import Item, Report, SectionSummary
from sekisho.gate.verdict import STATUS_WORDS, SYMBOLS, Figure, Status
from sekisho.text import LANGUAGES, Text, language, use_language, verbatim

if TYPE_CHECKING:
    from jinja2 import Environment

log = logging.getLogger(__name__)

WORDS: Final[Mapping[str, Any]] = {
    "status": {status.value: text for status, text in STATUS_WORDS.items()},
    "verdict": {"pass": Text(en="Passed", ja="合格"), "fail": Text(en="Not passed", ja="不合格")},
    "artifact": Text(en="Artifact (SHA-256)", ja="成果物（SHA-256）"),
    "no_artifact": Text(en="none found", ja="見つかりません"),
    "contract": Text(en="Contract (SHA-256)", ja="契約（SHA-256）"),
    "service": Text(en="Service judged", ja="判定したサービス"),
    "when": Text(en="Judged", ja="判定日時"),
    "took": Text(en="took", ja="所要"),
    "machine": Text(en="Machine", ja="実行環境"),
    "overview": Text(en="Overview", ja="概要"),
    "holds_back": Text(en="What failed, and what to do", ja="不合格の項目と対処"),
    "remedy": Text(en="What to do next", ja="次にすること"),
    "findings": Text(en="What was looked at", ja="確認した内容"),
    "figures": Text(en="Figures", ja="測定値"),
    "evidence": Text(en="Evidence", ja="証拠"),
    "versions": Text(en="Versions", ja="バージョン"),
    "again": Text(en="Measure again", ja="再測定"),
    "rule": Text(
        en="There is no score. A section is as ready as its least ready box, and what was not measured is unknown, never "
        "passed.",
        ja="点数はありません。セクションの準備状況は、最も遅れている項目で決まります。測っていないものは「未測定」であり、合格にはなりません。",
    ),
}


@dataclass(frozen=True, slots=True)
class Drawing:
    """A plot of one evidence, drawn in both languages."""

    title: Text
    drawn: Mapping[str, Markup]


@form("html", "index.html")
def web_page(report: Report) -> str:
    """Return the page; it opens in the language in use."""
    script = _part("report.js")
    return (
        _templates()
        .get_template("report.html.j2")
        .render(
            report=report,
            language=language(),
            sekisho=__version__,
            words=WORDS,
            symbols={status.value: symbol for status, symbol in SYMBOLS.items()},
            failed=[item for item in report.items if item.status is Status.FAIL],
            plots={item.id: list(_drawings(item, report)) for item in report.items},
            style=Markup(_part("report.css")),  # noqa: S704 - our own files
            script=Markup(script),  # noqa: S704
            script_hash=f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
        )
    )


def _drawings(item: Item, report: Report) -> Iterator[Drawing]:
    """Yield each plot of what an item stands on."""
    for id_ in item.evidence:
        fact = report.evidence[id_].fact
        for plot in _plots().get(type(fact), ()):
            drawn = _drawn(plot, fact, report.terms)
            if drawn:
                yield Drawing(plot.title, drawn)


def _drawn(plot: Plot, fact: object, terms: Contract) -> dict[str, Markup]:
    """Return the SVG of a plot by language; none if there is nothing to draw, or drawing fails: the words still stand."""
    drawn: dict[str, Markup] = {}
    try:
        for each in LANGUAGES:
            with use_language(each):
                svg = plot.draw(fact, terms)
            if svg is not None:
                drawn[each] = Markup(svg)  # noqa: S704 - Matplotlib escapes every label
    except Exception:
        log.debug("the plot %s failed", plot.id, exc_info=True)
        return {}
    return drawn


@cache
def _plots() -> dict[type, tuple[Plot, ...]]:
    plots = shelf.units("sekisho.documents.plots", Plot).values()
    return {kind: tuple(each for each in plots if each.kind is kind) for kind in {each.kind for each in plots}}


@cache
def _templates() -> Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sekisho.documents"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "figure": _figure,
        "machine": _machine,
        "moment": _moment,
        "seconds": _seconds,
        "tally": _tally,
    }
    return environment


def _part(name: str) -> str:
    return resources.files("sekisho.documents").joinpath("templates", name).read_text(encoding="utf-8").strip()


def _figure(value: Figure) -> Text:
    match value:
        case None:
            return verbatim("–")
        case bool():
            return Text(en="yes", ja="はい") if value else Text(en="no", ja="いいえ")
        case int():
            return verbatim(f"{value:,}")
        case float() if not math.isfinite(value):
            return verbatim(str(value))
        case float():
            return verbatim(f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}")
    return verbatim(value)


def _moment(moment: str) -> str:
    return f"{dt.datetime.fromisoformat(moment):%Y-%m-%d %H:%M} UTC"


def _seconds(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _machine(machine: Mapping[str, str]) -> str:
    names = ("processor", "cores", "memory", "system")
    shown = [f"{machine[name]} cores" if name == "cores" else machine[name] for name in names if name in machine]
    return ", ".join(shown)


def _tally(section: SectionSummary) -> Text:
    through, judged = sum(item.status.lets_through for item in section.items), len(section.items)
    return Text(en=f"{through} of {judged} let through", ja=f"{judged} 項目中 {through} 項目が通過")
