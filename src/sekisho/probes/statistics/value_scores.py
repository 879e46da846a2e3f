"""Scores of answered values."""

from __future__ import annotations

import numpy as np

from sekisho.probes.statistics.answers import Answers, Floats
from sekisho.probes.statistics.weighing import divide, mean


def _errors(answers: Answers) -> Floats:
    errors: Floats = answers.truth.astype(np.float64) - answers.given.astype(np.float64)
    return errors


# The loss of each row, shape ``(m,)``.


def absolute_errors(answers: Answers) -> Floats:
    """Return the size of each error."""
    return np.abs(_errors(answers))


def squared_errors(answers: Answers) -> Floats:
    """Return the square of each error."""
    return _errors(answers) ** 2


def fractional_errors(answers: Answers) -> Floats:
    """Return the size of each error as a fraction of the right value."""
    size = np.maximum(np.abs(answers.truth.astype(np.float64)), np.finfo(np.float64).eps)
    return np.abs(_errors(answers)) / size


def symmetric_errors(answers: Answers) -> Floats:
    """Return the size of each error as a fraction of the mean size of right and given value, 0 to 2."""
    size = (np.abs(answers.truth.astype(np.float64)) + np.abs(answers.given.astype(np.float64))) / 2
    return divide(np.abs(_errors(answers)), size)


def squared_log_errors(answers: Answers) -> Floats:
    """Return the squared error of the logarithm of one plus each value; answers below 0 count as 0."""
    given = np.log1p(np.maximum(answers.given.astype(np.float64), 0.0))
    return (np.log1p(answers.truth.astype(np.float64)) - given) ** 2


# The scores.


def mae(answers: Answers, weights: Floats) -> Floats:
    """Return the mean absolute error."""
    return mean(absolute_errors(answers), weights)


def mse(answers: Answers, weights: Floats) -> Floats:
    """Return the mean squared error."""
    return mean(squared_errors(answers), weights)


def rmse(answers: Answers, weights: Floats) -> Floats:
    """Return the root of the mean squared error."""
    return np.sqrt(mse(answers, weights))


def mape(answers: Answers, weights: Floats) -> Floats:
    """Return the mean absolute error as a fraction of the right value."""
    return mean(fractional_errors(answers), weights)


def wape(answers: Answers, weights: Floats) -> Floats:
    """Return the sum of the absolute errors as a fraction of the sum of the right values' sizes."""
    size = np.abs(answers.truth.astype(np.float64))
    return divide(mean(np.abs(_errors(answers)), weights), mean(size, weights), np.nan)


def smape(answers: Answers, weights: Floats) -> Floats:
    """Return the mean absolute error as a fraction of the mean size of right and given value, 0 to 2."""
    return mean(symmetric_errors(answers), weights)


def msle(answers: Answers, weights: Floats) -> Floats:
    """Return the mean squared error of the logarithms of one plus the value."""
    return mean(squared_log_errors(answers), weights)


def rmsle(answers: Answers, weights: Floats) -> Floats:
    """Return the root of the mean squared error of the logarithms."""
    return np.sqrt(msle(answers, weights))


def pinball(answers: Answers, weights: Floats, quantile: float) -> Floats:
    """Return the loss of answers that claim to be a quantile (R. Koenker and G. Bassett, Econometrica 46, 1978)."""
    errors = _errors(answers)
    return mean(np.maximum(quantile * errors, (quantile - 1) * errors), weights)


def poisson_deviance(answers: Answers, weights: Floats) -> Floats:
    """Return the mean deviance of counts; NaN where an answer is not above 0."""
    truth, given = answers.truth.astype(np.float64), answers.given.astype(np.float64)
    with np.errstate(all="ignore"):
        losses = 2 * (np.where(truth > 0, truth * np.log(truth / given), 0.0) - truth + given)
    return mean(np.where(given > 0, losses, np.nan), weights)


def bias(answers: Answers, weights: Floats) -> Floats:
    """Return the size of the mean error: how far the answers lie off as a whole."""
    return np.abs(mean(_errors(answers), weights))


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
