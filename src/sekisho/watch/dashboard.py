"""The terminal dashboard: traffic and drift of the last rows, as a screen that is drawn anew, or as plain lines."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text as Words

from sekisho.text import Text
from sekisho.watch.drift.lines import HEADINGS, lines
from sekisho.watch.drift.report import DriftReport, State
from sekisho.watch.drift.words import percent
from sekisho.watch.traffic import Traffic, traffic_of
from sekisho.watch.watcher import Look

STYLES: Final = {
    State.DRIFT: "bold red",
    State.MISSING: "bold red",
    State.OTHER_TYPE: "bold red",
    State.SMALL: "yellow",
    State.STABLE: "green",
    State.NOT_ENOUGH_DATA: "dim",
    State.EXTRA: "dim",
}
FLAG_WORDS: Final = {
    "out_of_range": Text(en="out of range", ja="範囲外"),
    "unseen_category": Text(en="unseen category", ja="未知のカテゴリ"),
    "null": Text(en="missing", ja="欠損"),
}


def screen(look: Look, *, title: str, now: dt.datetime) -> RenderableType:
    """Return one look as a screen.

    Args:
        look: What was seen.
        title: The model and its version.
        now: The moment of the look.

    """
    table = Table(box=None, expand=True, header_style="dim", pad_edge=False)
    for heading in HEADINGS:
        table.add_column(str(heading), overflow="fold", no_wrap=heading is HEADINGS[2])
    for column, (name, finding, effect, p_value, reason) in zip(
        look.report.by_attention, lines(look.report), strict=True
    ):
        style = STYLES[column.state]
        table.add_row(
            Words(name, style="bold" if column.detected else ""),
            Words(finding, style=style),
            Words(effect, style=style),
            p_value,
            Words(reason, style="" if column.detected else "dim"),
        )
    body: list[RenderableType] = [Words(line) for line in _traffic(traffic_of(look.window.records, now), now)]
    verdict = Words(str(look.report.verdict), style="bold red" if look.report.detected else "bold")
    return Panel(Group(*body, Words(), verdict, Words(), table), title=Words(title), border_style="dim", padding=(1, 2))


def line(look: Look, now: dt.datetime) -> str:
    """Return one look as one line: for a log, or a pipe."""
    drifted = ", ".join(f"{column.name} {column.effect:.2f}" for column in look.report.drifted)
    traffic = next(_traffic(traffic_of(look.window.records, now), now))
    moment = now.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{moment}  {traffic}  {look.report.verdict}{f': {drifted}' if drifted else ''}"


def as_dict(look: Look, now: dt.datetime) -> dict[str, Any]:
    """Return one look as JSON values."""
    return {
        "traffic": msgspec.to_builtins(traffic_of(look.window.records, now)),
        "drift": _without_pictures(look.report),
    }


def _without_pictures(report: DriftReport) -> dict[str, Any]:
    values = report.as_dict()
    for column in values["columns"]:
        column.pop("picture")
    return values


def _traffic(traffic: Traffic, now: dt.datetime) -> Iterator[str]:
    """Yield the traffic in words, the most important first."""
    if traffic.last_at is None:
        yield str(Text(en="no predictions yet", ja="予測はまだありません"))
        return
    ago = max(0, round((now - dt.datetime.fromisoformat(traffic.last_at)).total_seconds()))
    rate = f"{traffic.rows_per_minute:,.0f}"
    yield str(
        Text(
            en=f"last {traffic.rows:,} rows, {rate} a minute, the newest {ago:,} s ago",
            ja=f"直近 {traffic.rows:,} 行、毎分 {rate} 行、最新は {ago:,} 秒前",
        )
    )
    kinds = [f"{FLAG_WORDS.get(kind, kind)} {rows:,}" for kind, rows in traffic.flags]
    shown = f" ({', '.join(kinds)})" if kinds else ""
    flagged = percent(traffic.flagged / traffic.rows)
    yield str(Text(en=f"unusual rows: {flagged}{shown}", ja=f"通常と異なる行: {flagged}{shown}"))
    yield str(
        Text(
            en=f"latency: {traffic.latency_p50_ms:.1f} ms median, {traffic.latency_p99_ms:.1f} ms p99",
            ja=f"応答時間: 中央値 {traffic.latency_p50_ms:.1f} ms、p99 {traffic.latency_p99_ms:.1f} ms",
        )
    )
