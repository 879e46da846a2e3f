"""A report as a small HTML table, for notebooks; the full page is written by the documents room."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from sekisho.gate.verdict import Status
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.gate.report import Item, Report

SYMBOLS: Final = {
    Status.PASS: "✓",
    Status.FAIL: "✗",
    Status.UNKNOWN: "?",
    Status.NOT_APPLICABLE: "–",
    Status.WAIVED: "!",
}
"""One character a status, so that colour is never the only sign."""

STATUS_WORDS: Final = {
    Status.PASS: Text(en="pass", ja="合格"),
    Status.FAIL: Text(en="fail", ja="不合格"),
    Status.UNKNOWN: Text(en="unknown", ja="未測定"),
    Status.NOT_APPLICABLE: Text(en="not applicable", ja="対象外"),
    Status.WAIVED: Text(en="waived", ja="免除"),
}
"""What people read for each status."""


def html_table(report: Report) -> str:
    """Return a table with a row a box, everything that came from outside escaped."""
    rows = "".join(_row(item) for item in report.items)
    counts = " · ".join(f"{count} {STATUS_WORDS[status]}" for status, count in report.counts.items() if count)
    verdict = STATUS_WORDS[Status.PASS if report.passed else Status.FAIL]
    return (
        f"<p><strong>{escape(report.model)}: {escape(str(verdict))}</strong> ({escape(counts)})</p>"
        f'<table><tbody style="text-align: left">{rows}</tbody></table>'
    )


def _row(item: Item) -> str:
    cells = (SYMBOLS[item.status], str(STATUS_WORDS[item.status]), item.id, str(item.title), str(item.verdict.summary))
    style = ' style="text-align: left"'
    return f"<tr>{''.join(f'<td{style}>{escape(cell)}</td>' for cell in cells)}</tr>"
