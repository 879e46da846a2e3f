"""What a model answered beside what was right, in numbers that scores are computed from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact.signature import Task

Floats = NDArray[np.float64]
MOST_PATTERNS = 1_000_000
"""So many different patterns of classes are counted at once; more are sorted."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Answers:
    """The right and the given answers to ``n`` rows.

    Attributes:
        task: What kind of answer.
        truth: Shape ``(n,)``. Classes by their number (int64), or values (float64).
        given: Shape ``(n,)``: the answers, in the same numbers. A class that the truth never names has a number too.
        probabilities: Shape ``(n, classes)``, or ``None`` when there are none.
        classes: How many classes there are; 0 for values.
        positive: The number of the class that counts as positive; ``None`` when there are not two classes and nobody said.

    """

    task: Task
    truth: NDArray[Any]
    given: NDArray[Any]
    probabilities: Floats | None
    classes: int
    positive: int | None

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: NDArray[np.generic]) -> Answers:
        """Return the answers to ``rows`` (indexes or a mask)."""
        probabilities = None if self.probabilities is None else self.probabilities[rows]
        return replace(self, truth=self.truth[rows], given=self.given[rows], probabilities=probabilities)


def patterns(several: tuple[Answers, ...]) -> tuple[tuple[Answers, ...], NDArray[np.int64]]:
    """Return one row for each different row of classes, and how many rows show it, shape ``(m,)``.

    Args:
        several: What several models answered to the same rows; scores that read only classes are the same on the result.

    """
    classes = max(several[0].classes, 1)
    columns = [several[0].truth, *(answers.given for answers in several)]
    different = classes ** len(columns)
    if different > MOST_PATTERNS:
        codes = np.stack(columns, axis=1).astype(np.int64)
        _, first, counts = np.unique(codes, axis=0, return_index=True, return_counts=True)
        return tuple(answers.take(first) for answers in several), counts.astype(np.int64)
    code = np.zeros(len(several[0]), dtype=np.int64)
    for column in columns:
        code = code * classes + column
    counts = np.bincount(code, minlength=different)
    place = np.zeros(different, dtype=np.int64)
    place[code] = np.arange(len(code))  # of any row that shows the pattern
    shown = np.flatnonzero(counts)
    return tuple(answers.take(place[shown]) for answers in several), counts[shown].astype(np.int64)
