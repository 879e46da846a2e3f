"""The score with all that its resamples say, and each class by itself."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.documents.canvas import Limit
from sekisho.documents.drawing import Mark, digits, distribution, intervals, percent
from sekisho.documents.plots.interface import plot
from sekisho.probes.quality.performance import Performance
from sekisho.text import Text


@plot(
    "performance",
    Performance,
    title=Text(
        en="The score over all resamples, its interval shaded below", ja="再標本化によるスコアの分布（下は信頼区間）"
    ),
)
def score(fact: Performance, contract: Contract) -> str:
    """Draw the resampled metric against the required threshold and the constant answer."""
    threshold = contract.quality.threshold
    holds = None
    limits = [Limit(value=fact.dummy.score, label=f"{Text(en='constant', ja='定数予測')} {digits(fact.dummy.score)}")]
    if threshold is not None:
        holds = fact.score.high <= threshold if fact.lower_is_better else fact.score.low >= threshold
        required = (
            Text(en="at most", ja="要件（上限）") if fact.lower_is_better else Text(en="at least", ja="要件（下限）")
        )
        limits = [Limit(value=threshold, label=f"{required} {threshold:g}")]
    return distribution(fact.quantiles, interval=(fact.score.low, fact.score.high), limits=limits, holds=holds)


@plot(
    "performance-recalls", Performance, title=Text(en="How much of each class is recognised", ja="クラスごとの再現率")
)
def recalls(fact: Performance, contract: Contract) -> str | None:  # noqa: ARG001 - nothing is required of single classes
    """Draw the recall of each class, at most twenty of the most frequent."""
    shown = sorted(fact.recalls, key=lambda each: -each.rows)[:20]
    if not shown:
        return None
    marks = [
        Mark(
            label=each.label,
            value=each.recall.point,
            low=each.recall.low,
            high=each.recall.high,
            note=f"n={each.rows:,}",
        )
        for each in shown
    ]
    return intervals(marks, show=percent, bounds=(0.0, 1.0))
