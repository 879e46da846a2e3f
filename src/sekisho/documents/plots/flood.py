"""How many requests of a flood were let through, second by second."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.documents.canvas import Limit
from sekisho.documents.drawing import Mark, bars
from sekisho.documents.plots.interface import plot
from sekisho.probes.security.flood import Flood
from sekisho.text import Text


@plot(
    "flood",
    Flood,
    title=Text(en="Requests let through in each second of the flood", ja="過負荷中に毎秒通過したリクエスト数"),
)
def flood(fact: Flood, contract: Contract) -> str | None:  # noqa: ARG001 - the limit that was in force is in the fact
    """Draw each second against the limit; the flood itself was larger than any of them."""
    if fact.limit is None or not fact.accepted_per_second:
        return None
    seconds = Text(en="second", ja="秒目")
    marks = [
        Mark(label=f"{seconds} {place}", value=float(accepted), holds=accepted <= 1.05 * fact.limit)
        for place, accepted in enumerate(fact.accepted_per_second, start=1)
    ]
    label = f"{Text(en='limit', ja='上限')} {fact.limit:g}"
    return bars(marks, limits=[Limit(value=fact.limit, label=label)], show=lambda figure: f"{figure:.0f}")
