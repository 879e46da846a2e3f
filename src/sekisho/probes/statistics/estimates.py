"""A score with its interval, and the difference of two scores on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sekisho.probes.statistics.answers import Answers, Floats, patterns
from sekisho.probes.statistics.bootstrap import (
    Measure,
    bca_bounds,
    bootstrap,
    percentile_bounds,
    standard_errors,
    widened,
)
from sekisho.probes.statistics.intervals import Interval, Share, wilson
from sekisho.probes.statistics.metrics import Metric

Method = Literal["score interval", "studentised bootstrap", "BCa bootstrap"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Resampling:
    """How intervals are made.

    Attributes:
        confidence: Of the two-sided interval.
        resamples: How many samples are drawn.
        seed: Of the generator.
        most_rows: A score of more rows, one that does not only count classes, is resampled on as many of them.

    """

    confidence: float
    resamples: int
    seed: int
    most_rows: int = 20_000


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Estimates:
    """One metric of a model, and how far it is from that of others on the same rows.

    Attributes:
        interval: Of the model.
        method: How the interval was found.
        replicates: Shape ``(resamples,)``: the metric of each resample; NaN where undefined.
        differences: Of the model from each of the others: model minus other.

    """

    interval: Interval
    method: Method
    replicates: Floats
    differences: tuple[Interval, ...]


def estimate(metric: Metric, model: Answers, others: Sequence[Answers], how: Resampling) -> Estimates:
    """Return the metric of ``model`` with its interval, and its paired differences from ``others``.

    Args:
        metric: What is measured; it must fit the answers.
        model: The answers judged.
        others: What others answered to the same rows.
        how: The confidence, the number of resamples and the seed.

    """
    several: tuple[Answers, ...] = (model, *others)
    points = np.array([metric.of(answers) for answers in several])
    counts = np.ones(len(model), dtype=np.int64)
    if metric.reads == "classes":
        several, counts = patterns(several)
    elif len(model) > how.most_rows:
        drawn = np.random.default_rng(how.seed).choice(len(model), how.most_rows, replace=False)
        several, counts = tuple(answers.take(drawn) for answers in several), counts[: how.most_rows]
    measures: list[Measure] = [partial(metric.score, answers) for answers in several]
    if metric.losses is not None:
        measures.append(partial(standard_errors, metric.losses(several[0])))
    replicates = bootstrap(measures, counts, how.resamples, how.seed)
    errors, replicates = replicates[len(several) :], replicates[: len(several)]
    scattered = replicates[0]
    if counts.sum() < len(model):
        # Errors shrink with the root of the number of rows: what fewer rows scatter tells what all of them do.
        centres = np.array([metric.of(answers) for answers in several])
        shrink = np.sqrt(counts.sum() / len(model))
        replicates = points[:, None] + (replicates - centres[:, None]) * shrink

    method: Method
    if len(errors):
        interval, method = _studentised(metric, model, several[0], scattered, errors[0], how), "studentised bootstrap"
    else:
        interval, method = _interval(metric, model, measures[0], counts, float(points[0]), replicates[0], how)
    return Estimates(
        interval=interval,
        method=method,
        replicates=replicates[0],
        differences=tuple(
            _difference(float(points[0] - points[index]), replicates[0] - replicates[index], how.confidence)
            for index in range(1, len(several))
        ),
    )


def _interval(
    metric: Metric,
    model: Answers,
    measure: Measure,
    counts: NDArray[np.int64],
    point: float,
    replicates: Floats,
    how: Resampling,
) -> tuple[Interval, Method]:
    exact = metric.exact(model, how.confidence) if metric.exact is not None else None
    if exact is not None:
        return exact, "score interval"
    low, high = bca_bounds(measure, counts, point, replicates, widened(how.confidence, len(model)))
    return _never_certain(Interval(point=point, low=low, high=high), metric, model, how), "BCa bootstrap"


def _studentised(
    metric: Metric, model: Answers, drawn: Answers, scattered: Floats, errors: Floats, how: Resampling
) -> Interval:
    """Return the interval of a mean of losses, each resample measured in standard errors of its own.

    Few losses are large and most are small: a resample that misses the large ones has a small error too, which plain
    percentiles do not see. Source: B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 12.

    Args:
        metric: Has losses.
        model: All answers.
        drawn: Those that were resampled: all, or some of very many.
        scattered: Shape ``(b,)``: the score of each resample.
        errors: Shape ``(b,)``: the standard error of the mean loss of each.
        how: The confidence.

    """
    assert metric.losses is not None
    losses = metric.losses(model)
    mean, error = float(losses.mean()), float(losses.std() / np.sqrt(len(losses)))
    centre = mean if drawn is model else float(metric.losses(drawn).mean())
    means = scattered**2 if metric.root else scattered
    known = np.isfinite(means) & (errors > 0)
    if error == 0 or np.count_nonzero(known) < len(means) / 2:
        interval = Interval(point=mean, low=mean, high=mean)
    else:
        tail = (1 - how.confidence) / 2
        far = np.quantile((means[known] - centre) / errors[known], [1 - tail, tail])
        low, high = mean - far * error
        interval = Interval(point=mean, low=max(0.0, min(mean, float(low))), high=max(mean, float(high)))
    if metric.root:
        interval = Interval(point=sqrt(interval.point), low=sqrt(interval.low), high=sqrt(interval.high))
    return _never_certain(interval, metric, model, how)


def _difference(point: float, replicates: Floats, confidence: float) -> Interval:
    low, high = percentile_bounds(replicates, confidence)
    return Interval(point=point, low=low, high=high)


def _never_certain(interval: Interval, metric: Metric, model: Answers, how: Resampling) -> Interval:
    """Return an interval with a width where the bootstrap has none: a score without a single fault in its rows.

    No resample of a faultless sample has a fault, however few rows there are. The bound of the proportion ``n`` of ``n``,
    with the rows of the smallest class for ``n``, stands in.
    """
    if metric.reads == "values" or interval.point != metric.best:
        return interval
    rows = np.bincount(model.truth.astype(np.int64))
    faultless = int(rows[rows > 0].min())
    room = 1 - wilson(Share(count=faultless, trials=faultless), how.confidence).low
    if metric.lower_is_better:
        return Interval(point=interval.point, low=interval.low, high=max(interval.high, metric.best + room))
    return Interval(point=interval.point, low=min(interval.low, metric.best - room), high=interval.high)
