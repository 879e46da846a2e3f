"""Exact bounds of a proportion, for claims about rare events."""

from __future__ import annotations

import math


def upper_bound(count: int, trials: int, confidence: float) -> float:
    """Return the one-sided upper bound of a proportion; 1 without trials.

    Source: C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial", Biometrika 26, 1934.
    """
    from scipy.special import betaincinv

    return 1.0 if count >= trials else float(betaincinv(count + 1, trials - count, confidence))


def lower_bound(count: int, trials: int, confidence: float) -> float:
    """Return the one-sided lower bound of a proportion; 0 without trials. Source: as for :func:`upper_bound`."""
    from scipy.special import betaincinv

    return 0.0 if count <= 0 else float(betaincinv(count, trials - count + 1, 1 - confidence))


def silent_trials_needed(rate: float, confidence: float) -> int:
    """Return how many trials without an event bound its rate by ``rate``."""
    return math.ceil(math.log(1 - confidence) / math.log1p(-rate))
