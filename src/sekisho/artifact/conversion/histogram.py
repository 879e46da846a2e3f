"""Histogram gradient boosting: trees that compare in float64, so their thresholds are kept in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sekisho.artifact.column import is_null
from sekisho.artifact.conversion import boosted
from sekisho.artifact.forest import Categories, Forest, Nodes
from sekisho.artifact.runtime import NotConvertible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sekisho.artifact.conversion.block import Block
    from sekisho.artifact.conversion.graph import GraphBuilder


def predict(graph: GraphBuilder, estimator: Any, block: Block, *, narrow: bool) -> str:
    """Add a fitted ``HistGradientBoostingClassifier`` or ``...Regressor`` and return its probabilities or values.

    Args:
        graph: Where it is added.
        estimator: The fitted estimator.
        block: What it is given.
        narrow: Whether float32 is asked for.

    Raises:
        NotConvertible: Float32 is asked for, or the loss is not known.

    """
    if narrow or graph.precision is not np.float64:
        raise NotConvertible("histogram gradient boosting compares in float64")
    if getattr(estimator, "is_categorical_", None) is not None:
        forest, chosen = _with_categories(estimator)
        sums = boosted.add_up(graph, forest, block.choose(chosen), graph.precision)
        return _answers(graph, estimator, sums, len(forest.base))
    tensor = block.matrix(graph)
    trees = [(tree.nodes, target) for iteration in estimator._predictors for target, tree in enumerate(iteration)]
    targets = len(estimator._predictors[0])
    raw = graph.cast(
        graph.node("TreeEnsembleRegressor", tensor, domain="ai.onnx.ml", n_targets=targets, **_attributes(trees)),
        np.float64,
    )
    scores = graph.node("Add", raw, graph.numbers(np.asarray(estimator._baseline_prediction).reshape(1, -1)))
    return _answers(graph, estimator, scores, targets)


def _with_categories(estimator: Any) -> tuple[Forest, list[int]]:
    """Return the trees of an estimator that splits by category, and the order in which it asks its columns: categories first."""
    is_categorical = np.asarray(estimator.is_categorical_)
    chosen = [*np.flatnonzero(is_categorical).tolist(), *np.flatnonzero(~is_categorical).tolist()]
    encoder = estimator._preprocessor.named_transformers_["encoder"]
    known = [[value for value in values.tolist() if not is_null(value)] for values in encoder.categories_]
    predictors = [(tree, target) for iteration in estimator._predictors for target, tree in enumerate(iteration)]
    starts = np.concatenate([[0], np.cumsum([len(tree.nodes) for tree, _ in predictors])])
    nodes = np.concatenate([tree.nodes for tree, _ in predictors])
    first = np.repeat(starts[:-1], np.diff(starts))
    leaf = nodes["is_leaf"] != 0
    sets: list[NDArray[np.bool_]] = []
    codes = np.full(len(nodes), -1, dtype=np.int64)
    for (tree, _), start in zip(predictors, starts[:-1].tolist(), strict=True):
        for index in np.flatnonzero((tree.nodes["is_leaf"] == 0) & (tree.nodes["is_categorical"] != 0)).tolist():
            codes[start + index] = len(sets)
            bits = np.asarray(tree.raw_left_cat_bitsets[tree.nodes["bitset_idx"][index]], dtype="<u4")
            sets.append(np.unpackbits(bits.view(np.uint8), bitorder="little").astype(np.bool_))
    return Forest(
        nodes=Nodes(
            tree=np.repeat(np.arange(len(predictors)), np.diff(starts)),
            left=np.where(leaf, -1, nodes["left"].astype(np.int64) + first),
            right=np.where(leaf, -1, nodes["right"].astype(np.int64) + first),
            feature=nodes["feature_idx"].astype(np.int64),
            threshold=nodes["num_threshold"].astype(np.float64),
            missing_left=nodes["missing_go_to_left"] != 0,
            codes=codes,
            value=nodes["value"].astype(np.float64),
        ),
        targets=np.array([target for _, target in predictors], dtype=np.int64),
        base=np.ravel(np.asarray(estimator._baseline_prediction, dtype=np.float64)),
        link="identity",
        strict=False,
        single=False,
        sets=tuple(sets),
        categories={place: Categories(values=tuple(values), refuses=False) for place, values in enumerate(known)},
    ), chosen


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
