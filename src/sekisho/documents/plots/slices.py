"""The weakest parts of the test set."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.documents.canvas import Limit
from sekisho.documents.drawing import Mark, digits, intervals
from sekisho.documents.plots.interface import plot
from sekisho.probes.quality.slices import Slice, Slices
from sekisho.text import Text

MOST = 12


@plot("slices", Slices, title=Text(en="The weakest slices of the test set", ja="最も弱い部分集合"))
def slices(fact: Slices, contract: Contract) -> str | None:
    """Draw each part with its corrected interval against the floor that the contract states."""
    least = contract.quality.slice_minimum
    shown = [each for each in fact.slices if each.score is not None][:MOST]
    if not shown:
        return None
    marks = [_mark(each, least, lower_is_better=fact.lower_is_better) for each in shown]
    side = Text(en="at most", ja="要件（上限）") if fact.lower_is_better else Text(en="at least", ja="要件（下限）")
    limits = [] if least is None else [Limit(value=least, label=f"{side} {least:g}")]
    return intervals(marks, limits=limits, show=digits)


def _mark(each: Slice, least: float | None, *, lower_is_better: bool) -> Mark:
    assert each.score is not None
    holds = None if not each.uninformed else False
    if least is not None and not each.uninformed:
        holds = each.score.low <= least if lower_is_better else each.score.high >= least
    return Mark(
        label=each.name,
        value=each.score.point,
        low=each.score.low,
        high=each.score.high,
        holds=holds,
        note=f"n={each.rows:,}",
    )
