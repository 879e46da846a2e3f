"""Generalised linear models: a product of matrices and the inverse of a link."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sekisho.artifact.linear import BinaryModel, LinearModel
from sekisho.artifact.runtime import NotConvertible

if TYPE_CHECKING:
    from sekisho.artifact.conversion.block import Block
    from sekisho.artifact.conversion.graph import GraphBuilder


def predict(graph: GraphBuilder, model: LinearModel, block: Block) -> str:
    """Add the model and return its probabilities or means."""
    weights = graph.numbers(np.array(model.weights).reshape(-1, 1))
    sums = graph.node("Gemm", block.matrix(graph), weights, graph.numbers([model.constant]))
    means = _inverse(graph, model.link, sums)
    if not isinstance(model, BinaryModel):
        return means
    return graph.node("Concat", graph.node("Sub", graph.numbers(1.0), means), means, axis=1)


def _inverse(graph: GraphBuilder, link: str, sums: str) -> str:
    match link:
        case "identity":
            return sums
        case "log":
            return graph.node("Exp", sums)
        case "logit":
            return graph.node("Sigmoid", sums)
        case "cloglog":
            return graph.node("Sub", graph.numbers(1.0), graph.node("Exp", graph.node("Neg", graph.node("Exp", sums))))
        case "sqrt":
            return graph.node("Mul", sums, sums)
        case "inverse_power":
            return graph.node("Reciprocal", sums)
        case "inverse_squared":
            return graph.node("Reciprocal", graph.node("Sqrt", sums))
    raise NotConvertible(f"the link {link}")  # ONNX Runtime has no error function in float64
