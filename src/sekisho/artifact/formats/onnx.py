"""ONNX: a graph of known operators, which can run no code of its own. ONNX Runtime answers."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact import protobuf, strict_json
from sekisho.artifact.content import content_of, refuse_code
from sekisho.artifact.formats.interface import INPUTS_KEY, NULL_TEXT, Columns, Format, Outputs
from sekisho.errors import ArtifactError, CannotPack, IntegrityError, ModelFailed, UntrustedFormat
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.signature import Output, Signature


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Group:
    """One input of the graph: the features that are its columns.

    Attributes:
        name: The name of the input.
        features: In the order of its columns.
        dtype: What it takes: float32, float64, int64, or object for strings.
        flat: Whether it takes shape ``(n,)`` rather than ``(n, k)``.

    """

    name: str
    features: tuple[str, ...]
    dtype: np.dtype[Any]
    flat: bool
    gather: Callable[[Columns], tuple[NDArray[np.generic], ...]]

    def matrix(self, columns: Columns) -> NDArray[np.generic]:
        """Return the columns of this input as one array."""
        if self.dtype == object:
            texts = np.array(self.gather(columns), dtype=object)
            texts[texts == None] = NULL_TEXT  # noqa: E711 - element by element
            return texts[0] if self.flat else texts.T
        with np.errstate(over="ignore", invalid="ignore"):  # beyond float32 is infinite, as in the graph itself
            numbers = np.array(self.gather(columns), dtype=self.dtype)
        return numbers[0] if self.flat else numbers.T


class OnnxRuntime:
    """A loaded graph. Thread-safe; one thread a call.

    Attributes:
        groups: The inputs, for callers who make the arrays themselves: see :meth:`run_groups`.

    """

    fenced: Final = True

    def __init__(self, session: Any, signature: Signature) -> None:
        self._session = session
        self._regression = signature.output.task == "regression"
        self._classes = class_array(signature.output)
        self.groups = _groups(session, signature)
        self._outputs = _output_names(session, signature.output)

    def run(self, columns: Columns) -> Outputs:
        """Answer the rows of ``columns``."""
        return self.run_groups({group.name: group.matrix(columns) for group in self.groups})

    def run_groups(self, feeds: Mapping[str, NDArray[np.generic]]) -> Outputs:
        """Answer the rows of ``feeds``: for each group, by its name, an array of its dtype and shape ``(n, k)``.

        A null string is :data:`~sekisho.artifact.formats.interface.NULL_TEXT`, a null number NaN.
        """
        try:
            answers = self._session.run(self._outputs, feeds)
        except Exception as error:
            raise ModelFailed(
                "model_error",
                Text(en="the model could not answer these rows", ja="モデルがこの行に答えられませんでした"),
                Text(en="check the rows against the signature", ja="行を入力仕様と照らし合わせてください"),
            ) from error
        rows = len(next(iter(feeds.values())))
        if self._regression:
            return Outputs(values=_numbers(answers[0], (rows,)), probabilities=None)
        classes = self._classes
        if self._outputs[-1] != PROBABILITIES:
            return Outputs(values=_labels(answers[0], classes, rows), probabilities=None)
        probabilities = _numbers(answers[-1], (rows, len(classes)))
        if len(answers) == 1:
            return Outputs(values=classes.take(probabilities.argmax(axis=1)), probabilities=probabilities)
        return Outputs(values=_labels(answers[0], classes, rows), probabilities=probabilities)


VALUES: Final = "values"
LABEL: Final = "label"
PROBABILITIES: Final = "probabilities"
"""The outputs of a graph: the first of a regressor; of a classifier the last, the second, or both. Without a label, it is the class
of the largest probability, the first of equals."""


def class_array(output: Output) -> NDArray[np.generic]:
    """Return the classes as an array in the dtype of the training labels: shape ``(k,)``, empty for a regressor."""
    classes = output.classes or ()
    if any(isinstance(label, str) for label in classes):
        return np.array(classes, dtype=object)
    return np.array(classes, dtype=np.dtype(output.dtype) if output.dtype in _LABEL_DTYPES else None)


_LABEL_DTYPES: Final = frozenset(
    {"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"}
)
_DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(double)": np.dtype(np.float64),
    "tensor(int64)": np.dtype(np.int64),
    "tensor(int32)": np.dtype(np.int32),
    "tensor(bool)": np.dtype(np.bool_),
    "tensor(string)": np.dtype(object),
}


def _groups(session: Any, signature: Signature) -> tuple[Group, ...]:
    inputs = {given.name: given for given in session.get_inputs()}
    noted = session.get_modelmeta().custom_metadata_map.get(INPUTS_KEY)
    if noted is not None:
        members = strict_json.decode(noted.encode(), dict[str, tuple[str, ...]], where=OnnxFormat.file)
    elif len(inputs) == 1 and len(next(iter(inputs.values())).shape) == 2:
        members = {next(iter(inputs)): signature.names}
    else:
        # Exporters write what is no identifier, such as "age (years)", as "age__years_".
        plain = {re.sub(r"\W", "_", name): name for name in signature.names} | {name: name for name in signature.names}
        members = {name: (plain.get(name, name),) for name in inputs}
    fed = {name for names in members.values() for name in names}
    if set(members) != set(inputs) or not fed <= set(signature.names):
        raise _misfit(
            Text(en="its inputs are not the features of the signature", ja="入力が入力仕様の特徴量と一致しません")
        )
    if any(given.type not in _DTYPES for given in inputs.values()):
        raise _misfit(Text(en="an input has a type that is not known here", ja="未対応の型の入力があります"))
    return tuple(
        Group(
            name=name,
            features=names,
            dtype=_DTYPES[inputs[name].type],
            flat=len(inputs[name].shape) == 1,
            gather=itemgetter(*names) if len(names) > 1 else _single(names[0]),
        )
        for name, names in members.items()
    )


def _single(name: str) -> Callable[[Columns], tuple[NDArray[np.generic], ...]]:
    return lambda columns: (columns[name],)


def _output_names(session: Any, output: Output) -> list[str]:
    given = [answer.name for answer in session.get_outputs()]
    if output.task == "regression":
        wanted = [VALUES]
    elif output.probabilities:
        wanted = [LABEL, PROBABILITIES] if LABEL in given else [PROBABILITIES]
    else:
        wanted = [LABEL]
    if not set(wanted) <= set(given):
        raise _misfit(Text(en=f"it has no output {wanted[-1]!r}", ja=f"出力 {wanted[-1]!r} がありません"))
    return wanted


def _numbers(answer: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    numbers = np.asarray(answer, dtype=np.float64)
    if numbers.shape == shape:
        return numbers
    if len(shape) == 1 and numbers.size == shape[0]:
        return numbers.reshape(shape)
    raise _wrong_shape()


def _labels(answer: Any, classes: NDArray[np.generic], rows: int) -> NDArray[np.generic]:
    labels: NDArray[np.generic] = np.asarray(answer).ravel().astype(classes.dtype)
    if len(labels) != rows:
        raise _wrong_shape()
    return labels


def _wrong_shape() -> ModelFailed:
    return ModelFailed(
        "invalid_output",
        Text(en="the model gave an answer of another shape than its rows", ja="モデルの答えの形が行数と合いません"),
        Text(en="pack the model again", ja="モデルをパックし直してください"),
    )


def _misfit(what: Text) -> ArtifactError:
    return ArtifactError(
        what, Text(en="pack the model again", ja="モデルをパックし直してください"), where=OnnxFormat.file
    )


class OnnxFormat(Format):
    """``model.onnx``."""

    id = "onnx"
    file = "model.onnx"

    def recognises(self, data: bytes) -> bool:
        """Return whether ``data`` is a whole ``ModelProto``."""
        return protobuf.is_onnx(data)

    def check(self, data: bytes, *, where: str) -> None:
        """Refuse what is no ONNX model, or points outside itself."""
        check(data, where=where)

    def keeps(self, model: object) -> bool:
        """Return whether ``model`` is an ``onnx.ModelProto``, or the bytes of one."""
        return (isinstance(model, bytes) and self.recognises(model)) or type(model).__name__ == "ModelProto"

    def write(self, model: Any, *, trusted: frozenset[str]) -> bytes:  # noqa: ARG002
        """Return the serialized model."""
        data = model if isinstance(model, bytes) else bytes(model.SerializeToString(deterministic=True))
        if protobuf.has_external_data(data):
            raise CannotPack(
                Text(en="its tensors lie in other files", ja="テンソルが別ファイルに置かれています"),
                Text(
                    en="save it with save_as_external_data=False", ja="save_as_external_data=False で保存してください"
                ),
            )
        return data

    def read(self, data: bytes, signature: Signature, *, trusted: frozenset[str], where: str) -> OnnxRuntime:  # noqa: ARG002
        """Return the runtime of the graph in ``data``."""
        check(data, where=where)
        return OnnxRuntime(_session(data, where), signature)


def check(data: bytes, *, where: str) -> None:
    """Refuse what is no ONNX model, or points outside itself.

    Raises:
        UntrustedFormat: It is something else that could run code.
        IntegrityError: It is damaged, or keeps tensors in other files.

    """
    if not protobuf.is_onnx(data):
        refuse_code(data, where=where)
        if content_of(data) in {"ort", "hdf5", "zip"}:
            raise UntrustedFormat(
                Text(en="this is not an ONNX model", ja="ONNX モデルではありません"),
                Text(en="save the model as ONNX", ja="モデルを ONNX で保存してください"),
                where=where,
            )
        raise _damaged(where)
    try:
        outside = protobuf.has_external_data(data)
    except protobuf.NotProtobuf:
        raise _damaged(where) from None
    if outside:
        raise IntegrityError(
            Text(en="it keeps tensors in other files", ja="テンソルが別ファイルに置かれています"),
            Text(en="save the model in one file", ja="モデルを1つのファイルに保存してください"),
            where=where,
        )


def _damaged(where: str) -> IntegrityError:
    return IntegrityError(
        Text(en="this is not a whole ONNX model", ja="ONNX モデルとして完全ではありません"),
        Text(en="pack the model again", ja="モデルをパックし直してください"),
        where=where,
    )


def _session(data: bytes, where: str) -> Any:
    # From 1.32 on it gathers usage data in the home folder and sends it, unless this is set before it is imported.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its words go into our errors, not onto the terminal
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ArtifactError(
            Text(en="ONNX Runtime cannot load this model", ja="ONNX Runtime がこのモデルを読み込めません"),
            Text(
                en="upgrade onnxruntime, or pack the model again", ja="onnxruntime を更新するか、パックし直してください"
            ),
            where=where,
        ) from error


FORMAT: Final = OnnxFormat()
