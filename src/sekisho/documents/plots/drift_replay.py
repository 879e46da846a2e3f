"""How surely the drift detector notices each change."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.documents.canvas import Limit
from sekisho.documents.drawing import Mark, intervals, percent
from sekisho.documents.plots.interface import plot
from sekisho.probes.monitoring.drift_replay import POWER, DriftReplay
from sekisho.text import Text


@plot(
    "drift-replay",
    DriftReplay,
    title=Text(en="Changed windows that were noticed", ja="変化させた窓のうち検知できた割合"),
)
def drift_replay(fact: DriftReplay, contract: Contract) -> str | None:  # noqa: ARG001 - the power is not a matter of the contract
    """Draw the share of windows in which each change was noticed, with its lower bound."""
    changes = [each for each in fact.changes if each.windows]
    if not changes:
        return None
    marks = [
        Mark(
            label=each.change.replace("_", " "),
            value=each.caught / each.windows,
            low=each.low,
            high=each.caught / each.windows,
            holds=each.low >= POWER,
            note=f"n={each.windows}",
        )
        for each in changes
    ]
    label = f"{Text(en='at least', ja='要件')} {POWER:.0%}"
    return intervals(marks, limits=[Limit(value=POWER, label=label)], show=percent, bounds=(None, 1.0))
