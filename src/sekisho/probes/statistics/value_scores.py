"""Scores of answered values."""

from __future__ import annotations

import numpy as np

from sekisho.probes.statistics.answers import Answers, Floats
from sekisho.probes.statistics.weighing import divide, mean


def _errors(answers: Answers) -> Floats:
    errors: Floats = answers.truth.astype(np.float64) - answers.given.astype(np.float64)
    return errors


def mae(answers: Answers, weights: Floats) -> Floats:
    """Return the mean absolute error."""
    return mean(np.abs(_errors(answers)), weights)


def mse(answers: Answers, weights: Floats) -> Floats:
    """Return the mean squared error."""
    return mean(_errors(answers) ** 2, weights)


def rmse(answers: Answers, weights: Floats) -> Floats:
    """Return the root of the mean squared error."""
    return np.sqrt(mse(answers, weights))


def mape(answers: Answers, weights: Floats) -> Floats:
    """Return the mean absolute error as a fraction of the right value."""
    size = np.maximum(np.abs(answers.truth.astype(np.float64)), np.finfo(np.float64).eps)
    return mean(np.abs(_errors(answers)) / size, weights)


def median_absolute_error(answers: Answers, weights: Floats) -> Floats:
    """Return the median of the absolute error."""
    losses = np.abs(_errors(answers))
    order = np.argsort(losses)
    reached = np.cumsum(weights[:, order], axis=1)
    half = reached[:, -1:] / 2
    lower, upper = (reached >= half).argmax(axis=1), (reached > half).argmax(axis=1)
    middle: Floats = (losses[order][lower] + losses[order][upper]) / 2
    return middle


def _spread(values: Floats, weights: Floats) -> Floats:
    return mean(values**2, weights) - mean(values, weights) ** 2


def r2(answers: Answers, weights: Floats) -> Floats:
    """Return the share of the spread of the right values that is explained."""
    truth = answers.truth.astype(np.float64)
    return 1 - divide(mse(answers, weights), _spread(truth - truth.mean(), weights), np.nan)


def explained_variance(answers: Answers, weights: Floats) -> Floats:
    """Return the share of the spread that is explained, a constant error aside."""
    truth = answers.truth.astype(np.float64)
    return 1 - divide(_spread(_errors(answers), weights), _spread(truth - truth.mean(), weights), np.nan)
