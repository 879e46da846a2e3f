"""Whether something grows: a slope that a few jumps cannot fake."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sekisho.probes.statistics.intervals import Interval, deviations


def slope(moments: NDArray[np.float64], values: NDArray[np.float64], confidence: float) -> Interval:
    """Return the median slope of all pairs with its interval by Kendall's tau.

    Source: P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63, 1968.

    Args:
        moments: Shape ``(n,)``, ascending, all different.
        values: Shape ``(n,)``.
        confidence: Of both bounds together.

    """
    n = len(moments)
    first, second = np.triu_indices(n, k=1)
    slopes = np.sort((values[second] - values[first]) / (moments[second] - moments[first]))
    spread = deviations(confidence) * np.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    lower = int(max((len(slopes) - spread) / 2, 0))
    upper = int(min((len(slopes) + spread) / 2, len(slopes) - 1))
    return Interval(point=float(np.median(slopes)), low=float(slopes[lower]), high=float(slopes[upper]))
