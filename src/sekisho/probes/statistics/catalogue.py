"""The scores that a contract may name, each computed for many weightings of the rows at once.

A score takes answers of ``m`` rows and weights of shape ``(b, m)``, and gives shape ``(b,)``: the form that the bootstrap needs.
Definitions are those of scikit-learn; where a score is undefined (no positive row in a resample) it is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

import numpy as np

from sekisho.probes.statistics import class_scores, probability_scores, ranking_scores, reliability, value_scores
from sekisho.probes.statistics.answers import Answers, Floats
from sekisho.probes.statistics.intervals import Interval

Reads = Literal["classes", "probabilities", "values"]
Score = Callable[[Answers, Floats], Floats]


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One score.

    Attributes:
        name: What a contract calls it.
        reads: What it needs of the answers.
        score: The function.
        lower_is_better: Whether it measures an error.
        best: The score of a perfect model.
        hides_small_classes: Whether a model that never answers a rare class can still score high.
        exact: Its interval where one is known that needs no resampling.
        losses: The loss of each row, where the score is their mean.
        root: Whether it is the root of their mean.
        constant: Which single value scores best, of values shape ``(n,)``; the mean by default.
        needs_positive: Whether it speaks of one class.

    """

    name: str
    reads: Reads
    score: Score
    lower_is_better: bool = False
    best: float = 1.0
    hides_small_classes: bool = False
    exact: Callable[[Answers, float], Interval | None] | None = None
    losses: Callable[[Answers], Floats] | None = None
    root: bool = False
    constant: Callable[[Floats], float] | None = None
    needs_positive: bool = False

    def of(self, answers: Answers) -> float:
        """Return the score of all rows, each counted once; NaN where it is undefined."""
        return float(self.score(answers, np.ones((1, len(answers))))[0])


def _least_mape(values: Floats) -> float:
    """Return the value that is off by the least fraction: the median, each value weighing the inverse of its size."""
    ordered = np.sort(values)
    weights = 1 / np.maximum(np.abs(ordered), np.finfo(np.float64).eps)
    reached = np.cumsum(weights)
    return float(ordered[np.searchsorted(reached, reached[-1] / 2)])


def _least_msle(values: Floats) -> float:
    return float(np.expm1(np.log1p(np.maximum(values, 0.0)).mean()))


