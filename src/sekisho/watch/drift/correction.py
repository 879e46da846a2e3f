"""Many tests, one promise: how p-values are corrected, and how a budget of false alarms is spent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

SECONDS_PER_DAY: Final = 86_400.0


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return the p-values adjusted for their number, in the same order.

    Rejecting those at or below ``alpha`` keeps the chance of even one false rejection at ``alpha`` or less, however the tests depend on
    each other (Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 1979).
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return tuple(adjusted)


def alpha_per_look(false_alarms_per_30_days: float, looks_per_day: float) -> float:
    """Return the chance of a false alarm that one look may take, so that all looks of 30 days keep to their budget.

    By the union bound the expected number of looks with a false alarm is at most the budget, also when looks share rows with each other
    and compare with the same reference. With bounds that fall exponentially, looking a hundred times more often
    raises the smallest change that can be told from chance by a few per cent only.

    Args:
        false_alarms_per_30_days: The budget, for all columns and statistics together; above 0.
        looks_per_day: How often a window is judged; above 0.

    """
    return min(0.5, false_alarms_per_30_days / (30.0 * looks_per_day))
