"""Scores of answered classes: all of them follow from three counts a class, and some have exact intervals."""

from __future__ import annotations

from typing import Literal

import numpy as np

from sekisho.probes.statistics.answers import Answers, Floats
from sekisho.probes.statistics.intervals import Interval, Share, mean_of_shares, wilson
from sekisho.probes.statistics.weighing import divide

Average = Literal["positive", "macro", "micro", "weighted"]


def _counts(answers: Answers, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Return hits, right and given answers of each class, shape ``(b, classes)`` each."""
    number = np.arange(answers.classes)
    truth, given = answers.truth[:, None] == number, answers.given[:, None] == number
    return weights @ (truth & given).astype(float), weights @ truth.astype(float), weights @ given.astype(float)


def _averaged(each: Floats, right: Floats, answers: Answers, average: Average, known: Floats) -> Floats:
    if average == "positive":
        scores: Floats = each[:, answers.positive]
        return scores
    if average == "weighted":
        return divide((each * right).sum(axis=1), right.sum(axis=1))
    return divide((each * known).sum(axis=1), known.sum(axis=1))


def accuracy(answers: Answers, weights: Floats) -> Floats:
    """Return the share of rows answered right."""
    return divide(weights @ (answers.truth == answers.given).astype(float), weights.sum(axis=1))


def error_rate(answers: Answers, weights: Floats) -> Floats:
    """Return the share of rows answered wrong."""
    return 1 - accuracy(answers, weights)


def recall(answers: Answers, weights: Floats, average: Average) -> Floats:
    """Return the share of the rows of a class that were answered with it."""
    hits, right, given = _counts(answers, weights)
    # A class that is neither right nor given in a resample does not count, as in scikit-learn.
    known = (right > 0) if average != "macro" else (right + given > 0)
    return _averaged(divide(hits, right), right, answers, average, known.astype(float))


def balanced_accuracy(answers: Answers, weights: Floats) -> Floats:
    """Return the mean recall over the classes that occur."""
    hits, right, _ = _counts(answers, weights)
    return _averaged(divide(hits, right), right, answers, "macro", (right > 0).astype(float))


def precision(answers: Answers, weights: Floats, average: Average) -> Floats:
    """Return the share of the answers of a class that were right."""
    hits, right, given = _counts(answers, weights)
    return _averaged(divide(hits, given), right, answers, average, (right + given > 0).astype(float))


def f_score(answers: Answers, weights: Floats, average: Average, beta: float = 1.0) -> Floats:
    """Return the weighted harmonic mean of precision and recall; ``beta`` is the weight of recall."""
    hits, right, given = _counts(answers, weights)
    each = divide((1 + beta**2) * hits, beta**2 * right + given)
    return _averaged(each, right, answers, average, (right + given > 0).astype(float))


def specificity(answers: Answers, weights: Floats) -> Floats:
    """Return the share of rows outside the positive class that were kept out of it."""
    negative = answers.truth != answers.positive
    kept = negative & (answers.given != answers.positive)
    return divide(weights @ kept.astype(float), weights @ negative.astype(float), np.nan)


def negative_predictive_value(answers: Answers, weights: Floats) -> Floats:
    """Return the share of the rows kept out of the positive class that belong outside it."""
    kept = answers.given != answers.positive
    right = kept & (answers.truth != answers.positive)
    return divide(weights @ right.astype(float), weights @ kept.astype(float), np.nan)


def false_positive_rate(answers: Answers, weights: Floats) -> Floats:
    """Return the share of rows outside the positive class that were put into it."""
    return 1 - specificity(answers, weights)


def jaccard(answers: Answers, weights: Floats, average: Average) -> Floats:
    """Return the rows of a class that were answered with it, among all that are of it or were answered with it."""
    hits, right, given = _counts(answers, weights)
    return _averaged(divide(hits, right + given - hits), right, answers, average, (right + given > 0).astype(float))


def geometric_mean(answers: Answers, weights: Floats) -> Floats:
    """Return the geometric mean of the recalls (M. Kubat and S. Matwin, ICML 1997): 0 when one class is never recognised."""
    hits, right, _ = _counts(answers, weights)
    known = right > 0
    with np.errstate(divide="ignore"):
        logs = np.where(known, np.log(divide(hits, right, 1.0)), 0.0)
    means: Floats = np.exp(logs.sum(axis=1) / known.sum(axis=1))
    return means


def matthews(answers: Answers, weights: Floats) -> Floats:
    """Return the correlation of right and given classes (B. W. Matthews, 1975; J. Gorodkin, 2004 for several classes)."""
    hits, right, given = _counts(answers, weights)
    rows = weights.sum(axis=1)
    above = hits.sum(axis=1) * rows - (right * given).sum(axis=1)
    below = np.sqrt((rows**2 - (given**2).sum(axis=1)) * (rows**2 - (right**2).sum(axis=1)))
    return divide(above, below)


def kappa(answers: Answers, weights: Floats) -> Floats:
    """Return the agreement beyond chance (J. Cohen, 1960)."""
    hits, right, given = _counts(answers, weights)
    rows = weights.sum(axis=1)
    chance = divide((right * given).sum(axis=1), rows**2)
    return divide(divide(hits.sum(axis=1), rows) - chance, 1 - chance)


def weighted_kappa(answers: Answers, weights: Floats, power: int) -> Floats:
    """Return the agreement beyond chance of ordered classes, a miss by ``d`` classes counting ``d ** power``.

    Source: J. Cohen, "Weighted kappa", Psychological Bulletin 70, 1968. Classes stand in the order of their numbers.
    """
    number = np.arange(answers.classes)
    cost = np.abs(number[:, None] - number).astype(np.float64) ** power
    _, right, given = _counts(answers, weights)
    seen = weights @ cost[answers.truth, answers.given]
    chance = divide(np.einsum("bi,ij,bj->b", right, cost, given), weights.sum(axis=1))
    return 1 - divide(seen, chance, np.nan)


# Intervals that need no resampling.


def exact_accuracy(answers: Answers, confidence: float) -> Interval:
    """Return Wilson's interval of the accuracy."""
    right = int(np.count_nonzero(answers.truth == answers.given))
    return wilson(Share(count=right, trials=len(answers)), confidence)


def exact_error_rate(answers: Answers, confidence: float) -> Interval:
    """Return Wilson's interval of the error rate."""
    right = exact_accuracy(answers, confidence)
    return Interval(point=1 - right.point, low=1 - right.high, high=1 - right.low)


def recall_share(answers: Answers, number: int) -> Share:
    """Return how many of the rows of class ``number`` were answered with it."""
    rows = answers.truth == number
    return Share(count=int(np.count_nonzero(answers.given[rows] == number)), trials=int(np.count_nonzero(rows)))


def exact_recall(answers: Answers, confidence: float) -> Interval | None:
    """Return Wilson's interval of the recall of the positive class."""
    return None if answers.positive is None else wilson(recall_share(answers, answers.positive), confidence)


def exact_precision(answers: Answers, confidence: float) -> Interval:
    """Return Wilson's interval of the precision, given how often the positive class was answered."""
    rows = answers.given == answers.positive
    hits = int(np.count_nonzero(answers.truth[rows] == answers.positive))
    return wilson(Share(count=hits, trials=int(np.count_nonzero(rows))), confidence)


def exact_specificity(answers: Answers, confidence: float) -> Interval:
    """Return Wilson's interval of the specificity."""
    rows = answers.truth != answers.positive
    kept = int(np.count_nonzero(answers.given[rows] != answers.positive))
    return wilson(Share(count=kept, trials=int(np.count_nonzero(rows))), confidence)


def exact_balanced_accuracy(answers: Answers, confidence: float) -> Interval:
    """Return the interval of the balanced accuracy from Wilson's of each class."""
    shares = [recall_share(answers, number) for number in range(answers.classes)]
    return mean_of_shares([share for share in shares if share.trials], confidence)
