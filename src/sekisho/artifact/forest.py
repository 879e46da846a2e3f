"""Trees of any boosting library as plain arrays: to be looked at before they are trusted, and to be written as ONNX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sekisho.artifact.column import Scalar

Link = Literal["identity", "sigmoid", "softmax", "exp"]


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Categories:
    """A feature that is split by category.

    Attributes:
        values: The categories by their code; whole numbers where the feature came as codes.
        refuses: Whether the library refuses a category that it was never shown.

    """

    values: tuple[Scalar, ...]
    refuses: bool


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Nodes:
    """The nodes of all trees, one after the other: shape ``(n,)`` each.

    Attributes:
        tree: Which tree a node belongs to, ascending; the first node of each tree is its root.
        left, right: The number of each child among all nodes; -1 of a leaf.
        feature: What an inner node asks.
        threshold: What it compares with.
        missing_left: Where a null goes.
        codes: The number among ``Forest.sets`` of the categories that go left; -1 of a node that compares.
        value: What a leaf adds.

    """

    tree: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    missing_left: NDArray[np.bool_]
    codes: NDArray[np.int64]
    value: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Forest:
    """Trees and what becomes of their sums.

    Attributes:
        nodes: All trees.
        targets: Shape ``(trees,)``: which sum a tree adds to.
        base: Shape ``(sums,)``: what each sum begins with.
        factor: What each sum is multiplied with before the link.
        link: What makes an answer of the sums.
        strict: Whether a node goes left only for what is smaller than its threshold, not for what is equal.
        single: Whether numbers are rounded to float32 before they are compared.
        sets: For each set of categories, which codes go left, shape ``(codes,)``.
        categories: The features that are split by category, by number.

    """

    nodes: Nodes
    targets: NDArray[np.int64]
    base: NDArray[np.float64]
    factor: float = 1.0
    link: Link
    strict: bool
    single: bool
    sets: tuple[NDArray[np.bool_], ...] = ()
    categories: dict[int, Categories]


def are_trees(
    left: NDArray[np.int64], right: NDArray[np.int64], starts: NDArray[np.int64], sizes: NDArray[np.int64]
) -> bool:
    """Return whether nodes make up trees: every walk from a root stays within its tree, and never meets a node twice.

    Args:
        left: The number of each left child among all nodes, shape ``(n,)``; -1 of a leaf.
        right: The same of each right child.
        starts: Where each tree begins, shape ``(trees,)``.
        sizes: How many nodes each has.

    """
    count = len(left)
    if not np.array_equal(left == -1, right == -1) or np.any(sizes < 1):
        return False
    first = np.repeat(starts, sizes)
    after = np.repeat(starts + sizes, sizes)
    inner = left != -1
    for child in (left[inner], right[inner]):
        if np.any((child <= first[inner]) | (child >= after[inner])):
            return False
    parents = np.bincount(np.concatenate([left[inner], right[inner]]), minlength=count)
    if np.any(parents > 1):
        return False
    # No node has two parents and no root has one: what is met from the roots is trees, if the walk comes to an end.
    level = starts
    for _ in range(count + 1):
        level = level[left[level] != -1]
        if not len(level):
            return True
        level = np.concatenate([left[level], right[level]])
    return False
