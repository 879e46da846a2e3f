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
from sekisho.probes.statistics.metrics import Metric, find_metric, fits
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
    linear: Comparison | None
    quantiles: tuple[float, ...]


@probe("quality/performance", title=Text(en="Score the test set", ja="テストデータの性能を測定"), seconds=4)
def performance(quality: Quality, scored: Scored, training: TrainingSet | None, progress: Progress) -> Performance:
    """Measure the metric of the contract with its interval, and compare with a constant and a linear model.

    Raises:
        NotMeasured: The metric has no such name, does not fit the answers, or is undefined on these rows.

    """
    answers = scored.answers
    metric = _metric(quality, answers)
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
        )
    progress.advance(0.2)

    how = Resampling(confidence=quality.confidence, resamples=quality.resamples, seed=quality.seed)
    learned, features = _learned_from(scored, training)
    dummy = baselines.constant(answers, answers.truth if learned is None else learned, metric)
    others = [dummy]
    if learned is not None and features is not None:
        table = scored.test.select(features.names)
        line = baselines.linear(answers, learned, features, table, quality.seed)
        others += [line] if line is not None else []
    progress.advance(0.5)

    found = estimate(metric, answers, others, how)
    compared = [
        Comparison(score=metric.of(other), difference=gap) for other, gap in zip(others, found.differences, strict=True)
    ]
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
        dummy=compared[0],
        linear=compared[1] if len(compared) > 1 else None,
        quantiles=tuple(np.nanquantile(found.replicates, np.linspace(0, 1, DRAWN)).tolist()),
    )


def _metric(quality: Quality, answers: Answers) -> Metric:
    usual = "r2" if answers.task == "regression" else "balanced_accuracy"
    try:
        metric = find_metric(quality.metric or usual)
    except WrongUse as error:
        raise NotMeasured(error.what, error.remedy, where="quality.metric") from error
    fault = fits(metric, answers)
    if fault is not None:
        raise NotMeasured(
            fault,
            Text(en="choose another quality.metric", ja="quality.metric を選び直してください"),
            where="quality.metric",
        )
    return metric


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
        features = training.full.select(scored.signature.names).take(known)
    return learned, features
