"""Histogram gradient boosting: trees that compare in float64, so their thresholds are kept in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sekisho.artifact.runtime import NotConvertible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sekisho.artifact.conversion.graph import GraphBuilder


def predict(graph: GraphBuilder, estimator: Any, tensor: str, *, narrow: bool) -> str:
    """Add a fitted ``HistGradientBoostingClassifier`` or ``...Regressor`` and return its probabilities or values.

    Args:
        graph: Where it is added.
        estimator: The fitted estimator.
        tensor: The numbers that it is given.
        narrow: Whether float32 is asked for.

    Raises:
        NotConvertible: The trees split by category, or float32 is asked for.

    """
    if getattr(estimator, "is_categorical_", None) is not None:
        raise NotConvertible("histogram gradient boosting that splits by category")
    if narrow or graph.precision is not np.float64:
        raise NotConvertible("histogram gradient boosting compares in float64")
    trees = [(tree.nodes, target) for iteration in estimator._predictors for target, tree in enumerate(iteration)]
    targets = len(estimator._predictors[0])
    raw = graph.cast(
        graph.node("TreeEnsembleRegressor", tensor, domain="ai.onnx.ml", n_targets=targets, **_attributes(trees)),
        np.float64,
    )
    scores = graph.node("Add", raw, graph.numbers(np.asarray(estimator._baseline_prediction).reshape(1, -1)))
    return _answers(graph, estimator, scores, targets)


def _answers(graph: GraphBuilder, estimator: Any, scores: str, targets: int) -> str:
    """Return what the loss makes of the raw scores."""
    loss = estimator._loss.__class__.__name__
    if hasattr(estimator, "classes_"):
        if targets > 1:
            return graph.node("Softmax", scores, axis=1)
        positive = graph.node("Sigmoid", scores)
        return graph.node("Concat", graph.node("Sub", graph.numbers(1.0), positive), positive, axis=1)
    if loss in {"HalfSquaredError", "AbsoluteError", "PinballLoss"}:
        return scores
    if loss in {"HalfPoissonLoss", "HalfGammaLoss"}:
        return graph.node("Exp", scores)
    raise NotConvertible(f"the loss {loss}")


def _attributes(trees: list[tuple[NDArray[np.void], int]]) -> dict[str, Any]:
    from onnx import numpy_helper

    nodes = np.concatenate([nodes for nodes, _ in trees])
    sizes = [len(nodes) for nodes, _ in trees]
    tree_ids = np.repeat(np.arange(len(trees)), sizes)
    node_ids = np.concatenate([np.arange(size) for size in sizes])
    targets = np.repeat([target for _, target in trees], sizes)
    leaf = nodes["is_leaf"] != 0

    def inner(field: str) -> list[int]:
        return np.where(leaf, 0, nodes[field]).astype(np.int64).tolist()  # type: ignore[no-any-return]

    thresholds = np.where(leaf, 0.0, nodes["num_threshold"]).astype(np.float64)
    return {
        "nodes_treeids": tree_ids.tolist(),
        "nodes_nodeids": node_ids.tolist(),
        "nodes_featureids": inner("feature_idx"),
        "nodes_modes": np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
        "nodes_values_as_tensor": numpy_helper.from_array(thresholds, "thresholds"),
        "nodes_truenodeids": inner("left"),
        "nodes_falsenodeids": inner("right"),
        "nodes_missing_value_tracks_true": inner("missing_go_to_left"),
        "target_treeids": tree_ids[leaf].tolist(),
        "target_nodeids": node_ids[leaf].tolist(),
        "target_ids": targets[leaf].tolist(),
        "target_weights_as_tensor": numpy_helper.from_array(nodes["value"][leaf].astype(np.float64), "weights"),
        "post_transform": "NONE",
    }
