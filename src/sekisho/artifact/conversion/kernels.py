"""What compares a row with kept rows by a kernel: support vectors and kernel ridge regression, in the precision of the graph."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.artifact.conversion import estimators
from sekisho.artifact.runtime import NotConvertible

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.artifact.conversion.block import Block
    from sekisho.artifact.conversion.estimators import Answers
    from sekisho.artifact.conversion.graph import GraphBuilder

MOST_CELLS: Final = 5_000_000
"""The largest table of kept rows that a graph carries."""


def kernel(graph: GraphBuilder, tensor: str, kept: Any, *, name: Any, gamma: float, coef0: float, degree: float) -> str:
    """Return the kernel between the rows of ``tensor`` and those of ``kept``: shape ``(n, m)``."""
    rows = np.asarray(kept.toarray() if hasattr(kept, "toarray") else kept, dtype=np.float64)
    if rows.size > MOST_CELLS:
        raise NotConvertible("too many rows to compare with")
    products = graph.node("Gemm", tensor, graph.numbers(rows), transB=1)
    if name == "linear":
        return products
    if name == "rbf":
        own = graph.node("ReduceSum", graph.node("Mul", tensor, tensor), graph.constant(np.array([1], dtype=np.int64)))
        theirs = graph.numbers((rows * rows).sum(axis=1).reshape(1, -1))
        crossed = graph.node("Mul", products, graph.numbers(2.0))
        squares = graph.node("Max", graph.node("Sub", graph.node("Add", own, theirs), crossed), graph.numbers(0.0))
        return graph.node("Exp", graph.node("Mul", squares, graph.numbers(-gamma)))
    scaled = graph.node("Add", graph.node("Mul", products, graph.numbers(gamma)), graph.numbers(coef0))
    if name == "poly":
        return graph.node("Pow", scaled, graph.numbers(float(degree)))
    if name == "sigmoid":
        return graph.node("Tanh", scaled)
    raise NotConvertible(f"the kernel {name if isinstance(name, str) else 'of its own'}")


def decision(graph: GraphBuilder, machine: Any, block: Block) -> str:
    """Return the decision function of support vectors of two classes, of a regressor or of one class: shape ``(n, 1)``."""
    return graph.linear(_similarities(graph, machine, block), _dense(machine.dual_coef_), machine.intercept_)


def _similarities(graph: GraphBuilder, machine: Any, block: Block) -> str:
    gamma = float(getattr(machine, "_gamma", 0.0))
    return kernel(
        graph,
        block.matrix(graph),
        machine.support_vectors_,
        name=machine.kernel,
        gamma=gamma,
        coef0=machine.coef0,
        degree=machine.degree,
    )


def _dense(coefficients: Any) -> Any:
    return coefficients.toarray() if hasattr(coefficients, "toarray") else coefficients


def _classifier(graph: GraphBuilder, machine: Any, block: Block) -> Answers:
    if hasattr(machine, "predict_proba"):
        # Its probabilities are fitted apart from its decision, and coupled in a loop.
        return estimators.predict(graph, machine, block, narrow=True)
    if machine.break_ties:
        raise NotConvertible("support vectors that break ties by their scores")
    if len(machine.classes_) == 2:
        above = graph.node("GreaterOrEqual", decision(graph, machine, block), graph.numbers(0.0))
        flat = graph.node("Reshape", graph.cast(above, np.int64), graph.constant(np.array([-1], dtype=np.int64)))
        return graph.labels(machine.classes_, flat)
    count = len(machine.classes_)
    pairs = list(combinations(range(count), 2))
    ends = np.concatenate([[0], np.cumsum(machine.n_support_)])
    own = _dense(machine.dual_coef_)
    weights = np.zeros((len(pairs), ends[-1]))
    for row, (first, second) in enumerate(pairs):
        weights[row, ends[first] : ends[first + 1]] = own[second - 1, ends[first] : ends[first + 1]]
        weights[row, ends[second] : ends[second + 1]] = own[first, ends[second] : ends[second + 1]]
    scores = graph.linear(_similarities(graph, machine, block), weights, machine.intercept_)
    won = graph.cast(graph.node("Greater", scores, graph.numbers(0.0)), np.float32)
    # A pair's first class has its vote when the score is above zero, else the second.
    firsts, seconds = np.zeros((len(pairs), count), np.float32), np.zeros((len(pairs), count), np.float32)
    for row, (first, second) in enumerate(pairs):
        firsts[row, first] = seconds[row, second] = 1.0
    votes = graph.node("MatMul", won, graph.constant(firsts - seconds))
    votes = graph.node("Add", votes, graph.constant(seconds.sum(axis=0, keepdims=True)))
    return graph.labels(machine.classes_, graph.node("ArgMax", votes, axis=1, keepdims=0))


def _regressor(graph: GraphBuilder, machine: Any, block: Block) -> Answers:
    return {"values": (decision(graph, machine, block), estimators.element(np.dtype(graph.precision)))}


def _ridge(graph: GraphBuilder, ridge: Any, block: Block) -> Answers:
    if ridge.kernel_params or np.ndim(ridge.dual_coef_) != 1:
        raise NotConvertible("a kernel with parameters of its own, or several answers")
    gamma = 1.0 / block.width if ridge.gamma is None else ridge.gamma
    similar = kernel(
        graph,
        block.matrix(graph),
        ridge.X_fit_,
        name=ridge.kernel,
        gamma=gamma,
        coef0=1.0 if ridge.coef0 is None else ridge.coef0,
        degree=3 if ridge.degree is None else ridge.degree,
    )
    values = graph.linear(similar, np.asarray(ridge.dual_coef_).reshape(1, -1), np.zeros(1))
    return {"values": (values, estimators.element(np.dtype(graph.precision)))}


ESTIMATORS: Final[dict[str, Callable[[GraphBuilder, Any, Block], Answers]]] = {
    "SVC": _classifier,
    "NuSVC": _classifier,
    "SVR": _regressor,
    "NuSVR": _regressor,
    "KernelRidge": _ridge,
}