_CLASSES: Final = (
    Metric(
        name="accuracy",
        reads="classes",
        score=class_scores.accuracy,
        exact=class_scores.exact_accuracy,
        hides_small_classes=True,
    ),
    Metric(
        name="error_rate",
        reads="classes",
        score=class_scores.error_rate,
        exact=class_scores.exact_error_rate,
        hides_small_classes=True,
        lower_is_better=True,
        best=0.0,
    ),
    Metric(
        name="balanced_accuracy",
        reads="classes",
        score=class_scores.balanced_accuracy,
        exact=class_scores.exact_balanced_accuracy,
    ),
    Metric(name="matthews_corrcoef", reads="classes", score=class_scores.matthews),
    Metric(name="cohen_kappa", reads="classes", score=class_scores.kappa),
    Metric(name="linear_kappa", reads="classes", score=partial(class_scores.weighted_kappa, power=1)),
    Metric(name="quadratic_kappa", reads="classes", score=partial(class_scores.weighted_kappa, power=2)),
    Metric(name="geometric_mean", reads="classes", score=class_scores.geometric_mean),
    Metric(
        name="jaccard", reads="classes", needs_positive=True, score=partial(class_scores.jaccard, average="positive")
    ),
    Metric(name="jaccard_macro", reads="classes", score=partial(class_scores.jaccard, average="macro")),
    Metric(
        name="jaccard_weighted",
        reads="classes",
        score=partial(class_scores.jaccard, average="weighted"),
        hides_small_classes=True,
    ),
    Metric(
        name="negative_predictive_value",
        reads="classes",
        needs_positive=True,
        score=class_scores.negative_predictive_value,
        hides_small_classes=True,
    ),
    Metric(
        name="false_positive_rate",
        reads="classes",
        needs_positive=True,
        score=class_scores.false_positive_rate,
        lower_is_better=True,
        best=0.0,
        hides_small_classes=True,
    ),
    Metric(
        name="specificity",
        needs_positive=True,
        reads="classes",
        score=class_scores.specificity,
        exact=class_scores.exact_specificity,
    ),
    Metric(
        name="precision",
        needs_positive=True,
        reads="classes",
        score=partial(class_scores.precision, average="positive"),
        exact=class_scores.exact_precision,
    ),
    Metric(
        name="recall",
        needs_positive=True,
        reads="classes",
        score=partial(class_scores.recall, average="positive"),
        exact=class_scores.exact_recall,
    ),
    Metric(name="f1", needs_positive=True, reads="classes", score=partial(class_scores.f_score, average="positive")),
    Metric(
        name="f2",
        needs_positive=True,
        reads="classes",
        score=partial(class_scores.f_score, average="positive", beta=2.0),
    ),
    Metric(
        name="f0.5",
        needs_positive=True,
        reads="classes",
        score=partial(class_scores.f_score, average="positive", beta=0.5),
    ),
    Metric(name="precision_macro", reads="classes", score=partial(class_scores.precision, average="macro")),
    Metric(name="recall_macro", reads="classes", score=partial(class_scores.recall, average="macro")),
    Metric(name="f1_macro", reads="classes", score=partial(class_scores.f_score, average="macro")),
    Metric(
        name="precision_weighted",
        reads="classes",
        score=partial(class_scores.precision, average="weighted"),
        hides_small_classes=True,
    ),
    Metric(
        name="recall_weighted",
        reads="classes",
        score=class_scores.accuracy,
        exact=class_scores.exact_accuracy,
        hides_small_classes=True,
    ),
    Metric(
        name="f1_weighted",
        reads="classes",
        score=partial(class_scores.f_score, average="weighted"),
        hides_small_classes=True,
    ),
    Metric(
        name="f1_micro",
        reads="classes",
        score=class_scores.accuracy,
        exact=class_scores.exact_accuracy,
        hides_small_classes=True,
    ),
    Metric(
        name="precision_micro",
        reads="classes",
        score=class_scores.accuracy,
        exact=class_scores.exact_accuracy,
        hides_small_classes=True,
    ),
    Metric(
        name="recall_micro",
        reads="classes",
        score=class_scores.accuracy,
        exact=class_scores.exact_accuracy,
        hides_small_classes=True,
    ),
)
_PROBABILITIES: Final = (
    Metric(name="roc_auc", reads="probabilities", score=probability_scores.roc_auc),
    Metric(name="average_precision", reads="probabilities", score=probability_scores.average_precision),
    Metric(name="roc_auc_weighted", reads="probabilities", score=probability_scores.roc_auc_weighted),
    Metric(
        name="average_precision_weighted", reads="probabilities", score=probability_scores.average_precision_weighted
    ),
    Metric(name="gini", reads="probabilities", needs_positive=True, score=ranking_scores.gini),
    Metric(name="ks", reads="probabilities", needs_positive=True, score=ranking_scores.kolmogorov_smirnov),
    Metric(name="ndcg", reads="probabilities", needs_positive=True, score=ranking_scores.ndcg),
    Metric(
        name="log_loss",
        reads="probabilities",
        score=probability_scores.log_loss,
        losses=probability_scores.log_losses,
        lower_is_better=True,
        best=0.0,
    ),
    Metric(
        name="brier",
        reads="probabilities",
        score=probability_scores.brier,
        losses=probability_scores.squared_distances,
        lower_is_better=True,
        best=0.0,
    ),
    Metric(
        name="calibration_error",
        reads="probabilities",
        score=probability_scores.calibration_error,
        exact=reliability.calibration_interval,
        lower_is_better=True,
        best=0.0,
    ),
)
_VALUES: Final = (
    Metric(
        name="mae",
        reads="values",
        score=value_scores.mae,
        losses=value_scores.absolute_errors,
        lower_is_better=True,
        best=0.0,
        constant=np.median,
    ),
    Metric(
        name="mse",
        reads="values",
        score=value_scores.mse,
        losses=value_scores.squared_errors,
        lower_is_better=True,
        best=0.0,
    ),
    Metric(
        name="rmse",
        reads="values",
        score=value_scores.rmse,
        losses=value_scores.squared_errors,
        lower_is_better=True,
        best=0.0,
        root=True,
    ),
    Metric(
        name="mape",
        reads="values",
        score=value_scores.mape,
        losses=value_scores.fractional_errors,
        lower_is_better=True,
        best=0.0,
        constant=_least_mape,
    ),
    Metric(
        name="smape",
        reads="values",
        score=value_scores.smape,
        losses=value_scores.symmetric_errors,
        lower_is_better=True,
        best=0.0,
        constant=np.median,
    ),
    Metric(name="wape", reads="values", score=value_scores.wape, lower_is_better=True, best=0.0, constant=np.median),
    Metric(
        name="msle",
        reads="values",
        score=value_scores.msle,
        losses=value_scores.squared_log_errors,
        lower_is_better=True,
        best=0.0,
        constant=_least_msle,
    ),
    Metric(
        name="rmsle",
        reads="values",
        score=value_scores.rmsle,
        losses=value_scores.squared_log_errors,
        lower_is_better=True,
        best=0.0,
        root=True,
        constant=_least_msle,
    ),
    Metric(
        name="poisson_deviance", reads="values", score=value_scores.poisson_deviance, lower_is_better=True, best=0.0
    ),
    Metric(name="bias", reads="values", score=value_scores.bias, lower_is_better=True, best=0.0),
    Metric(
        name="median_absolute_error",
        reads="values",
        score=value_scores.median_absolute_error,
        lower_is_better=True,
        best=0.0,
        constant=np.median,
    ),
    Metric(name="r2", reads="values", score=value_scores.r2),
    Metric(name="explained_variance", reads="values", score=value_scores.explained_variance),
)
METRICS: Final[Mapping[str, Metric]] = {metric.name: metric for metric in (*_CLASSES, *_PROBABILITIES, *_VALUES)}
"""Every score that a contract may name."""
