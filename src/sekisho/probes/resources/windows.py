"""Windows of rows as production would send them: clean ones, and ones with a known change in one column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact.table import Column, Kind, Table

Change = Literal["shift", "mix", "new category", "nulls"]
CHANGES: Final[tuple[Change, ...]] = ("shift", "mix", "new category", "nulls")
"""Half a standard deviation; a population stability index of 0.2; a category never seen; a surge of nulls."""

SHIFT: Final = 0.5
STABILITY_INDEX: Final = 0.2
SHARE: Final = 0.2
"""The share of rows that a new category or a null takes."""
USUAL_EFFECT: Final = 0.10
"""The smallest effect that the sizes above are meant for; where the contract's is larger, they grow with it."""

_KINDS: Final[dict[Change, tuple[Kind, ...]]] = {
    "shift": ("float", "integer"),
    "mix": ("category", "boolean"),
    "new category": ("category",),
    "nulls": ("float", "integer", "category", "boolean"),
}


class Windows:
    """Windows resampled from a table.

    Args:
        table: The rows of the reference.
        rows: Rows of a window.
        smallest_effect: The smallest change that counts, as a share of rows.

    """

    def __init__(self, table: Table, rows: int, *, smallest_effect: float = USUAL_EFFECT) -> None:
        self._table = Table(columns=tuple(_coded(column) for column in table.columns))
        self._rows = rows
        self._size = max(1.0, smallest_effect / USUAL_EFFECT)

    def clean(self, seed: int) -> Table:
        """Return a window in which nothing has changed: rows drawn with replacement."""
        random = np.random.default_rng(seed)
        return self._table.take(random.integers(self._table.rows, size=self._rows))

    def split(self, seed: int) -> tuple[Table, Table]:
        """Return a window in which nothing has changed, after the rows that are not in it: two samples that share none.

        A table of fewer than twice as many rows as a window gives itself and :meth:`clean`.
        """
        count = self._table.rows
        if count < 2 * self._rows:
            return self._table, self.clean(seed)
        order = np.random.default_rng(seed).permutation(count)
        return self._table.take(np.sort(order[self._rows :])), self._table.take(order[: self._rows])

    def columns(self, change: Change) -> tuple[str, ...]:
        """Return the columns that ``change`` can happen to."""
        return tuple(column.name for column in self._table.columns if self._can(column, change))

    def changed(self, change: Change, name: str, seed: int) -> Table:
        """Return a window in which ``change`` has happened to the column ``name``."""
        random = np.random.default_rng((seed, 1))
        window = self.clean(seed)
        whole = self._table.column(name)
        return Table(
            columns=tuple(
                self._change(column, whole, change, random) if column.name == name else column
                for column in window.columns
            )
        )

    def _can(self, column: Column, change: Change) -> bool:
        if column.kind not in _KINDS[change] or column.null.all():
            return False
        if change == "shift":
            return float(np.std(column.present().astype(np.float64))) > 0
        if change == "mix":
            return len(np.unique(column.present().astype(str))) > 1
        return change != "nulls" or float(column.null.mean()) <= 1 - 2 * SHARE * self._size

    def _change(self, column: Column, whole: Column, change: Change, random: np.random.Generator) -> Column:
        match change:
            case "shift":
                return _shifted(column, SHIFT * self._size * float(np.std(whole.present().astype(np.float64))), random)
            case "mix":
                return _mixed(column, whole, 1.5 * USUAL_EFFECT * self._size, random)
            case "new category":
                chosen = self._some(random)
                values = column.values.astype(object)
                np.putmask(values, chosen, np.array(_never_seen(whole), dtype=object))
                return replace(
                    column, values=values, null=column.null & ~chosen, dtype="object", categories=None, codes=None
                )
            case "nulls":
                return _nulled(column, self._some(random))

    def _some(self, random: np.random.Generator) -> NDArray[np.bool_]:
        share: NDArray[np.bool_] = random.random(self._rows) < min(0.9, SHARE * self._size)
        return share


def _coded(column: Column) -> Column:
    """Return a category column with the codes of its labels: thousands of windows are counted by them."""
    if column.kind != "category" or column.codes is not None:
        return column
    labels = column.distinct()
    places = {label: place for place, label in enumerate(labels)}
    codes = np.array([places.get(value, -1) for value in column.values.tolist()], dtype=np.int32)
    return replace(column, categories=labels, codes=codes)


def _shifted(column: Column, by: float, random: np.random.Generator) -> Column:
    if column.kind == "integer":
        # whole numbers move by whole steps, on average as far as asked for
        steps = np.floor(by + random.random(len(column))).astype(np.int64)
        return replace(column, values=np.where(column.null, 0, column.values.astype(np.int64) + steps))
    return replace(column, values=column.values.astype(np.float64) + by)


def _mixed(column: Column, whole: Column, least: float, random: np.random.Generator) -> Column:
    """Let rows become the rarest category, until the stability index reaches its size and ``least`` of all rows moved.

    Where most cells are null, few rows hold a category at all: more of them must move for the same share of the window.
    """
    least = min(0.9, least / max(1e-9, 1.0 - float(whole.null.mean())))
    values, counts = np.unique(whole.present().astype(str), return_counts=True)
    shares = counts / counts.sum()
    rarest = int(np.argmin(shares))
    moved = next(part for part in np.linspace(0.01, 0.99, 99) if _is_enough(shares, rarest, float(part), least))
    target = next(value for value in whole.present().tolist() if str(value) == values[rarest])
    chosen = (random.random(len(column)) < moved) & ~column.null
    changed = column.values.copy()
    changed[chosen] = target
    return replace(column, values=changed, codes=None)


def _is_enough(shares: NDArray[np.float64], rarest: int, moved: float, least: float) -> bool:
    after = shares * (1 - moved)
    after[rarest] += moved
    index = float(((after - shares) * np.log(after / shares)).sum())
    return (index >= STABILITY_INDEX and float(np.abs(after - shares).sum()) / 2 >= least) or moved >= 0.99


def _nulled(column: Column, chosen: NDArray[np.bool_]) -> Column:
    null = column.null | chosen
    blank = {"float": np.nan, "category": None}.get(column.kind, 0)
    values = column.values.copy()
    np.putmask(values, chosen, np.array(blank, dtype=values.dtype))
    dtype = {"integer": "Int64", "boolean": "boolean"}.get(column.kind, column.dtype)
    return replace(column, values=values, null=null, dtype=dtype, codes=None)


def _never_seen(column: Column) -> object:
    known: Sequence[object] = column.present().tolist()
    if known and all(isinstance(value, int) and not isinstance(value, bool) for value in known):
        return max(int(str(value)) for value in known) + 1
    return "never-seen-before"
