"""The bootstrap, all resamples at once: rows that count alike are drawn together.

Source: B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 13 and 14 (BCa).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Measure = Callable[[Floats], Floats]
"""From weights, shape ``(b, m)``: how often each of ``m`` patterns of rows counts, to ``b`` scores; NaN where there is none."""

CELLS: Final = 2_000_000
"""How many weights are held at a time."""
BLOCKS: Final = 400
"""How many parts a sample is cut into for the jackknife, when leaving out single rows would take too long."""


def bootstrap(measures: Sequence[Measure], counts: NDArray[np.int64], resamples: int, seed: int) -> Floats:
    """Return the scores of every resample, shape ``(len(measures), resamples)``; all measures see the same resamples.

    Args:
        measures: What is measured on each resample.
        counts: Shape ``(m,)``: how many rows show each pattern.
        resamples: How many samples are drawn.
        seed: Of the generator.

    """
    random = np.random.default_rng(seed)
    parts = [np.stack([measure(weights) for measure in measures]) for weights in _weights(counts, resamples, random)]
    return np.concatenate(parts, axis=1)


def _weights(counts: NDArray[np.int64], resamples: int, random: np.random.Generator) -> Iterator[Floats]:
    rows, patterns = int(counts.sum()), len(counts)
    at_once = max(1, CELLS // patterns)
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        if patterns < rows:
            yield random.multinomial(rows, counts / rows, size=size).astype(np.float64)
        else:
            drawn = random.integers(0, patterns, size=(size, rows)) + np.arange(size)[:, None] * patterns
            yield np.bincount(drawn.ravel(), minlength=size * patterns).reshape(size, patterns).astype(np.float64)


def percentile_bounds(replicates: Floats, confidence: float) -> tuple[float, float]:
    """Return the bounds between which ``confidence`` of the replicates lie, shape ``(b,)``; NaN is left out."""
    low, high = np.nanquantile(replicates, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def standard_errors(losses: Floats, weights: Floats) -> Floats:
    """Return the standard error of the mean of ``losses``, shape ``(m,)``, in each resample, shape ``(b,)``."""
    rows = weights.sum(axis=1)
    centred = losses - losses.mean()
    means = (weights @ centred) / rows
    errors: Floats = np.sqrt(np.maximum((weights @ centred**2) / rows - means**2, 0.0) / rows)
    return errors


def widened(confidence: float, rows: int) -> float:
    """Return the confidence to ask percentiles for, so that they reach as far as Student's distribution on few rows.

    Source: T. C. Hesterberg, "What teachers should know about the bootstrap", The American Statistician 69, 2015, section 3.2.
    """
    from scipy.special import stdtrit

    if rows < 3:
        return confidence
    reach = float(stdtrit(rows - 1, 0.5 + confidence / 2)) * (rows / (rows - 1)) ** 0.5
    return 2 * NormalDist().cdf(reach) - 1


def bca_bounds(
    measure: Measure, counts: NDArray[np.int64], point: float, replicates: Floats, confidence: float
) -> tuple[float, float]:
    """Return bounds corrected for bias and for a spread that grows with the score.

    Where the correction is not defined (all replicates on one side of the point) they are the plain percentiles.

    Args:
        measure: What was measured.
        counts: Shape ``(m,)``: how many rows show each pattern.
        point: The score of the sample itself.
        replicates: Shape ``(b,)``: the scores of the resamples.
        confidence: Of the two-sided interval.

    """
    normal = NormalDist()
    known = replicates[~np.isnan(replicates)]
    below = (np.count_nonzero(known < point) + np.count_nonzero(known == point) / 2) / max(len(known), 1)
    if not 0 < below < 1:
        return percentile_bounds(known, confidence)
    bias, acceleration = normal.inv_cdf(below), _acceleration(measure, counts)

    def level(wanted: float) -> float:
        moved = bias + normal.inv_cdf(wanted)
        return normal.cdf(bias + moved / (1 - acceleration * moved))

    low, high = np.quantile(known, [level((1 - confidence) / 2), level((1 + confidence) / 2)])
    return float(low), float(high)


def _acceleration(measure: Measure, counts: NDArray[np.int64]) -> float:
    """Return how fast the spread changes with the score, from the jackknife over patterns, or over blocks of them."""
    patterns = len(counts)
    if patterns <= BLOCKS:
        without = np.tile(counts.astype(np.float64), (patterns, 1)) - np.eye(patterns)
        times = counts.astype(np.float64)
    else:
        block = np.arange(patterns) % BLOCKS  # rows stand in no order that matters
        without = np.where(block[None, :] == np.arange(BLOCKS)[:, None], 0.0, counts.astype(np.float64)[None, :])
        times = np.ones(BLOCKS)
    scores = measure(without)
    known = ~np.isnan(scores)
    if not known.any():
        return 0.0
    scores, times = scores[known], times[known]
    gaps = np.average(scores, weights=times) - scores
    spread = float((times * gaps**2).sum())
    return float((times * gaps**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
