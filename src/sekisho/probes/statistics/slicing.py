"""Parts of a table in which a model errs more than elsewhere: single columns and pairs of them, counted all at once.

What is found by looking at many parts must be shown again on rows that were not looked at; this module only looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact.table import Column
from sekisho.probes.statistics.answers import Floats
from sekisho.probes.statistics.baselines import numbers

BANDS: Final = 6
"""Into how many bands numbers are cut."""
MOST_VALUES: Final = 12
"""A column with more different numbers is cut into bands; of more categories the rarest share one part."""
MOST_COLUMNS: Final = 40
SURELY: Final = 3.0
"""How many standard errors above the mean loss make a part worth a second look."""
SAME_ROWS: Final = 0.7
"""Two parts that share so much of their rows are one finding."""

Codes = NDArray[np.int16]


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Cut:
    """One column cut into parts.

    Attributes:
        column: Its name.
        codes: The part of each row, shape ``(n,)``.
        labels: What each part holds, in words: ``age 18–25``, ``region = north``.
        bands: Whether the parts are ranges of numbers.

    """

    column: str
    codes: Codes
    labels: tuple[str, ...]
    bands: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One part of one column, or what two parts of two columns share.

    Attributes:
        parts: The place of each column among the cuts, and the part of it.

    """

    parts: tuple[tuple[int, int], ...]

    def rows(self, cuts: Sequence[Cut]) -> NDArray[np.bool_]:
        """Return which rows belong to it, shape ``(n,)``."""
        inside = np.ones(len(cuts[0].codes), dtype=np.bool_)
        for place, part in self.parts:
            inside &= cuts[place].codes == part
        return inside

    def name(self, cuts: Sequence[Cut]) -> str:
        """Return its name: ``age 18–25, region = north``."""
        return ", ".join(cuts[place].labels[part] for place, part in self.parts)


def cut(column: Column) -> Cut | None:
    """Return a column in parts; ``None`` where there are fewer than two, or too many that nothing orders."""
    if column.kind == "text":
        return None
    if column.kind in {"float", "integer", "datetime"}:
        values = numbers(column)
        present = np.unique(values[np.isfinite(values)])
        if len(present) > MOST_VALUES:
            return _bands(column, values)
    codes, words = _words(column)
    return Cut(column=column.name, codes=codes, labels=words) if len(words) > 1 else None


def _bands(column: Column, values: Floats) -> Cut | None:
    known = np.isfinite(values)
    edges = np.unique(np.quantile(values[known], np.linspace(0, 1, BANDS + 1)))
    if len(edges) < 3:
        return None
    codes = np.where(
        known, np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2), len(edges) - 1
    )
    words = tuple(
        f"{column.name} {_figure(column, low)}–{_figure(column, high)}" for low, high in pairwise(edges.tolist())
    )
    return Cut(column=column.name, codes=codes.astype(np.int16), labels=(*words, f"{column.name} = —"), bands=True)


def _figure(column: Column, value: float) -> str:
    if column.kind == "datetime":
        return str(np.datetime64(int(value), "s"))[:10]
    return f"{value:.4g}"


def _words(column: Column) -> tuple[Codes, tuple[str, ...]]:
    import pandas as pd

    values = column.values if column.kind != "datetime" else numbers(column)
    codes, different = pd.factorize(values)
    codes = codes.astype(np.int64)
    codes[column.null] = -1
    counts = np.bincount(codes[codes >= 0], minlength=len(different))
    kept = np.argsort(-counts, kind="stable")[:MOST_VALUES]
    kept = kept[counts[kept] > 0]
    words = [f"{column.name} = {different[place]}" for place in kept]
    places = np.full(len(different) + 1, len(words), dtype=np.int64)  # the rest, and null, which stands last
    places[kept] = np.arange(len(kept))
    if (counts > 0).sum() > len(kept):
        words.append(f"{column.name} = …")
    places[-1] = len(words)
    if column.null.any():
        words.append(f"{column.name} = —")
    return places[codes].astype(np.int16), tuple(words)


def worst_parts(cuts: Sequence[Cut], losses: Floats, *, smallest: int, most: int) -> tuple[tuple[Part, ...], int]:
    """Return the parts with surely higher losses than the whole, the surest first, and how many parts were looked at.

    Args:
        cuts: The columns; of more than 40 the first count.
        losses: The loss of each row, shape ``(n,)``.
        smallest: How many rows a part must have.
        most: How many parts are returned.

    """
    cuts = cuts[:MOST_COLUMNS]
    if not cuts:
        return (), 0
    mean, squares = float(losses.mean()), losses**2
    found: list[tuple[float, Part]] = []
    looked = 0
    singles = [(place,) for place in range(len(cuts))]
    for places in [*singles, *combinations(range(len(cuts)), 2)]:
        codes, width = cuts[places[0]].codes, 1
        if len(places) == 2:
            width = len(cuts[places[1]].labels)
            codes = codes * width + cuts[places[1]].codes
        rows = np.bincount(codes)
        enough = np.flatnonzero(rows >= smallest)
        looked += len(enough)
        if not len(enough) or len(enough) == 1 == len(np.flatnonzero(rows)):
            continue
        sums = np.bincount(codes, weights=losses)[enough] / rows[enough]
        spread = np.maximum(np.bincount(codes, weights=squares)[enough] / rows[enough] - sums**2, 0.0)
        errors = np.sqrt((spread + 1 / rows[enough] ** 2) / rows[enough])
        for place in np.flatnonzero(sums - mean > SURELY * errors):
            code = int(enough[place])
            parts = (
                ((places[0], code // width), (places[1], code % width)) if len(places) == 2 else ((places[0], code),)
            )
            # By the spread of all rows: a large part comes before its most extreme corner.
            found.append((float((sums[place] - mean) * np.sqrt(rows[enough[place]])), Part(parts=parts)))
    found.sort(key=lambda each: (-each[0], len(each[1].parts)))
    return _apart([part for _, part in found[: 20 * most]], cuts, most), looked


def _apart(parts: Sequence[Part], cuts: Sequence[Cut], most: int) -> tuple[Part, ...]:
    """Return the first parts that do not mostly hold the same rows."""
    kept: list[tuple[Part, NDArray[np.bool_]]] = []
    for part in parts:
        rows = part.rows(cuts)
        if all(
            np.count_nonzero(rows & other) < SAME_ROWS * min(np.count_nonzero(rows), np.count_nonzero(other))
            for _, other in kept
        ):
            kept.append((part, rows))
        if len(kept) == most:
            break
    return tuple(part for part, _ in kept)
