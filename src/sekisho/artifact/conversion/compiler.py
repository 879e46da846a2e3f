"""The candidates: one model compiled in each precision that may keep its answers."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np

from sekisho.artifact import strict_json
from sekisho.artifact.conversion import around, pipeline
from sekisho.artifact.conversion.block import Block, Lane, Place
from sekisho.artifact.conversion.graph import GraphBuilder
from sekisho.artifact.runtime import INPUTS_KEY, Graph, NotConvertible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.artifact.signature import Feature, Signature


def compile_sklearn(model: Any, signature: Signature) -> Iterator[Graph]:
    """Yield ONNX graphs of a fitted scikit-learn classifier or regressor, the fastest first.

    ``single`` computes in float32 throughout, ``mixed`` prepares the columns in float64 and asks the estimator in float32, ``double``
    computes in float64 throughout.

    Raises:
        NotConvertible: No precision has a form that is known here.

    """
    reasons = []
    for precision, prepares, narrow in _PRECISIONS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what will be called otherwise some day
                graphs = _compiled(model, signature, prepares, narrow=narrow)
        except NotConvertible as error:
            reasons.append(str(error))
            continue
        for graph in graphs:
            yield Graph(precision=precision, onnx=graph)
    if len(reasons) == len(_PRECISIONS):
        raise NotConvertible(reasons[0])


LANES: Final[tuple[Lane, ...]] = get_args(Lane)
_PRECISIONS: Final[tuple[tuple[str, type[np.float32 | np.float64], bool], ...]] = (
    ("single", np.float32, True),
    ("mixed", np.float64, True),
    ("double", np.float64, False),
)


def _compiled(
    model: Any, signature: Signature, precision: type[np.float32 | np.float64], *, narrow: bool
) -> tuple[bytes, ...]:
    """Return the graph; of a classifier with probabilities first the one whose label is that of the largest."""
    steps, last = pipeline.split(model)
    graph = GraphBuilder(precision)
    groups: dict[Lane, tuple[str, ...]] = {
        kind: tuple(f.name for f in signature.features if _kind(f) == kind) for kind in LANES
    }
    block = _inputs(graph, signature, groups)
    for step in steps:
        block = pipeline.transform(graph, step, block)
    answers = around.predict(graph, last, block, narrow=narrow)
    metadata = {INPUTS_KEY: strict_json.encode({kind: names for kind, names in groups.items() if names}).decode()}
    wanted = {"values"} if signature.output.task == "regression" else {"label", "probabilities"}
    if not wanted & set(answers) or (signature.output.probabilities and "probabilities" not in answers):
        raise NotConvertible(f"{type(last).__name__}: it answers otherwise than its signature says")
    if signature.output.task == "regression":
        return (graph.finish(answers, metadata),)
    if not signature.output.probabilities and "label" in answers:
        return (graph.finish({"label": answers["label"]}, metadata),)
    by_score = graph.finish({"probabilities": answers["probabilities"]}, metadata)
    return (by_score, graph.finish(answers, metadata)) if "label" in answers else (by_score,)


def _inputs(graph: GraphBuilder, signature: Signature, groups: dict[Lane, tuple[str, ...]]) -> Block:
    widths: dict[str, int] = {kind: len(names) for kind, names in groups.items() if names}
    for kind, width in widths.items():
        graph.input(kind, graph.precision if kind == "numbers" else str, width)
    places = []
    for feature in signature.features:
        kind = _kind(feature)
        places.append(Place(tensor=kind, kind=kind, position=groups[kind].index(feature.name)))
    return Block(places=tuple(places), widths=widths, names=signature.names)


def _kind(feature: Feature) -> Lane:
    """Return which input carries a feature: strings in one matrix, all that is a number in the other."""
    if feature.kind == "datetime":
        raise NotConvertible("a feature that is a datetime")
    if feature.kind == "text" or (feature.kind == "category" and not _counts(feature)):
        return "texts"
    return "numbers"


def _counts(feature: Feature) -> bool:
    """Return whether the categories are whole numbers or booleans."""
    return bool(feature.categories) and not any(isinstance(category, str) for category in feature.categories or ())
