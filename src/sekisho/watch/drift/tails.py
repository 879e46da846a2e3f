"""How surprising a difference is: bounds on tail probabilities that hold for every sample size.

All speak of one situation. Of ``n + m`` pooled rows, ``n`` are reference and ``m`` are current. If nothing has changed, every choice
of which rows are the current ones is equally likely, whatever the distribution, ties included. The p-values are upper bounds under that
hypothesis alone: never too small, in windows of any size. They are closed forms, so a p-value of 1e-20 costs what one of 0.5 costs,
and one test out of thousands, corrected for all the others, can still be judged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def effective_size(n: int, m: int) -> float:
    """Return ``n m / (n + m)``, the size of one sample that would be as noisy as the difference of the two."""
    return n * m / (n + m)


def smirnov(distance: float, n: int, m: int) -> float:
    """Bound the p-value of a two-sample Kolmogorov-Smirnov distance (0 to 1).

    The inequality of Dvoretzky, Kiefer and Wolfowitz, ``C exp(-2 d² n m / (n + m))``. Wei and Dudley (Two-sample
    Dvoretzky-Kiefer-Wolfowitz inequalities, Statistics and Probability Letters 82, 2012) prove it for ``n = m`` with ``C`` at most e, and
    for ``n`` other than ``m`` find Massart's ``C = 2`` wherever they compute it, but for tiny samples. With e it holds for all of these; the
    tests compare it with exact path counts at the sizes in use.
    """
    return min(1.0, math.exp(1.0 - 2.0 * effective_size(n, m) * distance * distance))


@dataclass(frozen=True, kw_only=True, slots=True)
class Beyond:
    """What of a distance is more than noise.

    Attributes:
        effect: The distance without the noise in it: ``√(distance² - noise²)``, as variances are subtracted; 0 below the noise.
        p_value: A bound on the chance of such a distance, or a larger one.

    """

    effect: float
    p_value: float


def beyond_noise(distance: float, noise: float, n: int, m: int) -> Beyond:
    """Judge a distance that is above 0 by chance alone: the largest difference of shares over a family of sets.

    Such is the total variation distance, over all sets of labels. To move one row across changes it by at most ``1/n + 1/m``, so
    McDiarmid's inequality for sampling without replacement (El-Yaniv and Pechyony, Transductive Rademacher complexity and its
    applications, JAIR 35, 2009, lemma 2) bounds its excess over its mean, however many sets there are.

    Args:
        distance: The distance measured, 0 to 1.
        noise: An upper bound on its mean if nothing has changed.
        n: Rows of the reference.
        m: Rows of the current window.

    """
    excess = max(0.0, distance - noise)
    shrink = (1.0 - 0.5 / (n + m)) * (1.0 - 0.5 / max(n, m))
    return Beyond(
        effect=math.sqrt(excess * (distance + noise)),
        p_value=math.exp(-2.0 * effective_size(n, m) * shrink * excess * excess),
    )


def total_variation_noise(pooled: NDArray[np.int64], n: int, m: int) -> float:
    """Bound the mean total variation distance of two samples of one distribution, given the pooled counts of its labels.

    Half the sum of bounds on the mean difference of each share: its standard deviation, that of a hypergeometric variable (Jensen's
    inequality), or for rare labels the mean sum of the two shares, whichever is less. It grows with the number of labels and
    falls with the rows, so that 100,000 rare labels are no drift by themselves.

    Args:
        pooled: Shape ``(k,)``: rows of each label in both samples together; adds up to ``n + m``.
        n: Rows of the reference.
        m: Rows of the current window.

    """
    total = n + m
    share = pooled / total
    deviation = np.sqrt(share * (1.0 - share) * total / max(1, total - 1) / effective_size(n, m))
    return float(0.5 * np.minimum(deviation, 2.0 * share).sum())


def hypergeometric(seen: int, marked: int, n: int, m: int) -> float:
    """Bound the chance that at least ``seen`` of ``marked`` pooled rows are current ones: one side of Fisher's exact test.

    The first term is exact. Those after it fall faster than a geometric series, because the distribution is log-concave.
    """
    rest = n + m - marked
    if seen <= max(0, m - rest):
        return 1.0
    if seen > min(marked, m):
        return 0.0
    ratio = (marked - seen) * (m - seen) / ((seen + 1) * (rest - m + seen + 1))
    if ratio >= 1.0:
        return 1.0
    first = _log_choose(marked, seen) + _log_choose(rest, m - seen) - _log_choose(n + m, m)
    return min(1.0, math.exp(first) / (1.0 - ratio))


def all_current(rows: int, n: int, m: int) -> float:
    """Return the exact chance that ``rows`` given pooled rows are all current ones."""
    if rows > m:
        return 0.0
    return math.exp(_log_choose(m, rows) - _log_choose(n + m, rows))


@dataclass(frozen=True, kw_only=True, slots=True)
class Unseen:
    """What chance alone does with labels that the reference lacks.

    Attributes:
        expected: The mean number of current rows that have such a label.
        p_value: A bound on the chance of as many as there are, or more.

    """

    expected: float
    p_value: float


def never_in_reference(rows: int, pooled: NDArray[np.int64], n: int, m: int) -> Unseen:
    """Bound the chance that labels which the reference lacks take up at least ``rows`` current rows.

    A label with ``k`` pooled rows is missing from the reference with the chance that all ``k`` are current. These events are negatively
    associated, being increasing functions of disjoint parts of one random choice (Joag-Dev and Proschan, Negative association of random
    variables, Annals of Statistics 11, 1983), so Chernoff's bound for independent ones holds for them. It tells a column of free
    text, where most values are new in every window, from a new category.

    Args:
        rows: Current rows whose label is not in the reference.
        pooled: Shape ``(k,)``: rows of each label in both samples together.
        n: Rows of the reference.
        m: Rows of the current window.

    """
    sizes, labels = np.unique(pooled[(pooled > 0) & (pooled <= m)], return_counts=True)
    log_chance = np.array([_log_choose(m, size) - _log_choose(n + m, size) for size in sizes.tolist()])
    expected = float((labels * sizes * np.exp(log_chance)).sum())
    if rows <= expected:
        return Unseen(expected=expected, p_value=1.0)
    log_otherwise = np.log1p(-np.exp(log_chance))

    def exponent(tilt: float) -> float:
        moments = np.logaddexp(log_otherwise, log_chance + tilt * sizes)
        return float((labels * moments).sum()) - tilt * rows

    return Unseen(expected=expected, p_value=math.exp(min(0.0, _smallest(exponent, 0.0, 100.0))))


def _smallest(convex: Callable[[float], float], low: float, high: float) -> float:
    """Return the smallest value found of a convex function, by golden-section search."""
    golden = (math.sqrt(5.0) - 1.0) / 2.0
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = convex(left), convex(right)
    while high - low > 1e-6:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = convex(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = convex(right)
    return min(at_left, at_right)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
