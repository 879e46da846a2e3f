"""Whether stated probabilities come true: bins of equal width, and how far each lies off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sekisho.probes.statistics.answers import Answers, Floats
from sekisho.probes.statistics.intervals import Interval, Share

BINS: Final = 10
DRAWS: Final = 4_000
"""How many worlds of the same noise are drawn for an interval."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bin:
    """The rows whose stated probability lies in one range.

    Attributes:
        stated: The mean of the stated probabilities.
        happened: How often what was stated came true.

    """

    stated: float
    happened: Share


def claims(answers: Answers) -> tuple[Floats, NDArray[np.bool_]]:
    """Return what was stated of each row and whether it came true, shape ``(n,)`` each.

    Stated is the probability of the positive class; without one, that of the class held most probable.
    """
    assert answers.probabilities is not None
    if answers.positive is None:
        return answers.probabilities.max(axis=1), np.asarray(answers.probabilities.argmax(axis=1) == answers.truth)
    return answers.probabilities[:, answers.positive], np.asarray(answers.truth == answers.positive)


def bins_of(stated: Floats) -> NDArray[np.int64]:
    """Return the bin of each stated probability, shape ``(n,)``."""
    return np.clip((stated * BINS).astype(np.int64), 0, BINS - 1)


def reliability(answers: Answers) -> tuple[Bin, ...]:
    """Return the bins that have rows, rising."""
    stated, happened = claims(answers)
    place = bins_of(stated)
    rows = np.bincount(place, minlength=BINS)
    sums = np.bincount(place, weights=stated, minlength=BINS)
    came = np.bincount(place[happened], minlength=BINS)
    return tuple(
        Bin(stated=float(sums[k] / rows[k]), happened=Share(count=int(came[k]), trials=int(rows[k])))
        for k in np.flatnonzero(rows)
    )


def calibration_interval(answers: Answers, confidence: float) -> Interval:
    """Return the expected calibration error with an interval that allows for its bias.

    Noise alone pushes the error up, in the sample and once more in any resample of it. The gap of a bin scatters normally, so
    that worlds of the same noise are drawn around the gaps that were seen. The upper bound is that of the basic bootstrap (A. C.
    Davison and D. V. Hinkley, "Bootstrap Methods and their Application", 1997, section 5.2), which takes the bias off. The lower
    one takes off as much as the noise could have added: by the triangle inequality never less than what it did add. A bin
    with few rows scatters at least like a proportion to which two successes and two failures are added.
    """
    stated, happened = claims(answers)
    place, gaps_of_rows = bins_of(stated), stated - happened
    rows = np.bincount(place, minlength=BINS).astype(np.float64)
    known = rows > 0
    sums = np.bincount(place, weights=gaps_of_rows, minlength=BINS)[known]
    squares = np.bincount(place, weights=gaps_of_rows**2, minlength=BINS)[known]
    came = np.bincount(place[happened], minlength=BINS)[known]
    rows = rows[known]
    share = (came + 2) / (rows + 4)
    variance = np.maximum(squares / rows - (sums / rows) ** 2, share * (1 - share) * rows / (rows + 4))
    noise = np.random.default_rng(0).normal(size=(DRAWS, len(rows))) * np.sqrt(variance * rows)
    total = rows.sum()
    point = float(np.abs(sums).sum() / total)
    worlds, added = np.abs(sums + noise).sum(axis=1) / total, np.abs(noise).sum(axis=1) / total
    tail = (1 - confidence) / 2
    high = 2 * point - float(np.quantile(worlds, tail))
    low = point - float(np.quantile(added, 1 - tail))
    return Interval(point=point, low=min(point, max(0.0, low)), high=min(1.0, max(point, high)))
