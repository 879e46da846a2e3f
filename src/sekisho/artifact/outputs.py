"""What a model answers, told from the model itself and from the labels of the reference set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sekisho.artifact.kinds import count_of_answers, labels_of_each, own_labels, tells_second_only
from sekisho.artifact.signature import Output
from sekisho.errors import CannotPack
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sekisho.artifact.column import Column, Scalar


def output_of(model: Any, targets: Sequence[Column] | None) -> Output:
    """Return the output of a fitted estimator.

    Args:
        model: Has ``classes_`` if it is a classifier.
        targets: The true answers of the reference set, if they are known, one column an answer: their names are the output's.

    Raises:
        CannotPack: It knows one class only, or the target holds labels that it does not know, or has another number of columns.

    """
    each = labels_of_each(model)
    if each is not None:
        _check_count(len(each), targets)
        stated = hasattr(model, "predict_proba") and (
            not tells_second_only(model) or all(len(labels) == 2 for labels in each)
        )
        columns = _columns(targets, len(each))
        apart = [_of_labels(labels, *column, stated=stated) for labels, column in zip(each, columns, strict=True)]
        return _together(apart, probabilities=stated)
    labels: tuple[Scalar, ...] | None = own_labels(model)
    classes = getattr(model, "classes_", None) if labels is None else np.array(labels)
    if classes is None or (isinstance(classes, np.ndarray) and not len(classes)):  # as CatBoostRegressor has it
        count = count_of_answers(model)
        _check_count(count, targets)
        numbers = [_of_numbers(name, target) for name, target in _columns(targets, count)]
        return numbers[0] if count == 1 else _together(numbers, probabilities=False)
    if not isinstance(classes, np.ndarray) or classes.ndim != 1:
        raise several()
    _check_count(1, targets)
    ((name, target),) = _columns(targets, 1)
    return _of_labels(classes, name, target, stated=hasattr(model, "predict_proba"))


def _columns(targets: Sequence[Column] | None, count: int) -> list[tuple[str, Column | None]]:
    """Return name and true answers of each answer."""
    if targets is not None:
        return [(target.name, target) for target in targets]
    return [("prediction", None)] if count == 1 else [(f"target_{place}", None) for place in range(count)]


def _check_count(count: int, targets: Sequence[Column] | None) -> None:
    if targets is None or len(targets) == count:
        return
    given = len(targets)
    raise _not_fitting(
        Text(
            en=f"the model gives {count} answers a row, the target has {given} columns",
            ja=f"モデルの答えは1行に {count} 個ですが、目的変数は {given} 列です",
        )
    )


def _of_numbers(name: str, target: Column | None) -> Output:
    if target is not None and target.kind not in {"float", "integer", "boolean"}:
        raise _not_fitting(Text(en="the target is not numeric", ja="目的変数が数値ではありません"))
    return Output(task="regression", name=name)


def _of_labels(classes: NDArray[np.generic], name: str, target: Column | None, *, stated: bool) -> Output:
    labels = tuple(classes.tolist())
    if len(labels) < 2:
        raise CannotPack(
            Text(en="the model knows one class only", ja="モデルがクラスを1つしか知りません"),
            Text(en="train it on rows of at least two classes", ja="2つ以上のクラスを含む行で学習してください"),
        )
    _check_labels(labels, target)
    return Output(
        task="binary" if len(labels) == 2 else "multiclass",
        name=name,
        classes=labels,
        dtype="str" if classes.dtype.kind in "UT" else str(classes.dtype),
        probabilities=stated,
    )


def _together(apart: Sequence[Output], *, probabilities: bool) -> Output:
    return Output(
        task="multi-output",
        dtype="float64" if apart[0].classes is None else "object",
        probabilities=probabilities,
        outputs=tuple(apart),
    )


def output_of_graph(target: Column | None, *, probabilities: bool, label: bool) -> Output:
    """Return the output of an ONNX graph, whose classes only the target can tell: sorted, as every library orders them.

    Args:
        target: The true answers of the reference set.
        probabilities: Whether the graph gives probabilities.
        label: Whether the graph gives a label.

    """
    name = "prediction" if target is None else target.name
    if not label and not probabilities:
        return Output(task="regression", name=name)
    if target is None:
        raise CannotPack(
            Text(en="an ONNX classifier does not tell its classes", ja="ONNX の分類器だけではクラスが分かりません"),
            Text(en="give the target of the reference set", ja="参照データの目的変数を指定してください"),
        )
    labels = target.distinct()
    return Output(
        task="binary" if len(labels) == 2 else "multiclass",
        name=name,
        classes=labels,
        dtype=target.dtype,
        probabilities=probabilities,
    )


def _check_labels(labels: tuple[Scalar, ...], target: Column | None) -> None:
    if target is None:
        return
    strange = [label for label in target.distinct() if label not in labels]
    if strange:
        raise _not_fitting(
            Text(
                en=f"the target holds {len(strange)} labels that the model does not know",
                ja=f"目的変数に、モデルの知らないラベルが {len(strange)} 種類あります",
            )
        )


def several() -> CannotPack:
    """Return the error for a model whose several answers a row nothing here can keep."""
    return CannotPack(
        Text(en="the model gives several answers a row", ja="1行に複数の答えを返すモデルです"),
        Text(en="pack one model for each answer", ja="答えごとに1つのモデルをパックしてください"),
    )


def _not_fitting(what: Text) -> CannotPack:
    return CannotPack(what, Text(en="check which column is the target", ja="目的変数の列が正しいか確認してください"))
