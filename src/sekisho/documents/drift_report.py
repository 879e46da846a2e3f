"""A drift report as one HTML page with a picture of every column.

The page holds both languages, follows light and dark, and fetches nothing. Its pictures are SVG that the page itself draws, so that labels in
any script are set in the reader's own font.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import jinja2
from markupsafe import Markup

from sekisho import __version__, shelf
from sekisho.files import write_atomically
from sekisho.text import Text, language
from sekisho.watch.drift.detector import STATISTICS
from sekisho.watch.drift.lines import HEADINGS
from sekisho.watch.drift.report import STATE_WORDS, ColumnDrift, DriftReport, State
from sekisho.watch.drift.statistics.interface import Statistic
from sekisho.watch.drift.words import percent, probability, value

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.artifact.column import Kind
    from sekisho.watch.drift.summary import Picture, Summary

WIDTH: Final = 320.0
HEIGHT: Final = 96.0

WORDS: Final[Mapping[str, Any]] = {
    "title": Text(en="Drift report", ja="ドリフトレポート"),
    "reference": Text(en="Reference", ja="基準"),
    "current": Text(en="Current", ja="現在"),
    "rows": Text(en="rows", ja="行"),
    "alpha": Text(en="Chance of a false alarm, all columns together", ja="誤報の確率 (全列の合計)"),
    "smallest": Text(en="Smallest effect that counts", ja="ドリフトとみなす最小の効果量"),
    "tests": Text(en="Statistics corrected for each other", ja="相互に補正した統計量の数"),
    "columns": Text(en="Columns", ja="列の一覧"),
    "pictures": Text(en="Distributions", ja="分布"),
    "how": Text(en="How to read this", ja="このレポートの読み方"),
    "others": Text(en="all others", ja="その他"),
    "nulls": Text(en="nulls", ja="欠損"),
    "mean": Text(en="mean", ja="平均"),
    "range": Text(en="range", ja="範囲"),
    "deviation": Text(en="standard deviation", ja="標準偏差"),
    "distinct": Text(en="labels", ja="ラベル数"),
    "seal": {
        "drift": Text(en="Drift", ja="ドリフトあり"),
        "stable": Text(en="No drift", ja="ドリフトなし"),
        "unknown": Text(en="Not enough data", ja="データ不足"),
    },
}
METHOD: Final = (
    Text(
        en="A column drifts when a change is both certain and large enough. Certain: its p-value, corrected for every statistic of every "
        "column (Holm), is within the chance of a false alarm named above. Large enough: its effect reaches the smallest that counts.",
        ja="変化が「確か」であり、かつ「十分に大きい」列をドリフトと判定します。「確か」とは、全列・全統計量について補正した p 値 (Holm 法) が上記の誤報の確率以下であること、"
        "「十分に大きい」とは、効果量が上記の最小値に達することです。",
    ),
    Text(
        en="The effect is about the share of rows that moved, from 0 to 1; for nulls, unseen labels and values outside the range, where "
        "a few rows matter, one row in a hundred is 0.10. A change that is certain but small is named, and does not alarm.",
        ja="効果量はおよそ「変化した行の割合」で、0 から 1 の値です。欠損・未知のラベル・範囲外の値は少数でも重要なため、100 行に 1 行で 0.10 になります。"
        "確かでも小さな変化は「小さな変化」と表示し、警報の対象にはしません。",
    ),
    Text(
        en="The p-values are upper bounds that hold for any number of rows, if the rows of an unchanged window come independently from "
        "where those of the reference came from. Rows of one client, or of one hour, may not.",
        ja="p 値は行数によらず成り立つ上界です。ただし、変化のない期間の各行が基準と同じ母集団から独立に得られることを前提とします。"
        "特定の利用者や特定の時間帯だけの行では、この前提が崩れることがあります。",
    ),
)


def write_html(report: DriftReport, path: Path, *, reference: str, current: str) -> Path:
    """Write the page of a report and return its path.

    Args:
        report: The report.
        path: The file; one that exists is replaced.
        reference: What the reference is: a file name, or an artifact.
        current: What the rows are.

    Raises:
        OSError: It cannot be written.

    """
    write_atomically(path, page(report, reference=reference, current=current))
    return path


def page(report: DriftReport, *, reference: str, current: str) -> str:
    """Return the page of a report; it opens in the language in use."""
    script = _part("report.js")
    cards = list(_cards(report))
    return (
        _templates()
        .get_template("drift.html.j2")
        .render(
            report=report,
            names={"reference": reference, "current": current},
            language=language(),
            sekisho=__version__,
            words=WORDS,
            states=STATE_WORDS,
            seal="unknown" if not report.enough else "drift" if report.detected else "stable",
            statistics={id_: each.title for id_, each in shelf.units(STATISTICS, Statistic).items()},
            headings=HEADINGS,
            cards=cards,
            linked={card.place for card in cards},
            method=METHOD,
            style=Markup(_part("report.css") + _part("drift.css")),  # noqa: S704 - our own files
            script=Markup(script),  # noqa: S704
            script_hash=f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
        )
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Bin:
    """One bin of a picture: its place, and what is said when a reader points at it."""

    x: float
    width: float
    words: Text


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """Two distributions of numbers: an area for the reference, a line for the current rows."""

    area: str
    line: str
    bins: tuple[Bin, ...]
    ends: tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelBars:
    """One label: its two shares, and how long their bars are in per cent."""

    label: str | None
    reference: str
    current: str
    long: tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """One column with its picture and the figures of both sides; ``place`` is its line in the table."""

    place: int
    column: ColumnDrift
    chart: Chart | None
    bars: tuple[LabelBars, ...]
    figures: tuple[tuple[Text, str, str], ...]


def _cards(report: DriftReport) -> Iterator[Card]:
    for place, column in enumerate(report.by_attention):
        picture = column.picture
        if column.kind is None or column.reference is None or column.current is None:
            continue
        if picture is None and column.state is State.NOT_ENOUGH_DATA:
            continue
        yield Card(
            place=place,
            column=column,
            chart=_chart(column.kind, picture) if picture and picture.edges else None,
            bars=tuple(_bars(picture)) if picture and picture.labels else (),
            figures=tuple(_figures(column.kind, column.reference, column.current)),
        )


def _chart(kind: Kind, picture: Picture) -> Chart:
    edges = picture.edges or ()
    count = len(picture.reference)
    step = WIDTH / count
    highest = max(*picture.reference, *picture.current, 1e-12)

    def steps(shares: Iterable[float]) -> str:
        """Return the way along the tops of the bins."""
        tops = [f"{HEIGHT - share / highest * (HEIGHT - 4):.1f}" for share in shares]
        return " ".join(f"{step * index:.1f},{top} {step * (index + 1):.1f},{top}" for index, top in enumerate(tops))

    bins = []
    for index, (before, now) in enumerate(zip(picture.reference, picture.current, strict=True)):
        low, high = _ends(kind, edges[index], edges[index + 1])
        span = low if low == high else f"{low} – {high}"
        words = Text(
            en=f"{span}: {percent(before)} of the reference, {percent(now)} now",
            ja=f"{span}: 基準 {percent(before)}、現在 {percent(now)}",
        )
        bins.append(Bin(x=round(step * index, 1), width=round(step, 1), words=words))
    return Chart(
        area=f"0,{HEIGHT} {steps(picture.reference)} {WIDTH},{HEIGHT}",
        line=steps(picture.current),
        bins=tuple(bins),
        ends=_ends(kind, edges[0], edges[-1]),
    )


def _ends(kind: Kind, low: float, high: float) -> tuple[str, str]:
    """Return the smallest and the largest value between two edges; whole numbers lie inside of theirs."""
    if kind == "integer":
        low, high = math.ceil(low), max(math.ceil(low), math.floor(high))
    return value(kind, low), value(kind, high)


def _range(kind: Kind, low: float | None, high: float | None) -> str:
    return "—" if low is None or high is None else f"{value(kind, low)} – {value(kind, high)}"


def _bars(picture: Picture) -> Iterator[LabelBars]:
    longest = max(*picture.reference, *picture.current, 1e-12)
    for label, before, now in zip(picture.labels or (), picture.reference, picture.current, strict=True):
        yield LabelBars(
            label=label,
            reference=percent(before),
            current=percent(now),
            long=(round(100 * before / longest, 2), round(100 * now / longest, 2)),
        )


def _figures(kind: Kind, before: Summary, now: Summary | None) -> Iterator[tuple[Text, str, str]]:
    """Yield the figures of both sides: what they are, the reference, the current rows."""

    def both(of: Any) -> tuple[str, str]:
        return of(before), of(now) if now is not None else "—"

    def number(figure: float | None) -> str:
        return "—" if figure is None else value("float" if kind == "integer" else kind, figure)

    yield WORDS["nulls"], *both(lambda side: percent(side.nulls / side.rows) if side.rows else "—")
    if before.distinct is not None:
        yield WORDS["distinct"], *both(lambda side: "—" if side.distinct is None else f"{side.distinct:,}")
    elif before.mean is not None:
        yield WORDS["mean"], *both(lambda side: number(side.mean))
        if kind != "datetime":
            yield WORDS["deviation"], *both(lambda side: number(side.standard_deviation))
        yield WORDS["range"], *both(lambda side: _range(kind, side.minimum, side.maximum))


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sekisho.documents"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["probability"] = probability
    return environment


def _part(name: str) -> str:
    """Return the source of a part of the page."""
    loader = _templates().loader
    assert loader is not None
    return loader.get_source(_templates(), name)[0]
