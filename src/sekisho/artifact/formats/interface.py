"""What every model format gives: a way to write, a way to read that runs no code, and a runtime that answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[np.generic]]
"""One array a feature, shape ``(n,)``, as in :class:`~sekisho.artifact.table.Column`. Integer and boolean features that are
nullable come as float64 with NaN."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Outputs:
    """What a model answered to ``n`` rows.

    Attributes:
        values: Shape ``(n,)``. Classifier: the class labels, in the dtype of the training labels. Regressor: float64.
        probabilities: Shape ``(n, k)``, float64, in the order of the signature's classes; ``None`` for a regressor or a classifier
            without probabilities.

    """

    values: NDArray[np.generic]
    probabilities: NDArray[np.float64] | None


class Runtime(Protocol):
    """A loaded model."""

    @property
    def fenced(self) -> bool:
        """Whether it may run inside the serving process: it cannot run code of its own."""
        ...

    def run(self, columns: Columns) -> Outputs:
        """Answer the rows of ``columns``. Thread-safe."""
        ...
