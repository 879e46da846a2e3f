"""Confidence intervals of quantiles that assume nothing about the distribution."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sekisho.probes.statistics.intervals import Interval


def quantile_interval(ordered: NDArray[np.float64], fraction: float, confidence: float) -> Interval | None:
    """Return the quantile ``fraction`` with an interval between two order statistics; ``None`` if there are too few values.

    It is what bootstrapping the quantile tends to, except that it never claims more than the sample can bear: when even
    the largest value is no bound, there is none.

    Source: G. J. Hahn and W. Q. Meeker, "Statistical Intervals", 1991, section 5.2.

    Args:
        ordered: Shape ``(n,)``, ascending.
        fraction: 0 to 1.
        confidence: Of both bounds together.

    """
    count = len(ordered)
    if not count:
        return None
    outside = (1 - confidence) / 2
    below = _binomial_cdf(count, fraction)
    lower = int(np.searchsorted(below, outside, side="right"))  # values surely below: the bound is the next
    upper = int(np.searchsorted(below, 1 - outside, side="left"))
    if upper >= count or lower == 0:
        return None
    point = float(ordered[min(count - 1, math.ceil(fraction * count) - 1)])
    return Interval(point=point, low=float(ordered[lower - 1]), high=float(ordered[upper]))


def values_needed(fraction: float, confidence: float) -> int:
    """Return how many values bound the quantile ``fraction`` from above."""
    return math.ceil(math.log((1 - confidence) / 2) / math.log(fraction))


def _binomial_cdf(count: int, fraction: float) -> NDArray[np.float64]:
    """Return ``P(X <= k)`` for ``k`` of 0 to ``count - 1`` of a binomial distribution."""
    successes = np.arange(count, dtype=np.float64)
    logs = np.array([math.lgamma(k + 1) for k in range(count + 1)])
    log_mass = (
        logs[count]
        - logs[:count]
        - logs[count:0:-1]
        + successes * math.log(fraction)
        + (count - successes) * math.log1p(-fraction)
    )
    return np.asarray(np.minimum(np.cumsum(np.exp(log_mass)), 1.0), dtype=np.float64)
