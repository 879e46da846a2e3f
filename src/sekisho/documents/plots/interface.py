"""What every plot gives: from a fact and the contract, a chart and the words above it.

::

    @plot("performance", Performance, title=Text(...))
    def performance(fact: Performance, contract: Contract) -> str | None:
        return intervals([Mark(...)], limits=[Limit(...)])

A plot is asked once for each language, with that language in use, and returns SVG or ``None`` where there is nothing to draw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sekisho.contract.sections import Contract
from sekisho.text import Text

FactT = TypeVar("FactT")


@dataclass(frozen=True, slots=True)
class Plot:
    """How one type of fact is drawn.

    Attributes:
        id: Its name.
        kind: The type of fact.
        title: What is seen.
        draw: Returns SVG that takes its colours from the page, or ``None``.

    """

    id: str
    kind: type
    title: Text
    draw: Callable[[Any, Contract], str | None]


def plot(
    id: str,  # noqa: A002
    kind: type[FactT],
    *,
    title: Text,
) -> Callable[[Callable[[FactT, Contract], str | None]], Plot]:
    """Turn a function from fact and contract to SVG into the plot of that type of fact."""

    def decorate(draw: Callable[[FactT, Contract], str | None]) -> Plot:
        return Plot(id, kind, title, draw)

    return decorate
