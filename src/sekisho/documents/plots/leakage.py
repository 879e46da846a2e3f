"""How well each feature answers the target alone."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.documents.drawing import Mark, bars, digits
from sekisho.documents.plots.interface import plot
from sekisho.probes.quality.leakage import Leakage
from sekisho.text import Text

MOST = 10


@plot("leakage", Leakage, title=Text(en="What single features know about the target", ja="特徴量単独での予測力"))
def leakage(fact: Leakage, contract: Contract) -> str | None:  # noqa: ARG001 - what is suspect is the judgement of the check
    """Draw the score of the ten most telling features, each alone."""
    if not fact.features:
        return None
    marks = [Mark(label=each.feature, value=max(0.0, each.score)) for each in fact.features[:MOST]]
    return bars(marks, show=digits, most=1.0)
