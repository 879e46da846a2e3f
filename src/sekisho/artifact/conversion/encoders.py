"""Encoders, imputers and scalers by their own words: what the fitted object does to each value, written down as a table.

An encoder works on one column at a time, and knows finitely many values. So it is asked, once, what it makes of each value it knows,
of a null, and of a value it does not know; the graph looks the answers up. Whatever options it was given (dropped, infrequent or
unknown categories), the answers are its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.artifact.conversion.block import Block, dense, side_by_side
from sekisho.artifact.runtime import NULL_TEXT, NotConvertible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sekisho.artifact.conversion.graph import GraphBuilder

UNKNOWN_TEXT: Final = "\ufdd1"
"""A string that no category equals."""
MOST_CELLS: Final = 10_000_000
"""The largest table of answers that a graph carries."""


def encode(graph: GraphBuilder, encoder: Any, block: Block) -> Block:
    """Add a fitted ``OneHotEncoder``, ``OrdinalEncoder`` or ``TargetEncoder``."""
    if len(encoder.categories_) != block.width:
        raise NotConvertible("an encoder was fitted on another number of columns")
    answers = _tabulate(encoder)
    parts = [
        _look_up(graph, block.choose([index]), categories, table)
        for index, (categories, table) in enumerate(zip(encoder.categories_, answers, strict=True))
    ]
    return side_by_side([part for part in parts if part is not None])


def impute(graph: GraphBuilder, imputer: Any, block: Block) -> Block:
    """Add a fitted ``SimpleImputer``."""
    statistics = np.asarray(imputer.statistics_, dtype=object)
    if len(statistics) != block.width:
        raise NotConvertible("an imputer was fitted on another number of columns")
    dropped = [_is_null(value) for value in statistics]
    if any(dropped) and not getattr(imputer, "keep_empty_features", False):
        kept = [index for index, is_dropped in enumerate(dropped) if not is_dropped]
        block_kept, statistics = block.choose(kept), statistics[kept]
    else:
        block_kept = block
    kinds = {place.kind for place in block_kept.places}
    if kinds == {"texts"}:
        filled = _fill_texts(graph, imputer, block_kept, statistics)
    elif kinds == {"numbers"}:
        filled = _fill_numbers(graph, imputer, block_kept, statistics)
    else:
        raise NotConvertible("an imputer over strings and numbers together")
    if imputer.indicator_ is None:
        return filled
    flagged = block.choose([int(index) for index in imputer.indicator_.features_])
    missing = graph.node("IsNaN", flagged.matrix(graph))
    return side_by_side([filled, dense(graph.cast(missing, graph.precision), flagged.width)])


def scale(graph: GraphBuilder, scaler: Any, block: Block) -> Block:
    """Add a fitted ``StandardScaler``, ``MinMaxScaler``, ``MaxAbsScaler`` or ``RobustScaler``, in the order it computes."""
    tensor = block.matrix(graph)
    steps: dict[str, Any]
    match type(scaler).__name__:
        case "StandardScaler":
            steps = {"Sub": scaler.mean_ if scaler.with_mean else None, "Div": scaler.scale_}
        case "RobustScaler":
            steps = {"Sub": scaler.center_, "Div": scaler.scale_}
        case "MaxAbsScaler":
            steps = {"Div": scaler.scale_}
        case _:
            steps = {"Mul": scaler.scale_, "Add": scaler.min_}
    for operator, values in steps.items():
        if values is not None:
            tensor = graph.node(operator, tensor, graph.numbers(np.asarray(values).reshape(1, -1)))
    if getattr(scaler, "clip", False):
        low, high = getattr(scaler, "feature_range", (-1.0, 1.0))
        tensor = graph.node("Clip", tensor, graph.numbers(low), graph.numbers(high))
    return dense(tensor, block.width)


def _tabulate(encoder: Any) -> list[NDArray[np.float64]]:
    """Return for each column the answers to its categories in order and, where it has one, to an unknown value: ``(k or k+1, width)``.

    Raises:
        NotConvertible: The answers cannot be told apart by column.

    """
    columns = encoder.categories_
    known = [np.asarray(categories, dtype=object) for categories in columns]
    first = [categories[0] for categories in known]
    answers_unknown = getattr(encoder, "handle_unknown", "ignore") != "error"
    tables = []
    for index, categories in enumerate(known):
        values = [*categories, _unknown(categories)] if answers_unknown else list(categories)
        rows = np.empty((len(values), len(known)), dtype=object)
        rows[:] = first
        rows[:, index] = values
        tables.append(_answers(encoder, rows, columns))
    widths = _widths(encoder, tables[0].shape[1])
    starts = np.concatenate([[0], np.cumsum(widths)])
    return [table[:, starts[index] : starts[index + 1]] for index, table in enumerate(tables)]


def _answers(encoder: Any, rows: NDArray[np.object_], columns: Any) -> NDArray[np.float64]:
    import warnings

    given: Any = rows
    if hasattr(encoder, "feature_names_in_"):
        import pandas as pd

        given = pd.DataFrame(
            {
                name: pd.Series(
                    rows[:, index].tolist(), dtype=object if np.asarray(columns[index]).dtype == object else None
                )
                for index, name in enumerate(encoder.feature_names_in_)
            }
        )
    elif all(np.asarray(categories).dtype.kind in "fiub" for categories in columns):
        given = rows.astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an unknown category is named in a warning
        answers = encoder.transform(given)
    return np.asarray(answers.toarray() if hasattr(answers, "toarray") else answers, dtype=np.float64)


def _widths(encoder: Any, total: int) -> list[int]:
    """Return how many columns each input column becomes."""
    count = len(encoder.categories_)
    if type(encoder).__name__ != "OneHotEncoder":
        if total % count:
            raise NotConvertible("an encoder whose columns differ in width")
        return [total // count] * count
    infrequent = (
        getattr(encoder, "infrequent_categories_", [None] * count) if _has_infrequent(encoder) else [None] * count
    )
    dropped = [None] * count if encoder.drop_idx_ is None else encoder.drop_idx_
    widths = [
        len(categories) - (0 if rare is None else len(rare) - 1) - (0 if drop is None else 1)
        for categories, rare, drop in zip(encoder.categories_, infrequent, dropped, strict=True)
    ]
    if sum(widths) != total:
        raise NotConvertible("an encoder whose width cannot be told")
    return widths


def _has_infrequent(encoder: Any) -> bool:
    return encoder.max_categories is not None or encoder.min_frequency is not None


def _unknown(categories: NDArray[np.object_]) -> object:
    """Return a value of the same type that is none of ``categories``."""
    if any(isinstance(value, str) for value in categories):
        return UNKNOWN_TEXT
    numbers = [float(value) for value in categories if not _is_null(value)]
    return max(numbers, default=0.0) + 1.0


def _look_up(graph: GraphBuilder, column: Block, categories: Any, table: NDArray[np.float64]) -> Block | None:
    """Add the table of one column; an index beyond it makes the graph refuse the row, as the encoder would."""
    if not table.shape[1]:
        return None
    if table.size > MOST_CELLS:
        raise NotConvertible("a column has too many categories")
    values = np.asarray(categories, dtype=object)
    if column.places[0].kind == "texts":
        index = _index_of_text(graph, column, values)
    else:
        index = _index_of_number(graph, column, values)
    rows = graph.node("Gather", graph.numbers(table), index, axis=0)
    return dense(rows, table.shape[1])


def _index_of_text(graph: GraphBuilder, column: Block, categories: NDArray[np.object_]) -> str:
    if any(not _is_null(value) and not isinstance(value, str) for value in categories):
        raise NotConvertible("an encoder of numbers is given strings")
    keys = [NULL_TEXT if _is_null(value) else value for value in categories]
    if len(set(keys)) < len(keys):
        raise NotConvertible("an encoder that tells None from NaN")
    flat = graph.node("Reshape", column.matrix(graph, "texts"), graph.constant(np.array([-1], dtype=np.int64)))
    return graph.node(
        "LabelEncoder",
        flat,
        domain="ai.onnx.ml",
        keys_strings=keys,
        values_int64s=list(range(len(keys))),
        default_int64=len(keys),
    )


def _index_of_number(graph: GraphBuilder, column: Block, categories: NDArray[np.object_]) -> str:
    if any(isinstance(value, str) for value in categories):
        raise NotConvertible("an encoder of strings is given numbers")
    tensor = column.matrix(graph)
    null = [_is_null(value) for value in categories]
    present = np.array([np.nan if missing else float(value) for value, missing in zip(categories, null, strict=True)])
    equal = graph.node("Equal", tensor, graph.numbers(present.reshape(1, -1)))
    if any(null):
        missing = graph.node("And", graph.node("IsNaN", tensor), graph.constant(np.array([null])))
        equal = graph.node("Or", equal, missing)
    # A match at i gives i, no match gives the number of categories.
    count = len(categories)
    steps = graph.constant(np.arange(-count, 0, dtype=np.float32).reshape(-1, 1))
    below = graph.node("MatMul", graph.cast(equal, np.float32), steps)
    flat = graph.node("Reshape", below, graph.constant(np.array([-1], dtype=np.int64)))
    return graph.cast(graph.node("Add", flat, graph.constant(np.array([count], dtype=np.float32))), np.int64)


def _fill_texts(graph: GraphBuilder, imputer: Any, block: Block, statistics: NDArray[np.object_]) -> Block:
    if not _is_null(imputer.missing_values):
        raise NotConvertible("an imputer whose missing value is a string")
    if not all(isinstance(value, str) for value in statistics):
        raise NotConvertible("an imputer that fills strings with something else")
    texts = block.matrix(graph, "texts")
    missing = graph.node("Equal", texts, graph.constant([NULL_TEXT]))
    return dense(graph.node("Where", missing, graph.constant(statistics.tolist()), texts), block.width, "texts")


def _fill_numbers(graph: GraphBuilder, imputer: Any, block: Block, statistics: NDArray[np.object_]) -> Block:
    numbers = block.matrix(graph)
    if _is_null(imputer.missing_values):
        missing = graph.node("IsNaN", numbers)
    else:
        missing = graph.node("Equal", numbers, graph.numbers(imputer.missing_values))
    filling = graph.numbers(statistics.astype(np.float64).reshape(1, -1))
    return dense(graph.node("Where", missing, filling, numbers), block.width)


def _is_null(value: object) -> bool:
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and value != value)
