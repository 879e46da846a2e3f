"""What a model answers, told from the model itself and from the labels of the reference set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sekisho.artifact.kinds import count_of_answers, own_labels
from sekisho.artifact.signature import Output
from sekisho.errors import CannotPack
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.column import Column, Scalar


def output_of(model: Any, target: Column | None) -> Output:
    """Return the output of a fitted estimator.

    Args:
        model: Has ``classes_`` if it is a classifier.
        target: The true answers of the reference set, if they are known: its name is the output's.

    Raises:
        CannotPack: It gives several answers a row, knows one class only, or the target holds labels that it does not know.

    """
    name = "prediction" if target is None else target.name
    labels: tuple[Scalar, ...] | None = own_labels(model)
    classes = getattr(model, "classes_", None) if labels is None else np.array(labels)
    if classes is None or (isinstance(classes, np.ndarray) and not len(classes)):  # as CatBoostRegressor has it
        if count_of_answers(model) != 1:
            raise _several()
        if target is not None and target.kind not in {"float", "integer", "boolean"}:
            raise _not_fitting(Text(en="the target is not numeric", ja="目的変数が数値ではありません"))
        return Output(task="regression", name=name)
    if not isinstance(classes, np.ndarray) or classes.ndim != 1:
        raise _several()
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
        probabilities=hasattr(model, "predict_proba"),
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


def _several() -> CannotPack:
    return CannotPack(
        Text(en="the model gives several answers a row", ja="1行に複数の答えを返すモデルです"),
        Text(en="pack one model for each answer", ja="答えごとに1つのモデルをパックしてください"),
    )


def _not_fitting(what: Text) -> CannotPack:
    return CannotPack(what, Text(en="check which column is the target", ja="目的変数の列が正しいか確認してください"))
