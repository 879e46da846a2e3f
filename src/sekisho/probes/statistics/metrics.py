"""The scores that a contract may name, each computed for many weightings of the rows at once.

A score takes answers of ``m`` rows and weights of shape ``(b, m)``, and gives shape ``(b,)``: the form that the bootstrap needs.
Definitions are those of scikit-learn; where a score is undefined (no positive row in a resample) it is NaN.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sekisho.errors import WrongUse
from sekisho.probes.statistics.answers import Answers, Floats
from sekisho.probes.statistics.intervals import Interval, Share, mean_of_shares, wilson
from sekisho.text import Text

Reads = Literal["classes", "probabilities", "values"]
Score = Callable[[Answers, Floats], Floats]
Average = Literal["positive", "macro", "micro", "weighted"]


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

    """

    name: str
    reads: Reads
    score: Score
    lower_is_better: bool = False
    best: float = 1.0
    hides_small_classes: bool = False
    exact: Callable[[Answers, float], Interval | None] | None = None

    def of(self, answers: Answers) -> float:
        """Return the score of all rows, each counted once; NaN where it is undefined."""
        return float(self.score(answers, np.ones((1, len(answers))))[0])


# Scores of classes: all of them follow from three counts a class.


def _counts(answers: Answers, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Return hits, right and given answers of each class, shape ``(b, classes)`` each."""
    number = np.arange(answers.classes)
    truth, given = answers.truth[:, None] == number, answers.given[:, None] == number
    return weights @ (truth & given).astype(float), weights @ truth.astype(float), weights @ given.astype(float)


def _divide(above: Floats, below: Floats, empty: float = 0.0) -> Floats:
    return np.divide(above, below, out=np.full(np.broadcast(above, below).shape, empty), where=below != 0)


def _averaged(each: Floats, right: Floats, answers: Answers, average: Average, known: Floats) -> Floats:
    if average == "positive":
        scores: Floats = each[:, answers.positive]
        return scores
    if average == "weighted":
        return _divide((each * right).sum(axis=1), right.sum(axis=1))
    return _divide((each * known).sum(axis=1), known.sum(axis=1))


def _accuracy(answers: Answers, weights: Floats) -> Floats:
    return _divide(weights @ (answers.truth == answers.given).astype(float), weights.sum(axis=1))


def _error_rate(answers: Answers, weights: Floats) -> Floats:
    return 1 - _accuracy(answers, weights)


def _recall(answers: Answers, weights: Floats, average: Average) -> Floats:
    hits, right, given = _counts(answers, weights)
    # A class that is neither right nor given in a resample does not count, as in scikit-learn.
    known = (right > 0) if average != "macro" else (right + given > 0)
    return _averaged(_divide(hits, right), right, answers, average, known.astype(float))


def _balanced_accuracy(answers: Answers, weights: Floats) -> Floats:
    hits, right, _ = _counts(answers, weights)
    return _averaged(_divide(hits, right), right, answers, "macro", (right > 0).astype(float))


def _precision(answers: Answers, weights: Floats, average: Average) -> Floats:
    hits, right, given = _counts(answers, weights)
    return _averaged(_divide(hits, given), right, answers, average, (right + given > 0).astype(float))


def _f_score(answers: Answers, weights: Floats, average: Average, beta: float = 1.0) -> Floats:
    hits, right, given = _counts(answers, weights)
    each = _divide((1 + beta**2) * hits, beta**2 * right + given)
    return _averaged(each, right, answers, average, (right + given > 0).astype(float))


def _specificity(answers: Answers, weights: Floats) -> Floats:
    negative = answers.truth != answers.positive
    kept = negative & (answers.given != answers.positive)
    return _divide(weights @ kept.astype(float), weights @ negative.astype(float), np.nan)


def _matthews(answers: Answers, weights: Floats) -> Floats:
    hits, right, given = _counts(answers, weights)
    rows = weights.sum(axis=1)
    above = hits.sum(axis=1) * rows - (right * given).sum(axis=1)
    below = np.sqrt((rows**2 - (given**2).sum(axis=1)) * (rows**2 - (right**2).sum(axis=1)))
    return _divide(above, below)


def _kappa(answers: Answers, weights: Floats) -> Floats:
    hits, right, given = _counts(answers, weights)
    rows = weights.sum(axis=1)
    chance = _divide((right * given).sum(axis=1), rows**2)
    return _divide(_divide(hits.sum(axis=1), rows) - chance, 1 - chance)


# Scores of probabilities.


def _ranked(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> tuple[Floats, Floats]:
    """Return the weight of positive and of other rows at each different score, falling, shape ``(b, different)``."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(scores[order]) != 0]))
    ordered, hits = weights[:, order], positive[order].astype(float)
    return np.add.reduceat(ordered * hits, starts, axis=1), np.add.reduceat(ordered * (1 - hits), starts, axis=1)


def roc_auc_of(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> Floats:
    """Return how often a positive row scores above another one, ties counting half, shape ``(b,)``.

    Args:
        scores: Shape ``(m,)``.
        positive: Shape ``(m,)``.
        weights: Shape ``(b, m)``.

    """
    hits, others = _ranked(scores, positive, weights)
    below = others.sum(axis=1, keepdims=True) - np.cumsum(others, axis=1)
    won = (hits * (below + others / 2)).sum(axis=1)
    return _divide(won, hits.sum(axis=1) * others.sum(axis=1), np.nan)


def _average_precision_of(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> Floats:
    hits, others = _ranked(scores, positive, weights)
    found = np.cumsum(hits, axis=1)
    precision = _divide(found, found + np.cumsum(others, axis=1))
    return _divide((hits * precision).sum(axis=1), found[:, -1], np.nan)


def _each_class(
    answers: Answers, weights: Floats, of_class: Callable[[Floats, NDArray[np.bool_], Floats], Floats]
) -> Floats:
    """Return the score of the positive class, or the mean over all classes, each against the rest."""
    assert answers.probabilities is not None
    chosen = range(answers.classes) if answers.positive is None else [answers.positive]
    return np.mean([of_class(answers.probabilities[:, k], answers.truth == k, weights) for k in chosen], axis=0)


def _roc_auc(answers: Answers, weights: Floats) -> Floats:
    return _each_class(answers, weights, roc_auc_of)


def _average_precision(answers: Answers, weights: Floats) -> Floats:
    return _each_class(answers, weights, _average_precision_of)


def _log_loss(answers: Answers, weights: Floats) -> Floats:
    assert answers.probabilities is not None
    right = answers.probabilities[np.arange(len(answers)), answers.truth.astype(np.int64)]
    return _mean(-np.log(np.clip(right, 1e-15, 1.0)), weights)


def _brier(answers: Answers, weights: Floats) -> Floats:
    assert answers.probabilities is not None
    right = answers.truth[:, None] == np.arange(answers.classes)
    squares = ((answers.probabilities - right) ** 2).sum(axis=1)
    return _mean(squares / 2 if answers.classes == 2 else squares, weights)


def _calibration_error(answers: Answers, weights: Floats, bins: int = 10) -> Floats:
    """Return the expected calibration error over bins of equal width.

    Source: C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017.
    """
    assert answers.probabilities is not None
    if answers.positive is None:
        stated, happened = answers.probabilities.max(axis=1), answers.probabilities.argmax(axis=1) == answers.truth
    else:
        stated, happened = answers.probabilities[:, answers.positive], answers.truth == answers.positive
    member = np.minimum((stated * bins).astype(int), bins - 1)[:, None] == np.arange(bins)
    gaps = weights @ (member * (stated - happened)[:, None])
    return _divide(np.abs(gaps).sum(axis=1), weights.sum(axis=1))


# Scores of values.


def _mean(losses: Floats, weights: Floats) -> Floats:
    return _divide(weights @ losses, weights.sum(axis=1))


def _errors(answers: Answers) -> Floats:
    errors: Floats = answers.truth.astype(np.float64) - answers.given.astype(np.float64)
    return errors


def _mae(answers: Answers, weights: Floats) -> Floats:
    return _mean(np.abs(_errors(answers)), weights)


def _mse(answers: Answers, weights: Floats) -> Floats:
    return _mean(_errors(answers) ** 2, weights)


def _rmse(answers: Answers, weights: Floats) -> Floats:
    return np.sqrt(_mse(answers, weights))


def _mape(answers: Answers, weights: Floats) -> Floats:
    size = np.maximum(np.abs(answers.truth.astype(np.float64)), np.finfo(np.float64).eps)
    return _mean(np.abs(_errors(answers)) / size, weights)


def _median_absolute_error(answers: Answers, weights: Floats) -> Floats:
    losses = np.abs(_errors(answers))
    order = np.argsort(losses)
    reached = np.cumsum(weights[:, order], axis=1)
    half = reached[:, -1:] / 2
    lower, upper = (reached >= half).argmax(axis=1), (reached > half).argmax(axis=1)
    middle: Floats = (losses[order][lower] + losses[order][upper]) / 2
    return middle


def _spread(values: Floats, weights: Floats) -> Floats:
    return _mean(values**2, weights) - _mean(values, weights) ** 2


def _r2(answers: Answers, weights: Floats) -> Floats:
    truth = answers.truth.astype(np.float64)
    return 1 - _divide(_mse(answers, weights), _spread(truth - truth.mean(), weights), np.nan)


def _explained_variance(answers: Answers, weights: Floats) -> Floats:
    truth = answers.truth.astype(np.float64)
    return 1 - _divide(_spread(_errors(answers), weights), _spread(truth - truth.mean(), weights), np.nan)


# Intervals that need no resampling.


def _exact_accuracy(answers: Answers, confidence: float) -> Interval:
    right = int(np.count_nonzero(answers.truth == answers.given))
    return wilson(Share(count=right, trials=len(answers)), confidence)


def _exact_error_rate(answers: Answers, confidence: float) -> Interval:
    right = _exact_accuracy(answers, confidence)
    return Interval(point=1 - right.point, low=1 - right.high, high=1 - right.low)


def recall_share(answers: Answers, number: int) -> Share:
    """Return how many of the rows of class ``number`` were answered with it."""
    rows = answers.truth == number
    return Share(count=int(np.count_nonzero(answers.given[rows] == number)), trials=int(np.count_nonzero(rows)))


def _exact_recall(answers: Answers, confidence: float) -> Interval | None:
    return None if answers.positive is None else wilson(recall_share(answers, answers.positive), confidence)


def _exact_precision(answers: Answers, confidence: float) -> Interval:
    rows = answers.given == answers.positive
    hits = int(np.count_nonzero(answers.truth[rows] == answers.positive))
    return wilson(Share(count=hits, trials=int(np.count_nonzero(rows))), confidence)


def _exact_specificity(answers: Answers, confidence: float) -> Interval:
    rows = answers.truth != answers.positive
    kept = int(np.count_nonzero(answers.given[rows] != answers.positive))
    return wilson(Share(count=kept, trials=int(np.count_nonzero(rows))), confidence)


def _exact_balanced_accuracy(answers: Answers, confidence: float) -> Interval:
    shares = [recall_share(answers, number) for number in range(answers.classes)]
    return mean_of_shares([share for share in shares if share.trials], confidence)


# The vocabulary.

_CLASSES: Final = (
    Metric(name="accuracy", reads="classes", score=_accuracy, exact=_exact_accuracy, hides_small_classes=True),
    Metric(
        name="error_rate",
        reads="classes",
        score=_error_rate,
        exact=_exact_error_rate,
        hides_small_classes=True,
        lower_is_better=True,
        best=0.0,
    ),
    Metric(name="balanced_accuracy", reads="classes", score=_balanced_accuracy, exact=_exact_balanced_accuracy),
    Metric(name="matthews_corrcoef", reads="classes", score=_matthews),
    Metric(name="cohen_kappa", reads="classes", score=_kappa),
    Metric(name="specificity", reads="classes", score=_specificity, exact=_exact_specificity),
    Metric(name="precision", reads="classes", score=partial(_precision, average="positive"), exact=_exact_precision),
    Metric(name="recall", reads="classes", score=partial(_recall, average="positive"), exact=_exact_recall),
    Metric(name="f1", reads="classes", score=partial(_f_score, average="positive")),
    Metric(name="f2", reads="classes", score=partial(_f_score, average="positive", beta=2.0)),
    Metric(name="f0.5", reads="classes", score=partial(_f_score, average="positive", beta=0.5)),
    Metric(name="precision_macro", reads="classes", score=partial(_precision, average="macro")),
    Metric(name="recall_macro", reads="classes", score=partial(_recall, average="macro")),
    Metric(name="f1_macro", reads="classes", score=partial(_f_score, average="macro")),
    Metric(
        name="precision_weighted",
        reads="classes",
        score=partial(_precision, average="weighted"),
        hides_small_classes=True,
    ),
    Metric(
        name="recall_weighted",
        reads="classes",
        score=_accuracy,
        exact=_exact_accuracy,
        hides_small_classes=True,
    ),
    Metric(name="f1_weighted", reads="classes", score=partial(_f_score, average="weighted"), hides_small_classes=True),
    Metric(name="f1_micro", reads="classes", score=_accuracy, exact=_exact_accuracy, hides_small_classes=True),
    Metric(name="precision_micro", reads="classes", score=_accuracy, exact=_exact_accuracy, hides_small_classes=True),
    Metric(name="recall_micro", reads="classes", score=_accuracy, exact=_exact_accuracy, hides_small_classes=True),
)
_PROBABILITIES: Final = (
    Metric(name="roc_auc", reads="probabilities", score=_roc_auc),
    Metric(name="average_precision", reads="probabilities", score=_average_precision),
    Metric(name="log_loss", reads="probabilities", score=_log_loss, lower_is_better=True, best=0.0),
    Metric(name="brier", reads="probabilities", score=_brier, lower_is_better=True, best=0.0),
    Metric(name="calibration_error", reads="probabilities", score=_calibration_error, lower_is_better=True, best=0.0),
)
_VALUES: Final = (
    Metric(name="mae", reads="values", score=_mae, lower_is_better=True, best=0.0),
    Metric(name="mse", reads="values", score=_mse, lower_is_better=True, best=0.0),
    Metric(name="rmse", reads="values", score=_rmse, lower_is_better=True, best=0.0),
    Metric(name="mape", reads="values", score=_mape, lower_is_better=True, best=0.0),
    Metric(name="median_absolute_error", reads="values", score=_median_absolute_error, lower_is_better=True, best=0.0),
    Metric(name="r2", reads="values", score=_r2),
    Metric(name="explained_variance", reads="values", score=_explained_variance),
)
METRICS: Final[Mapping[str, Metric]] = {metric.name: metric for metric in (*_CLASSES, *_PROBABILITIES, *_VALUES)}
"""Every score that a contract may name."""

SYNONYMS: Final[Mapping[str, str]] = {
    "accuracy_score": "accuracy",
    "ap": "average_precision",
    "auc": "roc_auc",
    "auc_roc": "roc_auc",
    "auroc": "roc_auc",
    "average_precision_score": "average_precision",
    "balanced_accuracy_score": "balanced_accuracy",
    "brier_score": "brier",
    "brier_score_loss": "brier",
    "cohen_kappa_score": "cohen_kappa",
    "cross_entropy": "log_loss",
    "ece": "calibration_error",
    "expected_calibration_error": "calibration_error",
    "f1_score": "f1",
    "logloss": "log_loss",
    "macro_f1": "f1_macro",
    "mcc": "matthews_corrcoef",
    "mean_absolute_error": "mae",
    "mean_absolute_percentage_error": "mape",
    "mean_squared_error": "mse",
    "pr_auc": "average_precision",
    "precision_score": "precision",
    "r2_score": "r2",
    "recall_score": "recall",
    "roc_auc_ovr": "roc_auc",
    "roc_auc_score": "roc_auc",
    "root_mean_squared_error": "rmse",
    "sensitivity": "recall",
    "tpr": "recall",
    "true_positive_rate": "recall",
}
"""Other words for the same scores."""


def find_metric(name: str) -> Metric:
    """Return the score that ``name`` names, by its own name or a synonym; case, blanks and dashes do not count.

    Raises:
        WrongUse: Nothing is named so; the remedy names what comes nearest.

    """
    key = name.strip().lower().replace("-", "_").replace(" ", "_")
    found = METRICS.get(SYNONYMS.get(key, key))
    if found is not None:
        return found
    near = difflib.get_close_matches(key.removeprefix("neg_"), (*METRICS, *SYNONYMS), n=1, cutoff=0.5)
    nearest = SYNONYMS.get(near[0], near[0]) if near else None
    known = ", ".join(METRICS)
    raise WrongUse(
        Text(en=f"there is no metric named {name!r}", ja=f"{name!r} という評価指標はありません"),
        Text(en=f"did you mean {nearest}?", ja=f"{nearest} ではありませんか")
        if nearest
        else Text(en=f"choose one of {known}", ja=f"次から選んでください: {known}"),
    )


def fits(metric: Metric, answers: Answers) -> Text | None:
    """Return why ``metric`` cannot be computed from ``answers``; ``None`` if it can."""
    name = metric.name
    if (metric.reads == "values") is not (answers.task == "regression"):
        kind = Text(en="values", ja="数値") if answers.task == "regression" else Text(en="classes", ja="クラス")
        return Text(
            en=f"{name} does not score a model that answers {kind.en}",
            ja=f"{name} は{kind.ja}を答えるモデルの指標ではありません",
        )
    if metric.reads == "probabilities" and answers.probabilities is None:
        return Text(
            en=f"{name} needs probabilities, and the model gives none",
            ja=f"{name} には確率が必要ですが、モデルが返していません",
        )
    if answers.positive is None and name in {"precision", "recall", "f1", "f2", "f0.5", "specificity"}:
        return Text(
            en=f"{name} needs one positive class, and there are {answers.classes}; state data.positive or use its macro form",
            ja=f"{name} には陽性クラスが1つ必要ですが、クラスが {answers.classes} 個あります。data.positive を指定するか、マクロ平均を使ってください",
        )
    return None
