"""Confidence intervals that hold for small samples and for scores at the edge of their range."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, sqrt
from statistics import NormalDist
from typing import Final

from sekisho.probes.statistics.exact import lower_bound, upper_bound

FEW: Final = 40
"""Up to this many trials, Wilson's interval of a share near 0 or 1 covers less than it says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A measured figure with its confidence interval; all three in the unit of the figure.

    Attributes:
        point: The figure itself.
        low, high: The two-sided bounds.

    """

    point: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.point:.3g} ({self.low:.3g}–{self.high:.3g})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """How often something happened.

    Attributes:
        count: How often it did.
        trials: How often it could have.

    """

    count: int
    trials: int

    @property
    def fraction(self) -> float:
        """``count / trials``; 0 when there were no trials."""
        return self.count / self.trials if self.trials else 0.0


def deviations(confidence: float) -> float:
    """Return how many standard deviations a two-sided normal interval of ``confidence`` reaches."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson(share: Share, confidence: float) -> Interval:
    """Return the score interval of a proportion; without trials it is all of 0 to 1.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    """
    n, p, z = share.trials, share.fraction, deviations(confidence)
    if not n:
        return Interval(point=0.0, low=0.0, high=1.0)
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # At the edges the bound is the edge itself; rounding must not leave the point outside.
    low = 0.0 if share.count == 0 else min(p, centre - reach)
    high = 1.0 if share.count == n else max(p, centre + reach)
    return Interval(point=p, low=low, high=high)


def clopper_pearson(share: Share, confidence: float) -> Interval:
    """Return the exact interval of a proportion, which never covers less than it says.

    Source: C. J. Clopper and E. S. Pearson, Biometrika 26, 1934.
    """
    tail = (1 + confidence) / 2
    return Interval(
        point=share.fraction,
        low=lower_bound(share.count, share.trials, tail),
        high=upper_bound(share.count, share.trials, tail),
    )


def difference(one: Share, other: Share, confidence: float) -> Interval:
    """Return the interval of ``one - other`` for two independent proportions: Newcombe's hybrid score interval.

    Source: R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine
    17, 1998, method 10.
    """
    first, second = wilson(one, confidence), wilson(other, confidence)
    point = first.point - second.point
    return Interval(
        point=point,
        low=point - sqrt((first.point - first.low) ** 2 + (second.high - second.point) ** 2),
        high=point + sqrt((first.high - first.point) ** 2 + (second.point - second.low) ** 2),
    )


def ratio(one: Share, other: Share, confidence: float) -> Interval | None:
    """Return the interval of ``one / other`` for two independent proportions, on the scale of its logarithm.

    Half a case is added to each count, so that a count of zero has an interval too. ``None`` without trials.

    Source: S. D. Walter, "The distribution of Levin's measure of attributable risk", Biometrika 62, 1975.
    """
    if not one.trials or not other.trials or not other.count:
        return None
    above, below = (one.count + 0.5) / (one.trials + 0.5), (other.count + 0.5) / (other.trials + 0.5)
    variance = 1 / (one.count + 0.5) - 1 / (one.trials + 0.5) + 1 / (other.count + 0.5) - 1 / (other.trials + 0.5)
    reach = exp(deviations(confidence) * sqrt(max(variance, 0.0)))
    point = one.fraction / other.fraction
    return Interval(point=point, low=min(point, above / below / reach), high=max(point, above / below * reach))


def mean_of_shares(shares: Sequence[Share], confidence: float) -> Interval:
    """Return the interval of the mean of independent proportions, such as balanced accuracy.

    Source: G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27, 2008
    (variance recovered from the Wilson limits of each; of a share of few trials from its exact ones).
    """
    each = [wilson(share, confidence) if share.trials > FEW else clopper_pearson(share, confidence) for share in shares]
    count = len(each)
    point = sum(one.point for one in each) / count
    return Interval(
        point=point,
        low=max(0.0, point - sqrt(sum((one.point - one.low) ** 2 for one in each)) / count),
        high=min(1.0, point + sqrt(sum((one.high - one.point) ** 2 for one in each)) / count),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for having looked at all of them, in the same order.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = largest
    return adjusted
