"""Estimators around estimators: each is what it makes of the answers of those inside it, which are written first.

Those inside may be pipelines, searches, or of this kind themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.artifact.conversion import estimators, kernels, outliers, pipeline
from sekisho.artifact.conversion.block import Block, dense, side_by_side
from sekisho.artifact.conversion.estimators import Answers
from sekisho.artifact.runtime import NotConvertible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sekisho.artifact.conversion.graph import GraphBuilder


def predict(graph: GraphBuilder, estimator: Any, block: Block, *, narrow: bool) -> Answers:
    """Add an estimator with all that is before it and inside it, and return its answers.

    Args:
        graph: Where it is added.
        estimator: A fitted classifier, regressor, or what finds outliers.
        block: What it is given.
        narrow: Whether estimators that are not written here are computed in float32.

    Raises:
        NotConvertible: It has no ONNX form that is known here.

    """
    steps, last = pipeline.split(estimator)
    for step in steps:
        block = pipeline.transform(graph, step, block)
    name = type(last).__name__
    if name in _AROUND:
        return _AROUND[name](graph, last, block, narrow)
    if name in _ALONE:
        return _ALONE[name](graph, last, block)
    return estimators.predict(graph, last, block, narrow=narrow)


def _scores(graph: GraphBuilder, estimator: Any, block: Block, narrow: bool, classes: int) -> str:
    """Return the probabilities of a classifier inside another, shape ``(n, classes)``."""
    if len(getattr(estimator, "classes_", ())) != classes or not hasattr(estimator, "predict_proba"):
        raise NotConvertible(f"a {type(estimator).__name__} without the probabilities of all classes")
    answers = predict(graph, estimator, block, narrow=narrow)
    return graph.cast(answers["probabilities"][0], graph.precision)


def _values(graph: GraphBuilder, estimator: Any, block: Block, narrow: bool) -> str:
    """Return the answers of a regressor inside another, shape ``(n, 1)``."""
    tensor = graph.cast(predict(graph, estimator, block, narrow=narrow)["values"][0], graph.precision)
    return graph.node("Reshape", tensor, graph.constant(np.array([-1, 1], dtype=np.int64)))


def _mean(graph: GraphBuilder, tensors: Sequence[str], weights: Any = None) -> str:
    """Return the mean of tensors of one shape."""
    shares = np.ones(len(tensors)) if weights is None else np.asarray(weights, dtype=np.float64)
    if weights is not None:
        tensors = [
            graph.node("Mul", tensor, graph.numbers(share)) for tensor, share in zip(tensors, shares, strict=True)
        ]
    return graph.node("Div", graph.node("Sum", *tensors), graph.numbers(shares.sum()))


def _answer(graph: GraphBuilder, name: str, tensor: str) -> Answers:
    return {name: (tensor, estimators.element(np.dtype(graph.precision)))}


def _vote(graph: GraphBuilder, voting: Any, block: Block, narrow: bool) -> Answers:
    weights = voting._weights_not_none
    count = len(voting.classes_)
    if voting.voting == "soft":
        tensors = [_scores(graph, each, block, narrow, count) for each in voting.estimators_]
        return _answer(graph, "probabilities", _mean(graph, tensors, weights))
    votes = [_one_hot(graph, each, block, narrow, count) for each in voting.estimators_]
    if weights is not None:
        votes = [graph.node("Mul", vote, graph.numbers(weight)) for vote, weight in zip(votes, weights, strict=True)]
    return graph.labels(voting.classes_, graph.node("ArgMax", graph.node("Sum", *votes), axis=1, keepdims=0))


def _one_hot(graph: GraphBuilder, estimator: Any, block: Block, narrow: bool, count: int) -> str:
    """Return 1 for the class that a classifier of numbered classes answers, 0 for the others: shape ``(n, count)``."""
    if list(estimator.classes_) != list(range(count)):
        raise NotConvertible("a vote among estimators that know different classes")
    answers = predict(graph, estimator, block, narrow=narrow)
    if "label" in answers:
        index = graph.cast(answers["label"][0], np.int64)
    else:
        index = graph.node("ArgMax", answers["probabilities"][0], axis=1, keepdims=0)
    column = graph.node("Reshape", index, graph.constant(np.array([-1, 1], dtype=np.int64)))
    equal = graph.node("Equal", column, graph.constant(np.arange(count, dtype=np.int64).reshape(1, -1)))
    return graph.cast(equal, graph.precision)


def _vote_on_numbers(graph: GraphBuilder, voting: Any, block: Block, narrow: bool) -> Answers:
    tensors = [_values(graph, each, block, narrow) for each in voting.estimators_]
    return _answer(graph, "values", _mean(graph, tensors, voting._weights_not_none))


def _stack(graph: GraphBuilder, stacking: Any, block: Block, narrow: bool) -> Answers:
    count = len(getattr(stacking, "classes_", ()))
    parts = []
    for each, method in zip(stacking.estimators_, stacking.stack_method_, strict=True):
        if method == "predict_proba":
            scores = _scores(graph, each, block, narrow, count)
            # Of two classes, the first tells nothing that the second does not.
            parts.append(dense(scores, count).choose([1]) if count == 2 else dense(scores, count))
        elif method == "decision_function":
            parts.append(_decision(graph, each, block))
        elif not count:
            parts.append(dense(_values(graph, each, block, narrow), 1))
        else:
            raise NotConvertible("a stack of classifiers that answer with labels alone")
    if stacking.passthrough:
        parts.append(block)
    final = stacking.final_estimator_
    answers = predict(graph, final, side_by_side(parts), narrow=narrow)
    if count and list(getattr(final, "classes_", ())) != list(range(count)):
        raise NotConvertible("a stack whose classes are not all known to its last estimator")
    if "label" in answers:
        # The last estimator was taught numbers in the place of classes.
        answers |= graph.labels(stacking.classes_, graph.cast(answers["label"][0], np.int64))
    return answers


def _decision(graph: GraphBuilder, estimator: Any, block: Block) -> Block:
    """Return the decision function of a linear model or of support vectors."""
    steps, last = pipeline.split(estimator)
    for step in steps:
        block = pipeline.transform(graph, step, block)
    if type(last).__name__ in {"SVC", "NuSVC"} and len(last.classes_) == 2:
        return dense(kernels.decision(graph, last, block), 1)
    coefficients = getattr(last, "coef_", None)
    if not isinstance(coefficients, np.ndarray) or coefficients.ndim != 2 or coefficients.shape[1] != block.width:
        raise NotConvertible(f"the decision function of a {type(last).__name__}")
    return dense(graph.linear(block.matrix(graph), coefficients, last.intercept_), len(coefficients))


def _calibrate(graph: GraphBuilder, calibrated: Any, block: Block, narrow: bool) -> Answers:
    count = len(calibrated.classes_)
    tensors = [_calibrated(graph, each, block, narrow, count) for each in calibrated.calibrated_classifiers_]
    return _answer(graph, "probabilities", _mean(graph, tensors) if len(tensors) > 1 else tensors[0])


def _calibrated(graph: GraphBuilder, each: Any, block: Block, narrow: bool, count: int) -> str:
    inner = each.estimator
    if type(inner).__name__ == "FrozenEstimator":
        inner = inner.estimator
    if len(inner.classes_) != count:
        raise NotConvertible("a calibrated classifier that has not seen all classes")
    if hasattr(inner, "decision_function"):
        given = _decision(graph, inner, block)
    else:
        scores = dense(_scores(graph, inner, block, narrow, count), count)
        given = scores.choose([1]) if count == 2 else scores
    if given.width != len(each.calibrators):
        raise NotConvertible("a calibration of another number of scores")
    parts = [
        _calibrator(graph, calibrator, given.choose([index]).matrix(graph))
        for index, calibrator in enumerate(each.calibrators)
    ]
    if count == 2:
        return graph.node("Concat", graph.node("Sub", graph.numbers(1.0), parts[0]), parts[0], axis=1)
    table = graph.node("Concat", *parts, axis=1)
    total = graph.node("ReduceSum", table, graph.constant(np.array([1], dtype=np.int64)), keepdims=1)
    none = graph.node("Equal", total, graph.numbers(0.0))
    shares = graph.node("Div", table, graph.node("Where", none, graph.numbers(1.0), total))
    return graph.node("Where", none, graph.numbers(1.0 / count), shares)


def _calibrator(graph: GraphBuilder, calibrator: Any, tensor: str) -> str:
    if type(calibrator).__name__ == "_SigmoidCalibration":
        raw = graph.node("Mul", tensor, graph.numbers(-calibrator.a_))
        return graph.node("Sigmoid", graph.node("Sub", raw, graph.numbers(calibrator.b_)))
    if type(calibrator).__name__ == "IsotonicRegression":
        return graph.interpolate(tensor, calibrator.X_thresholds_, calibrator.y_thresholds_)
    raise NotConvertible(f"the calibration {type(calibrator).__name__}")


def _isotonic(graph: GraphBuilder, isotonic: Any, block: Block, narrow: bool) -> Answers:  # noqa: ARG001
    if isotonic.out_of_bounds != "clip":
        raise NotConvertible("an isotonic regression that does not clip")
    return _answer(
        graph, "values", graph.interpolate(block.matrix(graph), isotonic.X_thresholds_, isotonic.y_thresholds_)
    )


def _bag(graph: GraphBuilder, bagging: Any, block: Block, narrow: bool) -> Answers:
    count = len(bagging.classes_)
    parts = [
        _scores(graph, each, block.choose([int(index) for index in chosen]), narrow, count)
        for each, chosen in zip(bagging.estimators_, bagging.estimators_features_, strict=True)
    ]
    return _answer(graph, "probabilities", _mean(graph, parts))


def _bag_of_numbers(graph: GraphBuilder, bagging: Any, block: Block, narrow: bool) -> Answers:
    parts = [
        _values(graph, each, block.choose([int(index) for index in chosen]), narrow)
        for each, chosen in zip(bagging.estimators_, bagging.estimators_features_, strict=True)
    ]
    return _answer(graph, "values", _mean(graph, parts))


def _threshold(graph: GraphBuilder, thresholded: Any, block: Block, narrow: bool) -> Answers:
    inner = thresholded.estimator_
    cut = getattr(thresholded, "best_threshold_", getattr(thresholded, "threshold", None))
    method = getattr(thresholded, "response_method", "auto")
    if len(thresholded.classes_) != 2 or not hasattr(inner, "predict_proba") or method == "decision_function":
        raise NotConvertible("a threshold on another score than a probability")
    label = getattr(thresholded, "pos_label", None)
    place = 1 if label is None else list(thresholded.classes_).index(label)
    scores = _scores(graph, inner, block, narrow, 2)
    score = dense(scores, 2).choose([place]).matrix(graph)
    above = graph.node("GreaterOrEqual", score, graph.numbers(0.5 if cut == "auto" else cut))
    flat = graph.node("Reshape", graph.cast(above, np.int64), graph.constant(np.array([-1], dtype=np.int64)))
    classes = thresholded.classes_ if place == 1 else thresholded.classes_[::-1]
    return _answer(graph, "probabilities", scores) | graph.labels(classes, flat)


_INVERSE: Final = {"exp": "Exp", "sqrt": "Sqrt", "abs": "Abs", "absolute": "Abs", "sin": "Sin", "tanh": "Tanh"}


def _transformed_target(graph: GraphBuilder, transformed: Any, block: Block, narrow: bool) -> Answers:
    tensor = _values(graph, transformed.regressor_, block, narrow)
    transformer = transformed.transformer_
    inverse = getattr(transformer, "inverse_func", None)
    name = getattr(inverse, "__name__", "")
    if type(transformer).__name__ == "StandardScaler":
        tensor = graph.node("Mul", tensor, graph.numbers(transformer.scale_ if transformer.with_std else 1.0))
        tensor = graph.node("Add", tensor, graph.numbers(transformer.mean_ if transformer.with_mean else 0.0))
    elif type(transformer).__name__ != "FunctionTransformer" or getattr(transformer, "inv_kw_args", None):
        raise NotConvertible(f"a target transformed by {type(transformer).__name__}")
    elif name == "expm1":
        tensor = graph.node("Sub", graph.node("Exp", tensor), graph.numbers(1.0))
    elif name == "square":
        tensor = graph.node("Mul", tensor, tensor)
    elif name in _INVERSE:
        tensor = graph.node(_INVERSE[name], tensor)
    elif inverse is not None:
        raise NotConvertible(f"a target transformed back by {name or 'a function of its own'}")
    return _answer(graph, "values", tensor)


def _constant(graph: GraphBuilder, dummy: Any, block: Block, narrow: bool) -> Answers:  # noqa: ARG001
    if hasattr(dummy, "classes_"):
        if dummy.strategy not in {"prior", "most_frequent"}:
            raise NotConvertible(f"a dummy that answers by {dummy.strategy}")
        rows = np.zeros((1, len(dummy.classes_)))
        rows[0, int(np.argmax(dummy.class_prior_))] = 1.0
        return _answer(
            graph,
            "probabilities",
            _repeated(
                graph, block, np.asarray(dummy.class_prior_).reshape(1, -1) if dummy.strategy == "prior" else rows
            ),
        )
    return _answer(
        graph, "values", _repeated(graph, block, np.asarray(dummy.constant_, dtype=np.float64).reshape(1, 1))
    )


def _repeated(graph: GraphBuilder, block: Block, row: NDArray[np.float64]) -> str:
    """Return one row for each that is asked."""
    kind = block.places[0].kind
    shape = graph.node("Shape", block.choose([0]).matrix(graph, kind))
    count = graph.node("Slice", shape, *(graph.constant(np.array([end], dtype=np.int64)) for end in (0, 1)))
    whole = graph.node("Concat", count, graph.constant(np.array([row.shape[1]], dtype=np.int64)), axis=0)
    return graph.node("Expand", graph.numbers(row), whole)


_ALONE: Final[dict[str, Callable[[GraphBuilder, Any, Block], Answers]]] = {**kernels.ESTIMATORS, **outliers.ESTIMATORS}
_AROUND: Final[dict[str, Callable[[GraphBuilder, Any, Block, bool], Answers]]] = {
    "VotingClassifier": _vote,
    "VotingRegressor": _vote_on_numbers,
    "StackingClassifier": _stack,
    "StackingRegressor": _stack,
    "CalibratedClassifierCV": _calibrate,
    "IsotonicRegression": _isotonic,
    "BaggingClassifier": _bag,
    "BaggingRegressor": _bag_of_numbers,
    "FixedThresholdClassifier": _threshold,
    "TunedThresholdClassifierCV": _threshold,
    "TransformedTargetRegressor": _transformed_target,
    "DummyClassifier": _constant,
    "DummyRegressor": _constant,
}
