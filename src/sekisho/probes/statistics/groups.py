"""Groups of people: by one attribute, by two crossed, and what other columns say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact.table import Column
from sekisho.probes.statistics.answers import Floats
from sekisho.probes.statistics.baselines import numbers
from sekisho.probes.statistics.means import associated, explained

BANDS: Final = 4
"""Into how many groups of equal size an attribute of numbers is cut."""
MOST_GROUPS: Final = 12
"""A column with more different numbers is cut into bands."""
MISSING: Final = "—"
"""The group of those of whom nothing is known."""

Rows = NDArray[np.int64]
Groups = Mapping[str, Rows]
"""The places of the rows of each group."""


def groups_of(columns: Mapping[str, Column], cuts: Mapping[str, Sequence[float]] | None = None) -> dict[str, Groups]:
    """Return the groups of each attribute, and of any two crossed (named ``one × other``).

    Args:
        columns: The attributes.
        cuts: Where the groups of an attribute of numbers begin, but for the first; the others are cut into four of equal size.

    """
    stated = cuts or {}
    labels = {
        name: _banded(column, stated[name]) if name in stated else _labels(column) for name, column in columns.items()
    }
    for one, other in combinations(tuple(labels), 2):
        crossed = [f"{left}, {right}" for left, right in zip(labels[one], labels[other], strict=True)]
        labels[f"{one} × {other}"] = np.array(crossed, dtype=object)
    return {
        name: {str(group): np.flatnonzero(cells == group) for group in sorted(set(cells))}
        for name, cells in labels.items()
    }


def _banded(column: Column, cuts: Sequence[float]) -> NDArray[Any]:
    """Return the band of each row by declared cuts, shape ``(n,)``; what is no number is a group of its own."""
    values = numbers(column)
    band = np.searchsorted(np.array(cuts), values, side="right")
    words = [f"<{cuts[0]:g}", *(f"{low:g}–{high:g}" for low, high in pairwise(cuts)), f"≥{cuts[-1]:g}"]
    known = np.isfinite(values)
    return np.array(
        [words[place] if is_known else MISSING for place, is_known in zip(band, known, strict=True)], dtype=object
    )


def _labels(column: Column) -> NDArray[Any]:
    """Return the group of each row, shape ``(n,)``: its value, or the band that its number falls into."""
    if column.kind in {"float", "integer", "datetime"} and len(np.unique(column.present())) > MOST_GROUPS:
        values = numbers(column)
        edges = np.unique(np.nanquantile(values, np.linspace(0, 1, BANDS + 1)))
        band = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
        words = [f"{low:g}–{high:g}" for low, high in pairwise(edges.tolist())]
        cells = [MISSING if missing else words[place] for missing, place in zip(column.null, band, strict=True)]
    else:
        cells = [MISSING if cell is None else str(cell) for cell in column.scalars()]
    return np.array(cells, dtype=object)


def said_of(groups: Groups, column: Column) -> float:
    """Return how much a column says of the group of a row: eta squared of numbers, Cramér's V squared of words, 0 to 1."""
    codes = np.zeros(len(column), dtype=np.int64)
    for number, rows in enumerate(groups.values()):
        codes[rows] = number
    if column.kind in {"float", "integer", "datetime"}:
        return said_by(groups, numbers(column))
    words = [str(cell) for cell in column.scalars()]
    places = {word: place for place, word in enumerate(dict.fromkeys(words))}
    if len(places) > max(2, len(words) // 2):
        return 0.0  # hardly a word is there twice: it names a row, not a group
    return associated(np.array([places[word] for word in words], dtype=np.int64), codes)


def said_by(groups: Groups, values: Floats) -> float:
    """Return how much numbers, shape ``(n,)``, say of the group of a row: eta squared, 0 to 1."""
    codes = np.zeros(len(values), dtype=np.int64)
    for number, rows in enumerate(groups.values()):
        codes[rows] = number
    return explained(values, codes)
