"""Models of boosting libraries as one ensemble of trees: each compares as its library does, and a set of categories is looked up.

A node that asks for a category becomes a column of its own, zero or one, read from a table with a row for each category: so sets of any size,
nulls and strangers are answered without a node more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.artifact.conversion.block import Block, dense, side_by_side
from sekisho.artifact.runtime import NULL_TEXT, NotConvertible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sekisho.artifact.boosters.interface import Booster
    from sekisho.artifact.conversion.graph import GraphBuilder
    from sekisho.artifact.forest import Categories, Forest

MOST_CELLS: Final = 10_000_000
"""The largest tables of categories that a graph carries."""
Precision = type[np.float32 | np.float64]


def predict(graph: GraphBuilder, booster: Booster, estimator: Any, block: Block, *, narrow: bool) -> str:
    """Add a trained model and return its probabilities or values, in the precision of the graph.

    Args:
        graph: Where it is added.
        booster: Its library.
        estimator: The trained model.
        block: What it is given.
        narrow: Whether to compute the trees in float32, whatever the precision of the steps before.

    Raises:
        NotConvertible: It is not made of plain trees, or a feature is of another kind than it was.

    """
    forest = booster.forest(estimator)
    precision: Precision = np.float32 if narrow else graph.precision
    sums = add_up(graph, forest, block, precision, missing=getattr(estimator, "missing", None))
    return _answers(graph, forest, sums, is_classifier=hasattr(estimator, "predict_proba"))


def add_up(graph: GraphBuilder, forest: Forest, block: Block, precision: Precision, *, missing: Any = None) -> str:
    """Add the trees of ``forest`` and return their sums, shape ``(n, sums)``, in the precision of the graph.

    Args:
        graph: Where they are added.
        forest: The trees.
        block: What they are given.
        precision: What they compare and add in.
        missing: The number that stands for a null, beside NaN.

    Raises:
        NotConvertible: A feature is of another kind than it was.

    """
    tensor, columns = _columns(graph, forest, block, precision, missing)
    sums = graph.node(
        "TreeEnsembleRegressor",
        tensor,
        domain="ai.onnx.ml",
        n_targets=len(forest.base),
        **_attributes(forest, columns, precision),
    )
    sums = graph.cast(sums, graph.precision)
    if forest.factor != 1.0:
        sums = graph.node("Mul", sums, graph.numbers(forest.factor))
    if np.any(forest.base != 0.0):
        sums = graph.node("Add", sums, graph.numbers(forest.base.reshape(1, -1) * forest.factor))
    return sums


def _answers(graph: GraphBuilder, forest: Forest, sums: str, *, is_classifier: bool) -> str:
    match forest.link:
        case "softmax":
            return graph.node("Softmax", sums, axis=1)
        case "exp":
            return graph.node("Exp", sums)
        case "sigmoid":
            positive = graph.node("Sigmoid", sums)
            if not is_classifier:
                return positive
            return graph.node("Concat", graph.node("Sub", graph.numbers(1.0), positive), positive, axis=1)
    if is_classifier:
        raise NotConvertible("a classifier whose sums are its answers")
    return sums


def _columns(
    graph: GraphBuilder, forest: Forest, block: Block, precision: Precision, missing: float | None
) -> tuple[str, NDArray[np.int64]]:
    """Return the matrix that the trees are given, and which column of it each node asks."""
    plain = [index for index in range(block.width) if index not in forest.categories]
    position = np.zeros(block.width, dtype=np.int64)
    position[plain] = np.arange(len(plain))
    parts: list[Block] = []
    if plain:
        parts.append(dense(_numbers(graph, forest, block.choose(plain), missing), len(plain)))
    columns = position[forest.nodes.feature]
    width = len(plain)
    for feature, categories in sorted(forest.categories.items()):
        nodes = np.flatnonzero((forest.nodes.codes >= 0) & (forest.nodes.feature == feature))
        if len(nodes):
            parts.append(_memberships(graph, forest, block.choose([feature]), categories, nodes))
            columns[nodes] = width + np.arange(len(nodes))
            width += len(nodes)
    if width * max((len(each.values) for each in forest.categories.values()), default=0) > MOST_CELLS:
        raise NotConvertible("too many splits by category")
    return graph.cast(side_by_side(parts).matrix(graph), precision), columns


def _numbers(graph: GraphBuilder, forest: Forest, block: Block, missing: float | None) -> str:
    tensor = block.matrix(graph)
    if missing is not None and not np.isnan(missing):
        is_missing = graph.node("Equal", tensor, graph.numbers(missing))
        tensor = graph.node("Where", is_missing, graph.numbers(np.nan), tensor)
    # Rounded first, compared afterwards, where the library rounds as well.
    return graph.cast(graph.cast(tensor, np.float32), graph.precision) if forest.single else tensor


def _memberships(
    graph: GraphBuilder, forest: Forest, column: Block, categories: Categories, nodes: NDArray[np.int64]
) -> Block:
    """Return a column for each of ``nodes``: zero for what goes left there, one for what goes right."""
    count = len(categories.values)
    left = np.array([forest.sets[code][:count] for code in forest.nodes.codes[nodes].tolist()]).T
    null = forest.nodes.missing_left[nodes].reshape(1, -1)
    # A row for each category, for null, and for a stranger where the library takes one for a null.
    table = np.concatenate([left, null, *(() if categories.refuses else (null,))]).astype(np.float64)
    is_text = column.places[0].kind == "texts"
    index = (_text_index if is_text else _number_index)(graph, column, categories)
    return dense(graph.node("Gather", graph.numbers(1.0 - table), index, axis=0), len(nodes))


def _text_index(graph: GraphBuilder, column: Block, categories: Categories) -> str:
    if not all(isinstance(value, str) for value in categories.values):
        raise NotConvertible("categories that are numbers are given strings")
    count = len(categories.values)
    flat = graph.node("Reshape", column.matrix(graph, "texts"), graph.constant(np.array([-1], dtype=np.int64)))
    return graph.node(
        "LabelEncoder",
        flat,
        domain="ai.onnx.ml",
        keys_strings=[*categories.values, NULL_TEXT],
        values_int64s=list(range(count + 1)),
        default_int64=count + 1,
    )


def _number_index(graph: GraphBuilder, column: Block, categories: Categories) -> str:
    if any(isinstance(value, str) for value in categories.values):
        raise NotConvertible("categories that are strings are given numbers")
    count = len(categories.values)
    tensor = column.matrix(graph)
    known = graph.node("Equal", tensor, graph.numbers(np.array(categories.values, dtype=np.float64).reshape(1, -1)))
    found = graph.node("Concat", known, graph.node("IsNaN", tensor), axis=1)
    # A match at i gives i, a null the number of categories, anything else one more.
    steps = graph.constant(np.arange(-(count + 1), 0, dtype=np.float32).reshape(-1, 1))
    below = graph.node("MatMul", graph.cast(found, np.float32), steps)
    flat = graph.node("Reshape", below, graph.constant(np.array([-1], dtype=np.int64)))
    return graph.cast(graph.node("Add", flat, graph.constant(np.array([count + 1], dtype=np.float32))), np.int64)


def _attributes(forest: Forest, columns: NDArray[np.int64], precision: Precision) -> dict[str, Any]:
    nodes = forest.nodes
    leaf = nodes.left == -1
    sizes = np.bincount(nodes.tree, minlength=len(forest.targets))
    first = np.repeat(np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)
    numbers = np.arange(len(leaf)) - first
    by_category = nodes.codes >= 0
    mode = np.where(by_category | (not forest.strict), "BRANCH_LEQ", "BRANCH_LT")
    thresholds = np.where(leaf, 0.0, np.where(by_category, 0.5, nodes.threshold))
    return {
        "nodes_treeids": nodes.tree.tolist(),
        "nodes_nodeids": numbers.tolist(),
        "nodes_featureids": np.where(leaf, 0, columns).tolist(),
        "nodes_modes": np.where(leaf, "LEAF", mode).tolist(),
        **_values("nodes_values", thresholds.astype(precision)),
        "nodes_truenodeids": np.where(leaf, 0, nodes.left - first).tolist(),
        "nodes_falsenodeids": np.where(leaf, 0, nodes.right - first).tolist(),
        "nodes_missing_value_tracks_true": np.where(leaf, 0, nodes.missing_left).astype(np.int64).tolist(),
        "target_treeids": nodes.tree[leaf].tolist(),
        "target_nodeids": numbers[leaf].tolist(),
        "target_ids": forest.targets[nodes.tree[leaf]].tolist(),
        **_values("target_weights", nodes.value[leaf].astype(precision)),
        "post_transform": "NONE",
    }


def _values(name: str, values: NDArray[Any]) -> dict[str, Any]:
    from onnx import numpy_helper

    if values.dtype == np.float32:
        return {name: values.tolist()}
    return {f"{name}_as_tensor": numpy_helper.from_array(values, name)}
