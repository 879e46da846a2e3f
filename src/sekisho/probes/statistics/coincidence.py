"""Whether rows that are the same are so by chance: a table of a few coarse columns must repeat itself, one of many fine ones cannot."""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact.table import Table
from sekisho.probes.statistics.baselines import sample
from sekisho.probes.statistics.rows import row_parts, times_seen

LOOKED_AT: Final = 20_000
MOST_PAIRS: Final = 300
"""How many pairs of columns are left out in turn; of more, some are drawn."""
MOSTLY: Final = 0.5
"""The share of repeated rows that have near neighbours, from which on sameness is nothing special."""


def repeats_by_chance(table: Table, seed: int) -> bool:
    """Return whether the rows of a table that are the same are what its coarseness lets expect.

    Where equal rows come about by chance, each also has neighbours that differ from it in one or two columns, in any of them; a copy
    among rows that cannot meet by chance has none. One column alone is not enough: it may have been written anew in the copy.

    Args:
        table: What rows are compared by.
        seed: Draws rows and pairs of columns where there are many.

    """
    (parts,) = row_parts([table.take(sample(table.rows, LOOKED_AT, seed))])
    width = len(parts)
    if width < 2:
        return True
    whole = np.bitwise_xor.reduce(parts, axis=0)
    same = times_seen(whole)
    repeated = same > 1
    if not repeated.any():
        return True
    one = [times_seen(whole ^ part) for part in parts]
    met: dict[tuple[int, ...], NDArray[np.bool_]] = {
        (place,): (found > same)[repeated] for place, found in enumerate(one)
    }
    for first, second in _pairs(width, seed):
        both = times_seen(whole ^ parts[first] ^ parts[second])
        met[first, second] = (both > one[first] + one[second] - same)[repeated]
    busiest = max(range(width), key=lambda place: sum(int(rows.sum()) for key, rows in met.items() if place in key))
    elsewhere = [rows for key, rows in met.items() if busiest not in key]
    return bool(np.any(elsewhere, axis=0).mean() >= MOSTLY) if elsewhere else bool(met[busiest,].mean() >= MOSTLY)


def _pairs(width: int, seed: int) -> list[tuple[int, int]]:
    pairs = list(combinations(range(width), 2))
    if len(pairs) <= MOST_PAIRS:
        return pairs
    drawn = np.random.default_rng(seed).choice(len(pairs), MOST_PAIRS, replace=False)
    return [pairs[place] for place in drawn]
