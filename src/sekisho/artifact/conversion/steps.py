"""Transformers of numbers by their own words: bins, thresholds, quantiles, kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sekisho.artifact.conversion import kernels
from sekisho.artifact.conversion.block import Block, dense, side_by_side
from sekisho.artifact.runtime import NotConvertible

if TYPE_CHECKING:
    from sekisho.artifact.conversion.graph import GraphBuilder


def discretize(graph: GraphBuilder, bins: Any, block: Block) -> Block:
    """Add a fitted ``KBinsDiscretizer``: the number of a bin is how many inner edges are not above the value."""
    _check_width(bins.n_bins_, block)
    axis = graph.constant(np.array([1], dtype=np.int64))
    parts = []
    for index, edges in enumerate(bins.bin_edges_):
        inner, count = np.asarray(edges)[1:-1], int(bins.n_bins_[index])
        value = block.choose([index]).matrix(graph)
        if not len(inner):
            number = graph.cast(graph.node("Mul", value, graph.numbers(0.0)), np.int64)
        else:
            passed = graph.cast(graph.node("GreaterOrEqual", value, graph.numbers(inner.reshape(1, -1))), np.int64)
            number = graph.node("ReduceSum", passed, axis, keepdims=1)
        if bins.encode == "ordinal":
            parts.append(dense(graph.cast(number, graph.precision), 1))
        else:
            equal = graph.node("Equal", number, graph.constant(np.arange(count, dtype=np.int64).reshape(1, -1)))
            parts.append(dense(graph.cast(equal, graph.precision), count))
    return side_by_side(parts)


def binarize(graph: GraphBuilder, binarizer: Any, block: Block) -> Block:
    """Add a ``Binarizer``."""
    above = graph.node("Greater", block.matrix(graph), graph.numbers(binarizer.threshold))
    return dense(graph.cast(above, graph.precision), block.width)


def spread(graph: GraphBuilder, quantiles: Any, block: Block) -> Block:
    """Add a fitted ``QuantileTransformer`` that spreads evenly."""
    if quantiles.output_distribution != "uniform":
        raise NotConvertible("quantiles of the normal distribution")
    table = quantiles.quantiles_
    if not np.all(np.diff(table, axis=0) > 0):
        raise NotConvertible("quantiles that are equal")
    columns = [
        graph.interpolate(block.choose([index]).matrix(graph), table[:, index], quantiles.references_)
        for index in range(block.width)
    ]
    return side_by_side([dense(column, 1) for column in columns])


def approximate(graph: GraphBuilder, approximation: Any, block: Block) -> Block:
    """Add a fitted ``Nystroem``."""
    if approximation.kernel_params:
        raise NotConvertible("a kernel with parameters of its own")
    rows = approximation.components_
    similar = kernels.kernel(
        graph,
        block.matrix(graph),
        rows,
        name=approximation.kernel,
        gamma=1.0 / block.width if approximation.gamma is None else approximation.gamma,
        coef0=1.0 if approximation.coef0 is None else approximation.coef0,
        degree=3 if approximation.degree is None else approximation.degree,
    )
    return dense(graph.linear(similar, approximation.normalization_, 0.0), len(rows))


def _check_width(fitted: Any, block: Block) -> None:
    if len(fitted) != block.width:
        raise NotConvertible("a step was fitted on another number of columns")
