"""A drift report as a table: one line a column."""

from __future__ import annotations

from typing import Final

from sekisho.text import Text
from sekisho.watch.drift.report import STATE_WORDS, DriftReport
from sekisho.watch.drift.words import bar, probability

HEADINGS: Final = (
    Text(en="column", ja="列"),
    Text(en="finding", ja="判定"),
    Text(en="effect", ja="効果量"),
    Text(en="p (corrected)", ja="補正 p 値"),
    Text(en="what changed", ja="変化の内容"),
)


def lines(report: DriftReport) -> list[tuple[str, ...]]:
    """Return one line a column for a table on a terminal, in the order of :data:`HEADINGS`."""
    return [
        (
            each.name,
            str(STATE_WORDS[each.state]),
            f"{bar(each.effect)} {each.effect:.2f}" if each.tests else "",
            probability(each.adjusted_p_value),
            str(each.reason),
        )
        for each in report.by_attention
    ]
