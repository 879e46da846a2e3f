"""Rows on both sides of the thresholds of every tree, where a model's trees ask the features themselves.

Cutting along a feature (:mod:`~sekisho.artifact.boundaries`) finds the changes that show on the way. Trees tell their thresholds outright: for
each that is tried, a row of the reference set that comes to that very node is put on both sides of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.artifact.kinds import last_step
from sekisho.artifact.table import Table
from sekisho.artifact.trees import trees_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sekisho.artifact.runtime import Runtime
    from sekisho.artifact.signature import Signature

MOST_THRESHOLDS: Final = 2_048
"""Of more, as many are tried: from each tree the same share."""
MOST_CELLS: Final = 500_000
"""Of a wide table, fewer: as many cells, on one side."""
WALKED_ROWS: Final = 1_000


def thresholds(original: Runtime, signature: Signature, reference: Table, random: np.random.Generator) -> Table | None:
    """Return rows of the reference set put on both sides of thresholds; ``None`` where there are no trees that ask the features.

    Args:
        original: The model itself.
        signature: Its signature.
        reference: The features of the reference set.
        random: Draws among thresholds.

    """
    model = getattr(original, "model", None)
    kinds = [feature.kind for feature in signature.features]
    if model is None or last_step(model) is not model or not set(kinds) <= {"float", "integer"}:
        return None
    rows = reference.take(np.sort(random.permutation(reference.rows)[:WALKED_ROWS]))
    matrix = np.column_stack([column.array().astype(np.float64) for column in rows.columns])
    found = [
        each
        for tree, _ in trees_of(model)
        if (each := _crossings(tree, matrix, len(kinds), random)) is not None and len(each[0])
    ]
    if not found:
        return None
    most = min(MOST_THRESHOLDS, max(1, MOST_CELLS // len(kinds)))
    share = -(-most // len(found))
    chosen = [tuple(part[_some(len(each[0]), share, random)] for part in each) for each in found]
    owners, features, values = (np.concatenate(parts)[:most] for parts in zip(*chosen, strict=True))
    return _pushed(rows, owners, features, values)


def _crossings(
    tree: Any, matrix: NDArray[np.float64], width: int, random: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]] | None:
    """Return for inner nodes of one tree a row that comes to it, the feature that it asks, and its threshold."""
    if type(tree).__name__ == "TreePredictor":
        nodes = tree.nodes
        inner = np.flatnonzero((nodes["is_leaf"] == 0) & (nodes["is_categorical"] == 0))
        if np.any(nodes["is_categorical"]):
            return None  # its columns stand in another order
        owners = random.integers(len(matrix), size=len(inner))
        return owners, nodes["feature_idx"][inner].astype(np.intp), nodes["num_threshold"][inner].astype(np.float64)
    if tree.n_features != width:
        return None
    with np.errstate(over="ignore"):
        path = tree.decision_path(matrix.astype(np.float32)).tocsc()
    inner = np.flatnonzero((tree.children_left != -1) & (np.diff(path.indptr) > 0))
    first = path.indices[path.indptr[inner]]
    return first.astype(np.intp), tree.feature[inner].astype(np.intp), tree.threshold[inner].astype(np.float64)


def _some(count: int, most: int, random: np.random.Generator) -> NDArray[np.intp]:
    return np.sort(random.permutation(count)[:most])


def _pushed(rows: Table, owners: NDArray[np.intp], features: NDArray[np.intp], values: NDArray[np.float64]) -> Table:
    """Return each owner's row with its feature at the threshold, next to it, and at the neighbours of both in float32."""
    single = values.astype(np.float32)
    sides = [
        values,
        np.nextafter(values, np.inf),
        single.astype(np.float64),
        *(np.nextafter(single, np.float32(end)).astype(np.float64) for end in (-np.inf, np.inf)),
    ]
    columns = []
    for place, column in enumerate(rows.columns):
        mine = features == place
        parts, nulls = [], []
        for index, side in enumerate(sides):
            cells = column.values[owners].copy()
            whole = np.floor(side) + (index % 2) if column.kind == "integer" else side
            cells[mine] = whole[mine].astype(cells.dtype)
            parts.append(cells)
            nulls.append(column.null[owners] & ~mine)
        columns.append(replace(column, values=np.concatenate(parts), null=np.concatenate(nulls), codes=None))
    return Table(columns=tuple(columns))
