"""The widest gap between groups, by attribute and notion."""

from __future__ import annotations

from typing import Final

from sekisho.contract.sections import Contract
from sekisho.documents.canvas import Limit
from sekisho.documents.drawing import Mark, digits, intervals
from sekisho.documents.plots.interface import plot
from sekisho.probes.quality.fairness import Fairness
from sekisho.text import Text

MOST: Final = 24
NOTIONS: Final = {
    "selection_rate": Text(en="selection", ja="選択率"),
    "true_positive_rate": Text(en="true positives", ja="真陽性率"),
    "false_positive_rate": Text(en="false positives", ja="偽陽性率"),
    "mean_answer": Text(en="mean answer", ja="予測の平均"),
    "mean_error": Text(en="mean error", ja="偏り"),
    "error": Text(en="error", ja="誤差"),
    "calibration": Text(en="calibration", ja="較正"),
}


@plot("fairness", Fairness, title=Text(en="The widest gap between two groups", ja="グループ間の最大の差"))
def fairness(fact: Fairness, contract: Contract) -> str | None:
    """Draw each gap with its interval against the largest that is allowed, the widest first."""
    limit = contract.fairness.largest_gap
    widest = sorted(fact.gaps, key=lambda each: -each.largest_bound)[:MOST]
    if not widest:
        return None
    marks = [
        Mark(
            label=f"{each.attribute} {_notion(each.notion)}",
            value=each.gap.point,
            low=each.gap.low,
            high=each.gap.high,
            holds=each.largest_bound <= limit,
        )
        for each in widest
    ]
    return intervals(
        marks, limits=[Limit(value=limit, label=f"{Text(en='allowed', ja='許容差')} {limit:g}")], show=digits
    )


def _notion(name: str) -> str:
    """Return a notion in a few words; the class it speaks of, if there are several, stays behind it."""
    kind, blank, label = name.partition(" ")
    return f"{NOTIONS[kind]}{blank}{label}" if kind in NOTIONS else name
