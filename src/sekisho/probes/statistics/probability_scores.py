"""Scores of stated probabilities."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sekisho.probes.statistics.answers import Answers, Floats
from sekisho.probes.statistics.reliability import BINS, bins_of, claims
from sekisho.probes.statistics.weighing import divide, mean


def ranked(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> tuple[Floats, Floats]:
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
    hits, others = ranked(scores, positive, weights)
    below = others.sum(axis=1, keepdims=True) - np.cumsum(others, axis=1)
    won = (hits * (below + others / 2)).sum(axis=1)
    return divide(won, hits.sum(axis=1) * others.sum(axis=1), np.nan)


def _average_precision_of(scores: Floats, positive: NDArray[np.bool_], weights: Floats) -> Floats:
    hits, others = ranked(scores, positive, weights)
    found = np.cumsum(hits, axis=1)
    precision = divide(found, found + np.cumsum(others, axis=1))
    return divide((hits * precision).sum(axis=1), found[:, -1], np.nan)


def _each_class(
    answers: Answers, weights: Floats, of_class: Callable[[Floats, NDArray[np.bool_], Floats], Floats]
) -> Floats:
    """Return the score of the positive class, or the mean over all classes, each against the rest."""
    assert answers.probabilities is not None
    chosen = range(answers.classes) if answers.positive is None else [answers.positive]
    mean_of_classes: Floats = np.mean(
        [of_class(answers.probabilities[:, k], answers.truth == k, weights) for k in chosen], axis=0
    )
    return mean_of_classes


def roc_auc(answers: Answers, weights: Floats) -> Floats:
    """Return the area under the ROC curve; of several classes the mean of each against the rest."""
    return _each_class(answers, weights, roc_auc_of)


def average_precision(answers: Answers, weights: Floats) -> Floats:
    """Return the area under the steps of precision over recall; of several classes the mean of each against the rest."""
    return _each_class(answers, weights, _average_precision_of)


def roc_auc_weighted(answers: Answers, weights: Floats) -> Floats:
    """Return the area under the ROC curve of each class against the rest, weighted by the rows of the class."""
    return _by_frequency(answers, weights, roc_auc_of)


def average_precision_weighted(answers: Answers, weights: Floats) -> Floats:
    """Return the average precision of each class against the rest, weighted by the rows of the class."""
    return _by_frequency(answers, weights, _average_precision_of)


def _by_frequency(
    answers: Answers, weights: Floats, of_class: Callable[[Floats, NDArray[np.bool_], Floats], Floats]
) -> Floats:
    assert answers.probabilities is not None
    present = [k for k in range(answers.classes) if (answers.truth == k).any()]
    each = np.stack([of_class(answers.probabilities[:, k], answers.truth == k, weights) for k in present])
    rows = np.stack([weights @ (answers.truth == k).astype(float) for k in present])
    return divide((np.nan_to_num(each) * rows).sum(axis=0), (rows * np.isfinite(each)).sum(axis=0), np.nan)


def log_losses(answers: Answers) -> Floats:
    """Return the negative logarithm of the probability stated for the right class, shape ``(m,)``."""
    assert answers.probabilities is not None
    right = answers.probabilities[np.arange(len(answers)), answers.truth.astype(np.int64)]
    return -np.log(np.clip(right, 1e-15, 1.0))


def squared_distances(answers: Answers) -> Floats:
    """Return the squared distance of each row's probabilities: of the positive class for two classes, summed over all for more."""
    assert answers.probabilities is not None
    right = answers.truth[:, None] == np.arange(answers.classes)
    squares: Floats = ((answers.probabilities - right) ** 2).sum(axis=1)
    return squares / 2 if answers.classes == 2 else squares


def log_loss(answers: Answers, weights: Floats) -> Floats:
    """Return the mean of the negative logarithm of the probability stated for the right class."""
    return mean(log_losses(answers), weights)


def brier(answers: Answers, weights: Floats) -> Floats:
    """Return the mean squared distance of the stated probabilities from what happened."""
    return mean(squared_distances(answers), weights)


def calibration_error(answers: Answers, weights: Floats) -> Floats:
    """Return the expected calibration error over bins of equal width.

    Source: C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017.
    """
    stated, happened = claims(answers)
    member = bins_of(stated)[:, None] == np.arange(BINS)
    gaps = weights @ (member * (stated - happened)[:, None])
    return divide(np.abs(gaps).sum(axis=1), weights.sum(axis=1))
