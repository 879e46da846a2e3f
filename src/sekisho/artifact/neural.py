"""A PyTorch module as a model: exported to ONNX, which alone answers later, and asked itself while the two are compared.

Two correct computations in float32 differ by more than a proof of equal answers allows. So the module is asked in float64: first it is
made sure that this gives the answers of the module as it is, but for the last digits of float32; then a graph has to give the same.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from sekisho.artifact import strict_json
from sekisho.artifact.runtime import INPUTS_KEY, Graph
from sekisho.errors import CannotPack, MissingLibrary
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sekisho.artifact.column import Column, Scalar
    from sekisho.artifact.table import Table

Meaning = Literal["values", "probability", "logit", "probabilities", "logits"]
_ASKED_ROWS: Final = 2_000
_OPSET: Final = 18
_ROUNDING: Final = 1e-4
"""How far float32 may be from float64, of the largest score."""


@dataclass(frozen=True, kw_only=True, eq=False)
class NeuralModel:
    """A module that takes the features as one matrix of floats.

    Attributes:
        module: As it was given, in evaluation mode.
        exact: The same in float64; ``module`` itself where it cannot be.
        names: The features in order.
        meaning: What its output is.

    """

    module: Any
    exact: Any
    names: tuple[str, ...]
    meaning: Meaning

    @property
    def model_type(self) -> str:
        """The class of the module."""
        return type(self.module).__name__

    @property
    def n_features_in_(self) -> int:
        """How many features."""
        return len(self.names)

    def graphs(self) -> Iterator[Graph]:
        """Yield the module as ONNX: as it is, then in float64.

        Raises:
            CannotPack: PyTorch cannot export it.
            MissingLibrary: onnxscript is not installed.

        """
        precision = "double" if _dtype(self.module) == _library().float64 else "single"
        yield Graph(precision=precision, onnx=_exported(self.module, self.names, self.meaning))
        if precision == "single" and self.exact is not self.module:
            yield Graph(precision="double", onnx=_exported(self.exact, self.names, self.meaning))

    def predict(self, rows: Any) -> NDArray[np.generic]:
        """Return a number a row."""
        return np.asarray(asked(self.exact, rows)).ravel().astype(np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class NeuralClassifier(NeuralModel):
    """One that gives the scores of classes.

    Attributes:
        classes: In the order of its outputs.
        dtype: The NumPy dtype of the labels.

    """

    classes: tuple[Scalar, ...]
    dtype: str

    @property
    def classes_(self) -> NDArray[np.generic]:
        """The classes, as scikit-learn calls them."""
        return np.array(self.classes, dtype=object if isinstance(self.classes[0], str) else self.dtype)

    def predict_proba(self, rows: Any) -> NDArray[np.float64]:
        """Return the probabilities of each row."""
        scores = asked(self.exact, rows).astype(np.float64).reshape(len(rows), -1)
        match self.meaning:
            case "logits":
                powers = np.exp(scores - scores.max(axis=1, keepdims=True))
                return np.asarray(powers / powers.sum(axis=1, keepdims=True))
            case "logit":
                with np.errstate(over="ignore"):
                    scores = 1.0 / (1.0 + np.exp(-scores))
        return np.column_stack([1.0 - scores, scores]) if scores.shape[1] == 1 else scores

    def predict(self, rows: Any) -> NDArray[np.generic]:
        """Return a label a row."""
        labels: NDArray[np.generic] = self.classes_[self.predict_proba(rows).argmax(axis=1)]
        return labels


def is_module(model: object) -> bool:
    """Return whether ``model`` is a ``torch.nn.Module``; nothing is imported."""
    return any(
        kind.__module__ == "torch.nn.modules.module" and kind.__name__ == "Module" for kind in type(model).__mro__
    )


def asked(module: Any, rows: Any) -> NDArray[Any]:
    """Return what the module answers to a matrix."""
    torch = _library()
    with torch.no_grad():
        answer = module(torch.from_numpy(np.ascontiguousarray(rows)).to(_dtype(module)))
    if not isinstance(answer, torch.Tensor):
        raise _cannot(
            Text(
                en="the module returns something else than one tensor",
                ja="モジュールの戻り値が1つのテンソルではありません",
            )
        )
    return np.asarray(answer.double().numpy())


def settled(module: Any, features: Table | None, answers: Column | None) -> NeuralModel:
    """Return the module as a model.

    Args:
        module: A trained ``torch.nn.Module`` that takes one matrix of floats.
        features: The rows that it was trained on, columns in order.
        answers: Their true answers: labels make it a classifier.

    Raises:
        CannotPack: There are no rows, a feature is no number, or the answers are of no kind that is known here.
        MissingLibrary: torch or onnxscript is not installed.

    """
    if features is None or not features.rows:
        raise CannotPack(
            Text(
                en="a PyTorch module does not tell its features", ja="PyTorch のモジュールだけでは特徴量が分かりません"
            ),
            Text(en="give the reference set that it was trained on", ja="学習に使った参照データを渡してください"),
        )
    strange = [column.name for column in features.columns if column.kind not in {"float", "integer", "boolean"}]
    if strange:
        raise CannotPack(
            Text(
                en=f"a PyTorch module takes numbers, and these are none: {', '.join(strange[:3])}",
                ja=f"PyTorch のモジュールは数値だけを受け取ります: {', '.join(strange[:3])} は数値ではありません",
            ),
            Text(en="give the columns as the module takes them", ja="モジュールが受け取る形の列を渡してください"),
        )
    module = copy.deepcopy(module).cpu().eval()
    sample = features.take(np.arange(min(features.rows, _ASKED_ROWS)))
    matrix = np.column_stack([column.array().astype(np.float64) for column in sample.columns])
    try:
        scores = asked(module, matrix)
    except CannotPack:
        raise
    except Exception as error:
        raise _cannot(
            Text(
                en=f"the module does not answer a matrix of its {len(features.columns)} features",
                ja=f"モジュールが {len(features.columns)} 列の特徴量の行列に答えられません",
            )
        ) from error
    classes = _classes(answers)
    meaning = _meaning(scores, len(matrix), len(classes))
    exact = _exact(module, matrix, scores)
    if meaning == "values":
        return NeuralModel(module=module, exact=exact, names=features.names, meaning=meaning)
    assert answers is not None
    return NeuralClassifier(
        module=module, exact=exact, names=features.names, meaning=meaning, classes=classes, dtype=answers.dtype
    )


def _exact(module: Any, matrix: NDArray[np.float64], scores: NDArray[Any]) -> Any:
    """Return the module in float64, which answers as it does but for the last digits of float32; else the module itself."""
    twin = copy.deepcopy(module).double()
    try:
        again = asked(twin, matrix)
    except Exception:
        return module  # it makes tensors of float32 on its way
    near = np.allclose(
        again, scores, rtol=_ROUNDING, atol=_ROUNDING * max(float(np.abs(scores).max(initial=0.0)), 1e-30)
    )
    same = scores.ndim < 2 or np.array_equal(again.argmax(axis=1), scores.argmax(axis=1))
    return twin if near and same else module


def _classes(answers: Column | None) -> tuple[Scalar, ...]:
    """Return the labels of a target that can be one of classes."""
    if answers is None or answers.kind == "datetime":
        return ()
    labels = answers.distinct()
    if answers.kind == "float" and any(label != int(label) for label in labels if isinstance(label, float)):
        return ()
    return labels


def _meaning(scores: NDArray[Any], rows: int, classes: int) -> Meaning:
    width = 1 if scores.ndim == 1 else scores.shape[1] if scores.ndim == 2 else 0
    finite = scores[np.isfinite(scores)]
    if scores.shape[:1] != (rows,) or width == 0 or not len(finite):
        raise _cannot(Text(en="its output has not one row for each row", ja="出力の行数が入力と一致しません"))
    shares = bool(np.all((finite >= 0.0) & (finite <= 1.0)))
    if width == 1:
        if classes != 2:
            return "values"
        return "probability" if shares else "logit"
    if classes != width:
        raise CannotPack(
            Text(
                en=f"its output has {width} columns, the target {classes} labels",
                ja=f"出力は {width} 列ですが、目的変数のラベルは {classes} 種類です",
            ),
            Text(en="give the target that it was trained on", ja="学習に使った目的変数を渡してください"),
        )
    adds_up = bool(np.allclose(np.nan_to_num(scores).sum(axis=1), 1.0, atol=1e-4))
    return "probabilities" if shares and adds_up else "logits"


def _exported(module: Any, names: tuple[str, ...], meaning: Meaning) -> bytes:
    torch = _library()
    example = torch.zeros((2, len(names)), dtype=_dtype(module))
    try:
        with _quiet():
            program = torch.onnx.export(
                module,
                (example,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("rows", min=1)},),
                opset_version=_OPSET,
                input_names=["features"],
                output_names=["given"],
                external_data=False,
                verbose=False,
            )
    except ImportError:
        raise MissingLibrary("onnxscript") from None
    except Exception as error:
        raise CannotPack(
            Text(en="torch.onnx cannot export this module", ja="torch.onnx でこのモジュールを書き出せません"),
            Text(
                en="write its forward without branches on values, or export it to ONNX yourself",
                ja="forward から値による分岐をなくすか、自分で ONNX に書き出してください",
            ),
        ) from error
    return _finished(program.model_proto, names, meaning)


def _finished(model: Any, names: tuple[str, ...], meaning: Meaning) -> bytes:
    """Return the graph with the outputs that the runtime knows."""
    from onnx import TensorProto, helper

    graph = model.graph
    kind = graph.output[0].type.tensor_type.elem_type
    nodes = []
    last = "given"
    if meaning in {"probability", "logit", "values"}:
        shape = helper.make_tensor("column", TensorProto.INT64, [2], [-1, 1])
        graph.initializer.append(shape)
        nodes.append(helper.make_node("Reshape", [last, "column"], ["as_column"]))
        last = "as_column"
    if meaning == "logits":
        nodes.append(helper.make_node("Softmax", [last], ["shares"], axis=1))
        last = "shares"
    if meaning == "logit":
        nodes.append(helper.make_node("Sigmoid", [last], ["share"]))
        last = "share"
    if meaning in {"probability", "logit"}:
        graph.initializer.append(helper.make_tensor("one", kind, [], [1.0]))
        nodes.append(helper.make_node("Sub", ["one", last], ["other_share"]))
        nodes.append(helper.make_node("Concat", ["other_share", last], ["shares"], axis=1))
        last = "shares"
    name = "values" if meaning == "values" else "probabilities"
    nodes.append(helper.make_node("Identity", [last], [name]))
    graph.node.extend(nodes)
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(name, kind, None))
    del model.metadata_props[:]
    for node in graph.node:  # where it was written, line by line, is of no matter
        del node.metadata_props[:]
        node.doc_string = ""
    helper.set_model_props(model, {INPUTS_KEY: strict_json.encode({"features": names}).decode()})
    return bytes(model.SerializeToString(deterministic=True))


def _dtype(module: Any) -> Any:
    """Return the dtype of its weights: float32 but for the few in double precision."""
    torch = _library()
    found = next((each.dtype for each in module.parameters() if each.is_floating_point()), torch.float32)
    return torch.float64 if found == torch.float64 else torch.float32


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's words from the terminal."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def _library() -> Any:
    try:
        import torch
    except ImportError:
        raise MissingLibrary("torch") from None
    return torch


def _cannot(what: Text) -> CannotPack:
    return CannotPack(
        what,
        Text(
            en="pack a module that takes the features as one float matrix and returns one tensor",
            ja="特徴量を1つの float 行列で受け取り、1つのテンソルを返すモジュールをパックしてください",
        ),
    )
