"""Stated probabilities beside what happened."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.documents.drawing import Mark, against_itself
from sekisho.documents.plots.interface import plot
from sekisho.probes.quality.calibration import Calibration
from sekisho.text import Text


@plot(
    "calibration",
    Calibration,
    title=Text(
        en="What was stated (across) and how often it came true (upright)",
        ja="予測確率（横軸）と実際に起きた割合（縦軸）",
    ),
)
def calibration(fact: Calibration, contract: Contract) -> str | None:
    """Draw the bins; one is off where its interval leaves out what was stated, by more than the contract allows."""
    limit = contract.quality.largest_calibration_error
    if not fact.claims:
        return None
    marks = []
    for each in fact.claims:
        off = max(each.happened.low - each.stated, each.stated - each.happened.high, 0.0)
        holds = None if limit is None else off <= limit
        marks.append(
            (
                each.stated,
                Mark(
                    label=f"{each.stated:.2f}",
                    value=each.happened.point,
                    low=each.happened.low,
                    high=each.happened.high,
                    holds=holds,
                ),
            )
        )
    return against_itself(marks)
