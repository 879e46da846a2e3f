"""Walking a fitted scikit-learn pipeline, step by step, while the graph grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.artifact.conversion import encoders, estimators, steps
from sekisho.artifact.conversion.block import Block, Place, dense, side_by_side
from sekisho.artifact.runtime import NotConvertible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.artifact.conversion.graph import GraphBuilder


def split(model: Any) -> tuple[tuple[Any, ...], Any]:
    """Return the transformers before the final estimator, and the final estimator itself.

    A search is its best estimator; a pipeline in a pipeline is walked through.
    """
    name = type(model).__name__
    if name in {"GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV"}:
        return split(model.best_estimator_)
    if name == "Pipeline":
        own = [step for _, step in model.steps]
        before, last = split(own[-1])
        return (*own[:-1], *before), last
    return (), model


def known_categories(model: Any, names: Sequence[str]) -> dict[str, Sequence[Any]]:
    """Return the categories that the encoders of a fitted pipeline were fitted on, by the name of the feature, nulls among them."""
    known: dict[str, Sequence[Any]] = {}
    waiting = [(model, list(names))]
    while waiting:
        step, columns = waiting.pop()
        name = type(step).__name__
        if name == "Pipeline":
            # An imputer leaves the columns where they are; what comes after an encoder does not.
            waiting += [(inner, columns) for _, inner in step.steps[:2]]
        elif name == "ColumnTransformer":
            block = Block(
                places=tuple(Place(tensor="", kind="numbers", position=0) for _ in columns),
                widths={},
                names=tuple(columns),
            )
            for _, inner, chosen in step.transformers_:
                waiting.append((inner, [columns[index] for index in _columns(chosen, block)]))
        elif len(getattr(step, "categories_", ())) == len(columns):
            known |= {column: values.tolist() for column, values in zip(columns, step.categories_, strict=True)}
    return known


def transform(graph: GraphBuilder, step: Any, block: Block) -> Block:
    """Add one fitted transformer.

    Raises:
        NotConvertible: It has no ONNX form that is known here.

    """
    if step is None or step == "passthrough":
        return block
    if hasattr(step, "build_analyzer"):
        raise NotConvertible(f"{type(step).__name__}: text is taken apart by scikit-learn alone")
    known = _STEPS.get(type(step).__name__)
    return known(graph, step, block) if known is not None else estimators.transform(graph, step, block)


def _pipeline(graph: GraphBuilder, pipeline: Any, block: Block) -> Block:
    for _, step in pipeline.steps:
        block = transform(graph, step, block)
    return block


def _column_transformer(graph: GraphBuilder, transformer: Any, block: Block) -> Block:
    parts = []
    for name, step, columns in transformer.transformers_:
        chosen = _columns(columns, block)
        if (isinstance(step, str) and step == "drop") or not chosen:
            continue
        part = transform(graph, step, block.choose(chosen))
        parts.append(_weighted(graph, part, (transformer.transformer_weights or {}).get(name)))
    return side_by_side(parts)


def _columns(columns: Any, block: Block) -> list[int]:
    """Return the positions that a column transformer's fitted selection means."""
    if isinstance(columns, str | int | np.integer):
        columns = [columns]
    if isinstance(columns, slice):
        if any(isinstance(end, str) for end in (columns.start, columns.stop)):
            raise NotConvertible("a slice of column names")
        return list(range(block.width))[columns]
    chosen = list(columns)
    if chosen and all(isinstance(column, bool | np.bool_) for column in chosen):
        return [index for index, wanted in enumerate(chosen) if wanted]
    if any(isinstance(column, str) for column in chosen):
        if block.names is None or not set(chosen) <= set(block.names):
            raise NotConvertible("columns chosen by names that the step before does not give")
        return [block.names.index(column) for column in chosen]
    return [int(column) % block.width for column in chosen]


def _feature_union(graph: GraphBuilder, union: Any, block: Block) -> Block:
    parts = []
    for name, step in union.transformer_list:
        if isinstance(step, str) and step == "drop":
            continue
        parts.append(_weighted(graph, transform(graph, step, block), (union.transformer_weights or {}).get(name)))
    return side_by_side(parts)


def _weighted(graph: GraphBuilder, block: Block, weight: float | None) -> Block:
    if weight is None:
        return block
    return dense(graph.node("Mul", block.matrix(graph), graph.numbers(weight)), block.width)


_FUNCTIONS: Final = {
    "sqrt": "Sqrt",
    "exp": "Exp",
    "log": "Log",
    "abs": "Abs",
    "absolute": "Abs",
    "sin": "Sin",
    "cos": "Cos",
    "tanh": "Tanh",
    "sign": "Sign",
}


def _function_transformer(graph: GraphBuilder, transformer: Any, block: Block) -> Block:
    if transformer.func is None:
        return block
    name = getattr(transformer.func, "__name__", "")
    if transformer.kw_args or not isinstance(transformer.func, np.ufunc):
        raise NotConvertible("a function of one's own")
    tensor = block.matrix(graph)
    if name == "log1p":
        tensor, name = graph.node("Add", tensor, graph.numbers(1.0)), "log"
    if name in {"square", "expm1", "log10", "log2"}:
        return dense(_composed(graph, name, tensor), block.width)
    if name not in _FUNCTIONS:
        raise NotConvertible(f"the function {name}")
    return dense(graph.node(_FUNCTIONS[name], tensor), block.width)


def _composed(graph: GraphBuilder, name: str, tensor: str) -> str:
    if name == "square":
        return graph.node("Mul", tensor, tensor)
    if name == "expm1":
        return graph.node("Sub", graph.node("Exp", tensor), graph.numbers(1.0))
    return graph.node("Div", graph.node("Log", tensor), graph.numbers(np.log(10.0 if name == "log10" else 2.0)))


_STEPS: Final[dict[str, Callable[[GraphBuilder, Any, Block], Block]]] = {
    "Pipeline": _pipeline,
    "ColumnTransformer": _column_transformer,
    "FeatureUnion": _feature_union,
    "FunctionTransformer": _function_transformer,
    "SimpleImputer": encoders.impute,
    "OneHotEncoder": encoders.encode,
    "OrdinalEncoder": encoders.encode,
    "TargetEncoder": encoders.encode,
    "StandardScaler": encoders.scale,
    "MinMaxScaler": encoders.scale,
    "MaxAbsScaler": encoders.scale,
    "RobustScaler": encoders.scale,
    "KBinsDiscretizer": steps.discretize,
    "Binarizer": steps.binarize,
    "QuantileTransformer": steps.spread,
    "Nystroem": steps.approximate,
}
