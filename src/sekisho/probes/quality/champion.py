"""The model beside the one that is live, on the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from sekisho.contract.sections import Quality
from sekisho.errors import NotMeasured
from sekisho.gate.probe import probe
from sekisho.probes.quality.performance import metric_of
from sekisho.probes.resources.champion import Champion
from sekisho.probes.resources.scored import Scored
from sekisho.probes.statistics.estimates import Resampling, estimate
from sekisho.probes.statistics.intervals import Interval
from sekisho.text import Text


@dataclass(frozen=True, kw_only=True, slots=True)
class AgainstChampion:
    """The paired difference of two models.

    Attributes:
        place: What the contract calls the champion.
        digest: Of its artifact.
        metric: What is compared.
        lower_is_better: Whether it measures an error.
        score: Of the champion.
        difference: The score of the model minus that of the champion, paired by row.
        rows: How many rows both answered.

    """

    place: str
    digest: str
    metric: str
    lower_is_better: bool
    score: float
    difference: Interval
    rows: int


@probe("quality/champion", title=Text(en="Compare with the champion", ja="稼働中のモデルと比較"), seconds=3)
def against_champion(quality: Quality, scored: Scored, champion: Champion) -> AgainstChampion:
    """Let the champion answer the rows of the test set and compare by the metric of the contract.

    Raises:
        NotMeasured: The champion cannot answer these rows, or the metric is undefined for it.

    """
    metric = metric_of(quality.metric, scored.answers)
    other = scored.answered_by(champion.artifact)
    how = Resampling(confidence=quality.confidence, resamples=quality.resamples, seed=quality.seed)
    score = metric.of(other) if metric.reads != "probabilities" or other.probabilities is not None else float("nan")
    if not isfinite(score):
        raise NotMeasured(
            Text(
                en=f"{metric.name} is undefined for the champion", ja=f"稼働中のモデルの {metric.name} を計算できません"
            ),
            Text(
                en="choose a metric that both models can be judged by",
                ja="両方のモデルを評価できる指標を選んでください",
            ),
        )
    found = estimate(metric, scored.answers, [other], how)
    return AgainstChampion(
        place=champion.place,
        digest=champion.digest,
        metric=metric.name,
        lower_is_better=metric.lower_is_better,
        score=score,
        difference=found.differences[0],
        rows=len(other),
    )
