"""What is compared between groups of rows: shares and means, each with how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from sekisho.probes.statistics.answers import Floats
from sekisho.probes.statistics.intervals import Interval, Share, deviations, difference, wilson


@dataclass(frozen=True, kw_only=True, slots=True)
class Mean:
    """A mean over rows.

    Attributes:
        value: The mean.
        error: Its standard error.
        rows: How many rows.

    """

    value: float
    error: float
    rows: int


Quantity = Share | Mean


def mean_of(values: Floats) -> Mean:
    """Return the mean of ``values``, shape ``(n,)``, with ``n`` of at least 2."""
    return Mean(value=float(values.mean()), error=float(values.std(ddof=1) / sqrt(len(values))), rows=len(values))


def rows_of(quantity: Quantity) -> int:
    """Return how many rows a quantity stands on."""
    return quantity.trials if isinstance(quantity, Share) else quantity.rows


def interval_of(quantity: Quantity, confidence: float) -> Interval:
    """Return the interval of one quantity."""
    if isinstance(quantity, Share):
        return wilson(quantity, confidence)
    reach = deviations(confidence) * quantity.error
    return Interval(point=quantity.value, low=quantity.value - reach, high=quantity.value + reach)


def gap(one: Quantity, other: Quantity, confidence: float) -> Interval:
    """Return the interval of ``one - other`` for two quantities of different rows."""
    if isinstance(one, Share) and isinstance(other, Share):
        return difference(one, other, confidence)
    assert isinstance(one, Mean)
    assert isinstance(other, Mean)
    apart = Mean(value=one.value - other.value, error=sqrt(one.error**2 + other.error**2), rows=one.rows + other.rows)
    return interval_of(apart, confidence)


def p_value(one: Quantity, other: Quantity) -> float:
    """Return how likely a gap at least as wide is when both groups are alike, by the normal approximation."""
    if isinstance(one, Share) and isinstance(other, Share):
        pooled = (one.count + other.count) / (one.trials + other.trials)
        error = sqrt(pooled * (1 - pooled) * (1 / one.trials + 1 / other.trials))
        apart = one.fraction - other.fraction
    else:
        assert isinstance(one, Mean)
        assert isinstance(other, Mean)
        error, apart = sqrt(one.error**2 + other.error**2), one.value - other.value
    if error == 0:
        return 1.0 if apart == 0 else 0.0
    return 2 * NormalDist().cdf(-abs(apart) / error)


def explained(values: Floats, groups: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    """Return which part of the spread of ``values`` their group explains (eta squared), both of shape ``(n,)``; null is NaN."""
    known = np.isfinite(values)
    values, groups = values[known], groups[known]
    whole = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
    if whole == 0:
        return 0.0
    sizes = np.bincount(groups)
    sums = np.bincount(groups, weights=values)
    present = sizes > 0
    means = sums[present] / sizes[present]
    return float((sizes[present] * (means - values.mean()) ** 2).sum()) / whole


def associated(
    codes: np.ndarray[tuple[int], np.dtype[np.int64]], groups: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> float:
    """Return how far two sets of labels determine one another: Cramér's V squared, corrected for chance, 0 to 1.

    Source: W. Bergsma, "A bias-correction for Cramér's V and Tschuprow's T", Journal of the Korean Statistical Society 42, 2013.
    """
    table = np.zeros((codes.max() + 1, groups.max() + 1))
    np.add.at(table, (codes, groups), 1.0)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    rows, (height, width) = table.sum(), table.shape
    if min(height, width) < 2:
        return 0.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / rows
    phi = float(((table - expected) ** 2 / expected).sum() / rows)
    corrected = max(0.0, phi - (height - 1) * (width - 1) / (rows - 1))
    fewest = min(height - (height - 1) ** 2 / (rows - 1), width - (width - 1) ** 2 / (rows - 1)) - 1
    return float(min(1.0, corrected / fewest)) if fewest > 0 else 0.0
