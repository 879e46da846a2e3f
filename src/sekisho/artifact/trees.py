"""Trees whose nodes point inside themselves.

scikit-learn follows the node numbers of a tree without looking whether they exist: a tree made by hand could read foreign memory, or never
come to an end. (https://github.com/scikit-learn/scikit-learn/pull/34558)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sekisho.errors import IntegrityError
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


def check_trees(model: object, *, where: str) -> None:
    """Look at every tree inside ``model``.

    Raises:
        IntegrityError: One has a node whose children come before it or do not exist, or a feature that the model does not have.

    """
    for tree, features in trees_of(model):
        sound = _sound(tree) if type(tree).__name__ == "Tree" else _sound_histogram(tree, features)
        if not sound:
            raise IntegrityError(
                Text(en="a decision tree points outside itself", ja="決定木が自身の外を指しています"),
                Text(en="pack the model again", ja="モデルをパックし直してください"),
                where=where,
            )


def trees_of(model: object) -> Iterator[tuple[Any, int]]:
    """Yield every tree below ``model``, with the number of features of the estimator around it."""
    seen: set[int] = set()
    waiting: list[tuple[Any, int]] = [(model, 0)]
    while waiting:
        value, features = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if type(value).__name__ in {"Tree", "TreePredictor"}:
            yield value, features
        elif isinstance(value, dict):
            waiting.extend((item, features) for item in value.values())
        elif isinstance(value, list | tuple):
            waiting.extend((item, features) for item in value)
        elif isinstance(value, np.ndarray):
            if value.dtype == object:
                waiting.extend((item, features) for item in value.ravel().tolist())
        elif hasattr(value, "__dict__") and not isinstance(value, type):
            own = vars(value)
            waiting.extend((item, int(own.get("n_features_in_", features))) for item in own.values())


def _sound(tree: Any) -> bool:
    left, right, feature = tree.children_left, tree.children_right, tree.feature
    inner = left != -1
    return (
        len(tree.value) == tree.node_count
        and bool(np.all((right == -1) == ~inner))
        and _after(left[inner], right[inner], np.flatnonzero(inner), tree.node_count)
        and bool(np.all((feature[inner] >= 0) & (feature[inner] < tree.n_features)))
    )


def _sound_histogram(tree: Any, features: int) -> bool:
    nodes = tree.nodes
    inner = nodes["is_leaf"] == 0
    by_category = inner & (nodes["is_categorical"] != 0)
    sets = len(tree.raw_left_cat_bitsets)
    return (
        len(nodes) > 0
        and _after(nodes["left"][inner], nodes["right"][inner], np.flatnonzero(inner), len(nodes))
        and bool(np.all((nodes["feature_idx"][inner] >= 0) & (nodes["feature_idx"][inner] < features)))
        and bool(np.all(nodes["bitset_idx"][by_category] < sets))
    )


def _after(
    left: NDArray[np.generic], right: NDArray[np.generic], parents: NDArray[np.integer[Any]], count: int
) -> bool:
    """Return whether every child exists and comes after its parent, so that no walk goes in circles."""
    return all(
        bool(np.all((child > parents) & (child < count))) for child in (left.astype(np.int64), right.astype(np.int64))
    )
