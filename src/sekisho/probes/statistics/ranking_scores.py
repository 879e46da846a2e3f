"""Scores of an order: whether the rows that matter stand on top."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sekisho.probes.statistics.answers import Answers, Floats
from sekisho.probes.statistics.probability_scores import ranked, roc_auc_of
from sekisho.probes.statistics.weighing import divide


def _positive(answers: Answers) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the stated probability of the positive class, and which rows are of it, both of shape ``(m,)``."""
    assert answers.probabilities is not None
    assert answers.positive is not None
    return answers.probabilities[:, answers.positive], np.asarray(answers.truth == answers.positive, dtype=np.bool_)


def gini(answers: Answers, weights: Floats) -> Floats:
    """Return twice the area between the ROC curve and the diagonal."""
    return 2 * roc_auc_of(*_positive(answers), weights) - 1


def kolmogorov_smirnov(answers: Answers, weights: Floats) -> Floats:
    """Return the largest distance between the distributions of the scores of positive and of other rows."""
    hits, others = ranked(*_positive(answers), weights)
    found = divide(np.cumsum(hits, axis=1), hits.sum(axis=1, keepdims=True), np.nan)
    kept = divide(np.cumsum(others, axis=1), others.sum(axis=1, keepdims=True), np.nan)
    widest: Floats = np.abs(found - kept).max(axis=1)
    return widest


def top_share(answers: Answers, weights: Floats, share: float, *, of_found: bool) -> Floats:
    """Return how many of the top ``share`` of all rows are positive; ``of_found``: how many of the positive rows stand there.

    Rows of one score that the cut runs through count in part.
    """
    hits, others = ranked(*_positive(answers), weights)
    rows = hits + others
    room = share * rows.sum(axis=1, keepdims=True)
    before = np.cumsum(rows, axis=1) - rows
    within = np.clip(divide(room - before, rows), 0.0, 1.0)
    found = (hits * within).sum(axis=1)
    return divide(found, hits.sum(axis=1), np.nan) if of_found else divide(found, room[:, 0], np.nan)


def ndcg(answers: Answers, weights: Floats) -> Floats:
    """Return the normalised discounted cumulative gain of the order of all rows; ties share the mean of their discounts.

    Source: K. Järvelin and J. Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS 20, 2002; ties as in
    F. McSherry and M. Najork, ECIR 2008.
    """
    hits, others = ranked(*_positive(answers), weights)
    rows = hits + others
    after = np.cumsum(rows, axis=1)
    gained = divide(hits, rows) * (_discounts(after) - _discounts(after - rows))
    return divide(gained.sum(axis=1), _discounts(hits.sum(axis=1)), np.nan)


def _discounts(rows: Floats) -> Floats:
    """Return the sum of the discounts of the first ``rows`` places, which are whole numbers."""
    most = int(rows.max(initial=0))
    sums = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(most) + 2))])
    summed: Floats = sums[rows.astype(np.int64)]
    return summed


def top_k(answers: Answers, weights: Floats, k: int) -> Floats:
    """Return the share of rows whose class is among the ``k`` that are held most probable; ties count against the model."""
    assert answers.probabilities is not None
    right = answers.probabilities[np.arange(len(answers)), answers.truth.astype(np.int64)]
    at_least = (answers.probabilities >= right[:, None]).sum(axis=1)
    return divide(weights @ (at_least <= k).astype(float), weights.sum(axis=1))
