"""How good the model is on the test set, how sure that is, and how much better than looking at nothing."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact.table import Table
from sekisho.contract.sections import Quality
from sekisho.errors import NotMeasured, WrongUse
from sekisho.gate.probe import Progress, probe
from sekisho.probes.resources.scored import Scored
from sekisho.probes.resources.tables import TrainingSet
from sekisho.probes.statistics import baselines
from sekisho.probes.statistics.answers import Answers
from sekisho.probes.statistics.class_scores import exact_balanced_accuracy, recall_share
from sekisho.probes.statistics.estimates import Resampling, estimate
from sekisho.probes.statistics.intervals import Interval, wilson
from sekisho.probes.statistics.metrics import METRICS, Metric, find_metric, fits
from sekisho.text import Text

DRAWN: Final = 101
"""How many quantiles of the resamples are kept for drawing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassRecall:
    """How much of one class is recognised.

    Attributes:
        label: The class.
        rows: How many rows of the test set belong to it.
        recall: The share of them that the model answers right.

    """

    label: str
    rows: int
    recall: Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Another model on the same rows.

    Attributes:
        score: Its score.
        difference: The score of the model minus this one, paired by row.

    """

    score: float
    difference: Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """A plain model that learned from the training set.

    Attributes:
        score: Its score.
        difference: The score of the model minus this one, paired by row.
        balanced_accuracy: The same difference of the balanced accuracy; ``None`` for values.

    """

    score: float
    difference: Interval
    balanced_accuracy: Interval | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Further:
    """Another metric that the contract requires.

    Attributes:
        metric: Its name.
        lower_is_better: Whether it measures an error.
        score: The metric and its interval.

    """

    metric: str
    lower_is_better: bool
    score: Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Performance:
    """One metric of the model on the test set.

    Attributes:
        metric: Its name; a usual one when the contract states none.
        lower_is_better: Whether it measures an error.
        hides_small_classes: Whether a model that never answers a rare class can still score high.
        score: The metric and its interval.
        method: How the interval was found.
        confidence: Of the two-sided interval.
        resamples: How many samples were drawn.
        seed: Of the resampling.
        rows: How many rows were answered.
        source: Who answered: ``artifact`` or ``service``.
        by_classes: Whether the metric scores answered classes, rather than probabilities or values.
        recalls: Each class that occurs; empty for values.
        balanced_accuracy: The mean recall over them; ``None`` for values.
        dummy: A model that looks at nothing.
        linear: A linear model on the same features; ``None`` without a training set.
        tree: One tree of at most eight leaves on them; ``None`` without a training set.
        further: The metrics of ``quality.requirements``, in that order.
        quantiles: 101 quantiles of the resampled metric, from 0 to 100 %, for drawing.

    """

    metric: str
    lower_is_better: bool
    hides_small_classes: bool
    score: Interval
    method: str
    confidence: float
    resamples: int
    seed: int
    rows: int
    source: str
    by_classes: bool
    recalls: tuple[ClassRecall, ...]
    balanced_accuracy: Interval | None
    dummy: Comparison
    linear: Baseline | None
    tree: Baseline | None
    further: tuple[Further, ...]
    quantiles: tuple[float, ...]


@probe("quality/performance", title=Text(en="Score the test set", ja="テストデータの性能を測定"), seconds=4)
def performance(quality: Quality, scored: Scored, training: TrainingSet | None, progress: Progress) -> Performance:
    """Measure the metric of the contract with its interval, and compare with a constant and a linear model.

    Raises:
        NotMeasured: The metric has no such name, does not fit the answers, or is undefined on these rows.

    """
    answers = scored.answers
    metric = metric_of(quality.metric, answers)
    further = [metric_of(each.metric, answers, where="quality.requirements") for each in quality.requirements]
    progress.advance(0.2)

    how = Resampling(confidence=quality.confidence, resamples=quality.resamples, seed=quality.seed)
    learned, features = _learned_from(scored, training)
    dummy = baselines.constant(answers, answers.truth if learned is None else learned, metric)
    plain = _plain(answers, scored, learned, features, quality.seed)
    progress.advance(0.5)

    found = estimate(metric, answers, [dummy, *plain.values()], how)
    progress.advance(0.8)
    gaps = dict(zip(plain, found.differences[1:], strict=True))
    beside = {name: _baseline(metric, answers, other, gaps[name], how) for name, other in plain.items()}
    return Performance(
        metric=metric.name,
        lower_is_better=metric.lower_is_better,
        hides_small_classes=metric.hides_small_classes,
        score=found.interval,
        method=found.method,
        confidence=how.confidence,
        resamples=how.resamples,
        seed=how.seed,
        rows=len(answers),
        source=scored.source,
        by_classes=metric.reads == "classes",
        recalls=_recalls(scored, how.confidence),
        balanced_accuracy=exact_balanced_accuracy(answers, how.confidence) if answers.classes else None,
        dummy=Comparison(score=metric.of(dummy), difference=found.differences[0]),
        linear=beside.get("linear"),
        tree=beside.get("tree"),
        further=tuple(
            Further(
                metric=each.name,
                lower_is_better=each.lower_is_better,
                score=estimate(each, answers, (), how).interval,
            )
            for each in further
        ),
        quantiles=tuple(np.nanquantile(found.replicates, np.linspace(0, 1, DRAWN)).tolist()),
    )


def metric_of(name: str | None, answers: Answers, *, where: str = "quality.metric") -> Metric:
    """Return the metric of that name, or a usual one if nobody stated any.

    Raises:
        NotMeasured: The metric has no such name, does not fit the answers, or is undefined on these rows.

    """
    usual = "r2" if answers.task == "regression" else "balanced_accuracy"
    try:
        metric = find_metric(name or usual)
    except WrongUse as error:
        raise NotMeasured(error.what, error.remedy, where=where) from error
    fault = fits(metric, answers)
    if fault is not None:
        raise NotMeasured(
            fault,
            Text(en=f"choose another {where}", ja=f"{where} を選び直してください"),
            where=where,
        )
    if not isfinite(metric.of(answers)):
        raise NotMeasured(
            Text(
                en=f"{metric.name} is undefined on the test set",
                ja=f"テストデータでは {metric.name} を計算できません",
            ),
            Text(
                en="the test set needs rows of every class, or values that differ",
                ja="テストデータにすべてのクラス、または異なる値を含めてください",
            ),
            where=where,
        )
    return metric


def _plain(
    answers: Answers, scored: Scored, learned: NDArray[np.generic] | None, features: Table | None, seed: int
) -> dict[str, Answers]:
    """Return the answers of plain models that learn from the training set."""
    if learned is None or features is None:
        return {}
    return baselines.plain(answers, learned, features, scored.test.select(features.names), seed)


def _baseline(metric: Metric, answers: Answers, other: Answers, gap: Interval, how: Resampling) -> Baseline:
    balanced = None
    if answers.classes:
        balanced = estimate(METRICS["balanced_accuracy"], answers, [other], how).differences[0]
    return Baseline(score=metric.of(other), difference=gap, balanced_accuracy=balanced)


def _recalls(scored: Scored, confidence: float) -> tuple[ClassRecall, ...]:
    shares = [(label, recall_share(scored.answers, number)) for number, label in enumerate(scored.labels.classes)]
    return tuple(
        ClassRecall(label=str(label), rows=share.trials, recall=wilson(share, confidence))
        for label, share in shares
        if share.trials
    )


def _learned_from(scored: Scored, training: TrainingSet | None) -> tuple[NDArray[np.generic] | None, Table | None]:
    """Return the targets of the training set in the numbers of the answers, and its features where all are there."""
    if training is None or training.target is None:
        return None, None
    numbers = scored.labels.numbers(training.target.scalars())
    known = np.flatnonzero(~np.isnan(numbers))
    if not len(known):
        return None, None
    learned = numbers[known] if not scored.labels.classes else numbers[known].astype(np.int64)
    features = None
    if set(scored.signature.names) <= set(training.full.names):
        features = training.full.select(scored.signature.names)
        features = features if len(known) == features.rows else features.take(known)
    return learned, features
