"""What tells outliers (-1) from what is as usual (1): by the sign of a score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.artifact.conversion import kernels
from sekisho.artifact.runtime import NotConvertible

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.artifact.conversion.block import Block
    from sekisho.artifact.conversion.estimators import Answers
    from sekisho.artifact.conversion.graph import GraphBuilder

_LABELS: Final = np.array([-1, 1])


def _sides(graph: GraphBuilder, scores: str, operator: str = "GreaterOrEqual") -> Answers:
    above = graph.cast(graph.node(operator, scores, graph.numbers(0.0)), np.int64)
    return graph.labels(_LABELS, graph.node("Reshape", above, graph.constant(np.array([-1], dtype=np.int64))))


def _one_class(graph: GraphBuilder, machine: Any, block: Block) -> Answers:
    return _sides(graph, kernels.decision(graph, machine, block), "Greater")


def _linear_one_class(graph: GraphBuilder, machine: Any, block: Block) -> Answers:
    return _sides(graph, graph.linear(block.matrix(graph), machine.coef_.reshape(1, -1), -machine.offset_))


def _envelope(graph: GraphBuilder, envelope: Any, block: Block) -> Answers:
    centred = graph.node("Sub", block.matrix(graph), graph.numbers(np.reshape(envelope.location_, (1, -1))))
    turned = graph.node("MatMul", centred, graph.numbers(envelope.precision_))
    axis = graph.constant(np.array([1], dtype=np.int64))
    distances = graph.node("ReduceSum", graph.node("Mul", turned, centred), axis, keepdims=1)
    return _sides(graph, graph.node("Sub", graph.numbers(-envelope.offset_), distances))


def _isolation(graph: GraphBuilder, forest: Any, block: Block) -> Answers:
    if any(len(chosen) != block.width for chosen in forest.estimators_features_):
        raise NotConvertible("an isolation forest of some of the features")
    depths = graph.node(
        "TreeEnsembleRegressor",
        graph.cast(graph.cast(block.matrix(graph), np.float32), graph.precision),
        domain="ai.onnx.ml",
        n_targets=1,
        **_attributes(graph, forest),
    )
    shares = graph.node("Div", graph.cast(depths, graph.precision), graph.numbers(_denominator(forest)))
    scores = graph.node("Pow", graph.numbers(2.0), graph.node("Neg", shares))
    return _sides(graph, graph.node("Sub", graph.numbers(-forest.offset_), scores))


def _denominator(forest: Any) -> float:
    return float(len(forest.estimators_) * _path_length(forest._max_samples))


def _path_length(samples: Any) -> Any:
    """Return the mean length of a path that finds nothing among ``samples`` rows (Liu, Ting, Zhou: Isolation Forest, 2008)."""
    samples = np.asarray(samples, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        many = 2.0 * (np.log(samples - 1.0) + np.euler_gamma) - 2.0 * (samples - 1.0) / samples
    return np.where(samples <= 1, 0.0, np.where(samples == 2, 1.0, many))


def _attributes(graph: GraphBuilder, forest: Any) -> dict[str, Any]:
    """Return the trees, whose leaves add the length of the path to them."""
    from onnx import numpy_helper

    trees = [tree.tree_ for tree in forest.estimators_]
    sizes = [tree.node_count for tree in trees]
    tree_ids, node_ids = np.repeat(np.arange(len(trees)), sizes), np.concatenate([np.arange(size) for size in sizes])
    left = np.concatenate([tree.children_left for tree in trees])
    leaf = left == -1
    lengths = np.concatenate([tree.compute_node_depths() + _path_length(tree.n_node_samples) - 1.0 for tree in trees])
    thresholds = np.where(leaf, 0.0, np.concatenate([tree.threshold for tree in trees])).astype(graph.precision)

    def inner(field: str) -> list[int]:
        values = np.concatenate([getattr(tree, field) for tree in trees])
        return np.where(leaf, 0, values).astype(np.int64).tolist()  # type: ignore[no-any-return]

    def numbers(name: str, values: Any) -> dict[str, Any]:
        if graph.precision is np.float32:
            return {name: values.tolist()}
        return {f"{name}_as_tensor": numpy_helper.from_array(values, name)}

    return {
        "nodes_treeids": tree_ids.tolist(),
        "nodes_nodeids": node_ids.tolist(),
        "nodes_featureids": inner("feature"),
        "nodes_modes": np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
        **numbers("nodes_values", thresholds),
        "nodes_truenodeids": inner("children_left"),
        "nodes_falsenodeids": inner("children_right"),
        "target_treeids": tree_ids[leaf].tolist(),
        "target_nodeids": node_ids[leaf].tolist(),
        "target_ids": [0] * int(leaf.sum()),
        **numbers("target_weights", lengths[leaf].astype(graph.precision)),
        "post_transform": "NONE",
    }


ESTIMATORS: Final[dict[str, Callable[[GraphBuilder, Any, Block], Answers]]] = {
    "OneClassSVM": _one_class,
    "SGDOneClassSVM": _linear_one_class,
    "EllipticEnvelope": _envelope,
    "IsolationForest": _isolation,
}
