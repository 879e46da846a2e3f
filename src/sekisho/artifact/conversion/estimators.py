"""Single fitted estimators, on one matrix of numbers: skl2onnx writes them, in the precision that keeps their answers."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.artifact import boosting
from sekisho.artifact.conversion import boosted, forest, histogram, linear
from sekisho.artifact.conversion.block import Block, dense
from sekisho.artifact.conversion.graph import OPSETS
from sekisho.artifact.linear import BinaryModel, LinearModel
from sekisho.artifact.runtime import NotConvertible

if TYPE_CHECKING:
    from sekisho.artifact.conversion.graph import GraphBuilder

_TREES: Final = (
    "DecisionTree",
    "ExtraTree",
    "RandomForest",
    "GradientBoosting",
    "AdaBoost",
    "Bagging",
    "IsolationForest",
)


def transform(graph: GraphBuilder, transformer: Any, block: Block) -> Block:
    """Add any fitted transformer that skl2onnx knows."""
    if hasattr(transformer, "get_support"):
        return block.choose([int(index) for index in np.flatnonzero(transformer.get_support())])
    (tensor, _), *_ = graph.include(_converted(transformer, block.width, graph.precision), block.matrix(graph))
    return dense(graph.cast(tensor, graph.precision), len(transformer.get_feature_names_out()))


Answers = dict[str, tuple[str, int]]
"""A tensor and its ONNX element type for each answer: ``values`` of a regressor; ``label`` (where it is known apart) and ``probabilities``
of a classifier."""


def predict(graph: GraphBuilder, estimator: Any, block: Block, *, narrow: bool) -> Answers:
    """Add the final estimator and return its answers.

    Args:
        graph: Where it is added.
        estimator: A fitted classifier or regressor.
        block: What it is given.
        narrow: Whether to compute the estimator itself in float32, whatever the precision of the steps before it.

    """
    name, is_classifier = type(estimator).__name__, hasattr(estimator, "classes_")
    precision = np.float32 if narrow else graph.precision
    own = np.dtype(graph.precision)
    booster = boosting.library_of(estimator)
    if booster is not None:
        is_classifier = hasattr(estimator, "predict_proba")
        tensor = boosted.predict(graph, booster, estimator, block, narrow=narrow)
        return {"probabilities" if is_classifier else "values": (tensor, element(own))}
    if isinstance(estimator, LinearModel):
        is_classifier = isinstance(estimator, BinaryModel)
        tensor = linear.predict(graph, estimator, block)
        return {"probabilities" if is_classifier else "values": (tensor, element(own))}
    if name.startswith("HistGradientBoosting"):
        tensor = histogram.predict(graph, estimator, block, narrow=narrow)
        return {"probabilities" if is_classifier else "values": (tensor, element(own))}
    if name == "LinearDiscriminantAnalysis":
        return {"probabilities": (_linear_discriminant(graph, estimator, block.matrix(graph)), element(own))}
    tensor = block.matrix(graph)
    if casts_to_single(estimator) or narrow:
        # scikit-learn's trees round their input to float32 and compare it with thresholds in float64.
        tensor = graph.cast(tensor, np.float32)
    if name in forest.FORESTS:
        votes = forest.predict(graph, estimator, graph.cast(tensor, precision), precision=precision)
        return {"probabilities": (votes, element(own))}
    outputs = graph.include(_converted(estimator, block.width, precision), graph.cast(tensor, precision))
    if not is_classifier:
        return {"values": outputs[0]}
    return dict(zip(("label", "probabilities"), outputs, strict=False))


def _linear_discriminant(graph: GraphBuilder, estimator: Any, tensor: str) -> str:
    scores = graph.node(
        "Gemm", tensor, graph.numbers(estimator.coef_), graph.numbers(np.ravel(estimator.intercept_)), transB=1
    )
    if len(estimator.classes_) > 2:
        return graph.node("Softmax", scores, axis=1)
    positive = graph.node("Sigmoid", scores)
    return graph.node("Concat", graph.node("Sub", graph.numbers(1.0), positive), positive, axis=1)


def casts_to_single(estimator: Any) -> bool:
    """Return whether ``estimator`` is made of scikit-learn's own trees, which round their input to float32."""
    name = type(estimator).__name__
    if name.startswith(("AdaBoost", "Bagging")):
        inner = getattr(estimator, "estimator_", None)
        return inner is not None and casts_to_single(inner)
    return not name.startswith("Hist") and name.startswith(_TREES)


def _converted(estimator: Any, width: int, precision: type[np.float32 | np.float64]) -> Any:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    kind = FloatTensorType if precision is np.float32 else DoubleTensorType
    if type(estimator).__name__ == "VotingClassifier":
        estimator = copy.copy(estimator)
        estimator.flatten_transform = False  # of no matter to its answers, but skl2onnx asks for it
    # Where a classifier gives probabilities, skl2onnx would wrap them in a map for each row.
    options = {id(estimator): {"zipmap": False}} if hasattr(estimator, "predict_proba") else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return convert_sklearn(
                estimator,
                name="part",
                initial_types=[("given", kind([None, width]))],
                target_opset=dict(OPSETS),
                options=options,
            )
    except Exception as error:
        # skl2onnx raises whatever its converters meet: what it cannot convert has no ONNX form.
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise NotConvertible(f"{type(estimator).__name__}: {reason}") from error


def element(dtype: np.dtype[Any]) -> int:
    """Return the ONNX element type of a NumPy type."""
    from onnx import helper

    return helper.np_dtype_to_tensor_dtype(dtype)
