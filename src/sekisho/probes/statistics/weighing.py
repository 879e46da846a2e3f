"""Means and quotients over weighted rows."""

from __future__ import annotations

import numpy as np

from sekisho.probes.statistics.answers import Floats


def divide(above: Floats, below: Floats, empty: float = 0.0) -> Floats:
    """Return ``above / below``, and ``empty`` where ``below`` is 0."""
    quotient: Floats = np.divide(above, below, out=np.full(np.broadcast(above, below).shape, empty), where=below != 0)
    return quotient


def mean(losses: Floats, weights: Floats) -> Floats:
    """Return the mean of ``losses``, shape ``(m,)``, for weights of shape ``(b, m)``: shape ``(b,)``."""
    return divide(weights @ losses, weights.sum(axis=1))
