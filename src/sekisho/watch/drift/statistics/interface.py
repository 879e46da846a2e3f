"""What a statistic of drift is: a function from the two sides of a column to one measurement.

A unit is one file::

    @statistic("nulls", title=Text(...))
    def nulls(pair: NullPair) -> Measurement: ...

The type of its parameter says which columns it speaks of. It judges nothing: whether a measurement is drift is decided by the detector, from
all of them together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

from sekisho.text import Text


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """One statistic of one column.

    Attributes:
        value: The statistic itself, as its own definition has it.
        effect: How large the change is, 0 (none) to 1 (nothing is as it was). For distributions, the share of rows that would have to
            change to undo it, or less. For rare events, :func:`change_of_share`.
        p_value: An upper bound on the chance of such a value, or one more extreme, if nothing has changed.
        reason: What has changed, in figures.

    """

    value: float
    effect: float
    p_value: float
    reason: Text


@dataclass(frozen=True, slots=True)
class Statistic:
    """One unit of the shelf.

    Attributes:
        id: Its name.
        title: What it measures, for people.
        pair: The type that it measures.
        measure: The function.

    """

    id: str
    title: Text
    pair: type
    measure: Callable[[Any], Measurement]


def statistic(id: str, *, title: Text) -> Callable[[Callable[[Any], Measurement]], Statistic]:  # noqa: A002
    """Turn a function of one kind of pair into the statistic ``id``."""

    def decorate(measure: Callable[[Any], Measurement]) -> Statistic:
        hints = get_type_hints(measure)
        hints.pop("return")
        (pair,) = hints.values()
        return Statistic(id, title, pair, measure)

    return decorate


def change_of_share(reference: float, current: float) -> float:
    """Return how different two shares of rows are: ``|arcsin √p - arcsin √q|``, half of Cohen's h, at most 1.

    About one half it is the plain difference of the shares; towards 0 and 1 the same step weighs more, so that from 0 one row in a
    hundred is 0.10 (Cohen, Statistical power analysis for the behavioral sciences, 1988, chapter 6).
    """
    return min(1.0, abs(math.asin(math.sqrt(reference)) - math.asin(math.sqrt(current))))
