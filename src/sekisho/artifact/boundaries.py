"""Rows on both sides of the places where a model changes its answer, as near as the numbers come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from sekisho.artifact.table import Table
from sekisho.errors import ModelFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sekisho.artifact.runtime import Outputs, Runtime
    from sekisho.artifact.signature import Signature

BOUNDARIES: Final = 256
MOST_FEATURES: Final = 128
"""Of a wider table, as many numeric features are walked along."""
CUTS: Final = 8
MOST_ROUNDS: Final = 30
"""Each round leaves an eighth: enough to bring two float64 next to each other, but for the smallest."""


def ask(runtime: Runtime, rows: Table) -> Outputs | None:
    """Return the answers to ``rows``; ``None`` where the model refuses them."""
    try:
        return runtime.run(rows.arrays())
    except ModelFailed:
        return None


def stacked(tables: Sequence[Table]) -> Table:
    """Return the rows of ``tables``, which have the same columns, one table after the other."""
    return Table(
        columns=tuple(
            replace(
                parts[0],
                values=np.concatenate([part.values for part in parts]),
                null=np.concatenate([part.null for part in parts]),
                codes=None,
            )
            for parts in zip(*(table.columns for table in tables), strict=True)
        )
    )


def boundaries(original: Runtime, signature: Signature, reference: Table, random: np.random.Generator) -> Table | None:
    """Return rows on both sides of places where the answer changes, as near as the numbers come.

    Each row moves along one numeric feature between its lowest and highest value in the reference set. Where the two ends are answered
    differently, cutting in between brings two values next to each other that are still answered differently: a threshold of a tree, the decision
    boundary. Both are taken, and their neighbours in float32.
    """
    numeric = [
        feature.name
        for feature in signature.features
        if feature.kind in {"float", "integer"} and len(np.unique(reference.column(feature.name).present())) > 1
    ]
    names = [numeric[index] for index in sorted(random.permutation(len(numeric))[:MOST_FEATURES].tolist())]
    if signature.output.outputs:
        return None  # nothing is compiled of several answers that would have to be told from the original
    closest = signature.output.task == "regression" or signature.output.probabilities
    pushed = _pushed(original, reference, names, random, closest=closest)
    if pushed is None:
        # An encoder, say, refuses what lies between its categories: the others are walked along.
        names = [name for name in names if _answers_everywhere(original, reference, name)]
        pushed = _pushed(original, reference, names, random, closest=closest)
    return pushed if pushed is not None and pushed.rows else None


def _pushed(
    original: Runtime, reference: Table, names: list[str], random: np.random.Generator, *, closest: bool
) -> Table | None:
    """Return the rows on both sides of every change along ``names``; ``None`` if the original refuses a row on the way."""
    if not names:
        return None
    walk = _Walk.along(original, reference, names, random)
    ends = [_ends(reference, name) for name in names]
    low, high = (np.array(end, dtype=np.float64)[walk.owner] for end in zip(*ends, strict=True))
    found = walk.narrow(low, high)
    if found is None:
        return None
    near, far, differ = found
    sides = _both_sides(near, far, closest=closest)
    return walk.pushed([np.where(walk.whole, near, side) if side is not far else side for side in sides], differ)


def _ends(reference: Table, name: str) -> tuple[float, float]:
    present = reference.column(name).present().astype(np.float64)
    return float(present.min()), float(present.max())


def _answers_everywhere(original: Runtime, reference: Table, name: str) -> bool:
    """Return whether the original answers rows with any value of one feature between its ends."""
    walk = _Walk.along(original, reference, [name], np.random.default_rng(0))
    values = np.linspace(*_ends(reference, name), len(walk.owner))
    return ask(original, walk.at(np.where(walk.whole, np.floor(values), values))) is not None


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class _Walk:
    """Rows that each move along one numeric feature.

    Attributes:
        original: What is asked.
        rows: ``n`` rows.
        names: The features along which rows move.
        owner: Shape ``(n,)``: which of ``names`` each row moves along.

    """

    original: Runtime
    rows: Table
    names: tuple[str, ...]
    owner: NDArray[np.intp]

    @classmethod
    def along(cls, original: Runtime, reference: Table, names: Sequence[str], random: np.random.Generator) -> _Walk:
        """Return walks along ``names``, from rows of the reference set without nulls where there are such."""
        each = max(2, BOUNDARIES // len(names))
        holes = np.any([column.null for column in reference.columns], axis=0)
        whole = np.arange(reference.rows) if holes.all() else np.flatnonzero(~holes)
        rows = reference.take(random.choice(whole, size=each * len(names)))
        return cls(original=original, rows=rows, names=tuple(names), owner=np.repeat(np.arange(len(names)), each))

    def at(self, values: NDArray[np.float64]) -> Table:
        """Return the rows with the moving feature at ``values``, shape ``(n,)``."""
        columns = []
        for column in self.rows.columns:
            if column.name not in self.names:
                columns.append(column)
                continue
            mine = self.owner == self.names.index(column.name)
            cells = column.values.copy()
            cells[mine] = values[mine].astype(cells.dtype)
            columns.append(replace(column, values=cells, null=column.null & ~mine))
        return Table(columns=tuple(columns))

    def narrow(
        self, low: NDArray[np.float64], high: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]] | None:
        """Return values next to each other, answered differently, and for which rows there are such; ``None`` if the original refuses."""
        whole = self.whole
        first, last = ask(self.original, self.at(low)), ask(self.original, self.at(high))
        if first is None or last is None:
            return None
        same = _sameness(first, last)
        differ = ~same(last)
        for _ in range(MOST_ROUNDS):
            # Several cuts at once: a question costs about the same for many rows as for few.
            cuts = [low + (high - low) * (cut / CUTS) for cut in range(1, CUTS)]
            cuts = [np.where(whole, np.floor(cut), cut) for cut in cuts]
            if all(bool(np.all((cut <= low) | (cut >= high))) for cut in cuts):
                break
            answers = ask(self.original, self.pushed(cuts, np.ones(len(low), dtype=np.bool_)))
            if answers is None:
                return None
            bounds = [low, *cuts, high]
            changed = [~same(_part(answers, index, len(low))) for index in range(len(cuts))]
            # The first cut that is answered otherwise bounds the step; what lies before it is still as at the start.
            step = np.argmax([*changed, np.ones(len(low), dtype=np.bool_)], axis=0)
            low, high = (np.choose(step, bounds[:-1]), np.choose(step, bounds[1:]))
        return low, high, differ

    def pushed(self, sides: Sequence[NDArray[np.float64]], chosen: NDArray[np.bool_]) -> Table:
        """Return the ``chosen`` rows at each of ``sides``, one after the other."""
        return stacked([self.at(side).take(chosen) for side in sides])

    @property
    def whole(self) -> NDArray[np.bool_]:
        """Which rows move along whole numbers, shape ``(n,)``."""
        kinds = np.array([self.rows.column(name).kind == "integer" for name in self.names], dtype=np.bool_)
        return kinds[self.owner]


def _sameness(first: Outputs, last: Outputs) -> Callable[[Outputs], NDArray[np.bool_]]:
    """Return the function that says which rows are still answered as at the first end.

    Half of the walks look for the change of label (or, where the ends share one, for the middle between their scores); the others for any
    change of the score.
    """

    def score(outputs: Outputs) -> NDArray[np.generic]:
        return outputs.values if outputs.probabilities is None else outputs.probabilities[:, -1]

    start, end = score(first), score(last)
    by_side = np.arange(len(start)) % 2 == 0
    by_label = by_side & (np.asarray(first.values != last.values) if start.dtype.kind == "f" else True)

    def same(outputs: Outputs) -> NDArray[np.bool_]:
        labels = np.asarray(outputs.values == first.values, dtype=np.bool_)
        scores = score(outputs)
        if scores.dtype.kind != "f":
            return labels
        middle = (start.astype(np.float64) + end.astype(np.float64)) / 2
        side = (scores.astype(np.float64) > middle) == (start.astype(np.float64) > middle)
        unchanged: NDArray[np.bool_] = np.where(by_side, side, scores == start)
        if outputs.probabilities is not None:
            unchanged = np.where(by_label, labels, unchanged)
        return unchanged

    return same


def _part(answers: Outputs, index: int, rows: int) -> Outputs:
    """Return the answers to the ``index``-th of several tables of ``rows`` rows that stood one after the other."""
    chosen = slice(index * rows, (index + 1) * rows)
    probabilities = answers.probabilities
    return replace(
        answers, values=answers.values[chosen], probabilities=None if probabilities is None else probabilities[chosen]
    )


def _both_sides(near: NDArray[np.float64], far: NDArray[np.float64], *, closest: bool) -> list[NDArray[np.float64]]:
    """Return values on both sides of every change: the very two, and their neighbours in float32.

    Without ``closest``, two values a ten-thousandth further away: for models whose labels come with no score to tell a close call by.
    """
    if not closest:
        step = np.maximum(np.abs(near), 1.0) * 1e-4
        return [near - step, far + step]
    single = near.astype(np.float32)
    neighbours = [np.nextafter(single, np.float32(end)).astype(np.float64) for end in (-np.inf, np.inf)]
    return [near, far, single.astype(np.float64), *neighbours]
