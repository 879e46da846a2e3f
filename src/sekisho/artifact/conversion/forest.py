"""Forests that vote: the votes are added up before they are divided, so that a tie stays a tie.

Shares of a vote (1/50, say) are no binary fractions: added one by one they may end beside one half, on the side of the other label. Votes of
pure leaves are whole numbers, and their sums are exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.artifact.runtime import NotConvertible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sekisho.artifact.conversion.graph import GraphBuilder

FORESTS: Final = frozenset({"RandomForestClassifier", "ExtraTreesClassifier"})


def predict(graph: GraphBuilder, forest: Any, tensor: str, *, precision: type[np.float32 | np.float64]) -> str:
    """Add a fitted forest of classifying trees and return its probabilities.

    Args:
        graph: Where it is added.
        forest: The fitted estimator.
        tensor: The numbers that it is given, already rounded as scikit-learn does, in ``precision``.
        precision: What thresholds and votes are kept in.

    Raises:
        NotConvertible: It has several outputs.

    """
    if forest.n_outputs_ != 1:
        raise NotConvertible("a forest with several outputs")
    trees = [tree.tree_ for tree in forest.estimators_]
    # Of two classes one is counted in single precision, which is fastest; in double precision both, rounded as scikit-learn rounds them.
    counted = range(1, 2) if forest.n_classes_ == 2 and precision is np.float32 else range(forest.n_classes_)
    votes = graph.node(
        "TreeEnsembleRegressor",
        tensor,
        domain="ai.onnx.ml",
        n_targets=len(counted),
        **_attributes(trees, counted, precision),
    )
    if precision is np.float64:
        votes = graph.cast(votes, np.float64)
    number = graph.constant(np.array(len(trees), dtype=precision))
    if len(counted) == 1:
        votes = graph.node("Concat", graph.node("Sub", number, votes), votes, axis=1)
    return graph.node("Div", votes, number)


def _attributes(trees: list[Any], counted: range, precision: type[np.float32 | np.float64]) -> dict[str, Any]:
    sizes = [tree.node_count for tree in trees]
    tree_ids = np.repeat(np.arange(len(trees)), sizes)
    node_ids = np.concatenate([np.arange(size) for size in sizes])
    leaf = np.concatenate([tree.children_left for tree in trees]) == -1
    thresholds = np.where(leaf, 0.0, np.concatenate([tree.threshold for tree in trees]))
    shares = np.concatenate([tree.value[:, 0, :] for tree in trees])[leaf][:, counted]

    def inner(field: str) -> list[int]:
        values = np.concatenate([getattr(tree, field) for tree in trees])
        return np.where(leaf, 0, values).astype(np.int64).tolist()  # type: ignore[no-any-return]

    return {
        "nodes_treeids": tree_ids.tolist(),
        "nodes_nodeids": node_ids.tolist(),
        "nodes_featureids": inner("feature"),
        "nodes_modes": np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
        **_numbers("nodes_values", _rounded_down(thresholds, precision)),
        "nodes_truenodeids": inner("children_left"),
        "nodes_falsenodeids": inner("children_right"),
        "nodes_missing_value_tracks_true": inner("missing_go_to_left"),
        "target_treeids": np.repeat(tree_ids[leaf], len(counted)).tolist(),
        "target_nodeids": np.repeat(node_ids[leaf], len(counted)).tolist(),
        "target_ids": np.tile(np.arange(len(counted)), int(leaf.sum())).tolist(),
        **_numbers("target_weights", shares.ravel().astype(precision)),
        "post_transform": "NONE",
    }


def _rounded_down(thresholds: NDArray[np.float64], precision: type[np.float32 | np.float64]) -> NDArray[Any]:
    """Return thresholds such that a float32 lies below one exactly when it lies below the original."""
    rounded: NDArray[Any] = thresholds.astype(precision)
    return np.where(rounded > thresholds, np.nextafter(rounded, precision(-np.inf)), rounded)


def _numbers(name: str, values: NDArray[Any]) -> dict[str, Any]:
    from onnx import numpy_helper

    if values.dtype == np.float32:
        return {name: values.tolist()}
    return {f"{name}_as_tensor": numpy_helper.from_array(values, name)}
