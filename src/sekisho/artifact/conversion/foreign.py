"""ONNX models that came from elsewhere: their outputs are given the names that the runtime knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sekisho.errors import CannotPack, MissingExtra
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence


def settled(data: bytes) -> tuple[bytes, frozenset[str]]:
    """Return the model with outputs named ``label``, ``probabilities`` or ``values``, and which of these it has.

    One output of numbers alone is a regressor's when it has one column, else the probabilities of a classifier; of two outputs the first is
    the label and the second the probabilities, taken out of the map for each row that skl2onnx wraps them in; of more the others are the
    probability of one class each.

    Raises:
        CannotPack: Its outputs are none of these, or the onnx library finds fault with it.
        MissingExtra: onnx is not installed.

    """
    try:
        import onnx
    except ImportError:
        raise MissingExtra("onnx", "pack") from None
    try:
        model = onnx.load_from_string(data)
        onnx.checker.check_model(model)
    except Exception as error:
        # onnx raises protobuf's errors and its own, which share no base.
        raise CannotPack(
            Text(
                en="the onnx library finds fault with this model", ja="onnx ライブラリがこのモデルを不正と判定しました"
            ),
            Text(en="export the model again", ja="モデルを書き出し直してください"),
        ) from error
    outputs = _side_by_side(model.graph, [_without_map(model.graph, output) for output in model.graph.output])
    names = _names(outputs)
    for output, name in zip(outputs, names, strict=True):
        if output.name != name:
            _make_free(model.graph, outputs, name)
            model.graph.node.append(onnx.helper.make_node("Identity", [output.name], [name]))
            output.name = name
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    return bytes(model.SerializeToString(deterministic=True)), frozenset(names)


def _without_map(graph: Any, output: Any) -> Any:
    """Return the tensor that a ZipMap hides behind ``output``, if one does."""
    import onnx

    for node in graph.node:
        if node.op_type == "ZipMap" and output.name in node.output:
            tensor = node.input[0]
            graph.node.remove(node)
            return onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None)
    return output


def _side_by_side(graph: Any, outputs: list[Any]) -> list[Any]:
    """Return the outputs; one of numbers for each class beside a label, as skl2onnx can give them, become one matrix."""
    import onnx

    kinds = [output.type.tensor_type.elem_type for output in outputs]
    numeric = {onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE}
    if len(kinds) < 3 or kinds[0] in numeric or len(set(kinds[1:])) > 1 or kinds[1] not in numeric:
        return outputs
    graph.initializer.append(onnx.helper.make_tensor("sekisho_column", onnx.TensorProto.INT64, [2], [-1, 1]))
    columns = [f"sekisho_{index}" for index in range(1, len(outputs))]
    for output, column in zip(outputs[1:], columns, strict=True):
        graph.node.append(onnx.helper.make_node("Reshape", [output.name, "sekisho_column"], [column]))
    graph.node.append(onnx.helper.make_node("Concat", columns, ["sekisho_scores"], axis=1))
    return [outputs[0], onnx.helper.make_tensor_value_info("sekisho_scores", kinds[1], None)]


def _make_free(graph: Any, outputs: Sequence[Any], name: str) -> None:
    """Give whatever tensor has ``name`` another one."""
    if any(given.name == name for given in graph.input):
        raise _strange(len(outputs))
    other = f"{name}_inside"
    for node in graph.node:
        for names in (node.input, node.output):
            for index, found in enumerate(names):
                if found == name:
                    names[index] = other
    for tensor in (*graph.initializer, *outputs):
        if tensor.name == name:
            tensor.name = other


def _names(outputs: Sequence[Any]) -> tuple[str, ...]:
    import onnx

    if not outputs:
        raise _strange(0)
    numbers = [
        output.type.tensor_type.elem_type in {onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE} for output in outputs
    ]
    if {output.name for output in outputs} <= {"label", "probabilities", "values"}:
        return tuple(output.name for output in outputs)
    if numbers == [True]:
        dimensions = outputs[0].type.tensor_type.shape.dim
        is_column = len(dimensions) < 2 or dimensions[1].dim_value == 1
        return ("values",) if is_column else ("probabilities",)
    if numbers == [False]:
        return ("label",)
    if numbers == [False, True]:
        return ("label", "probabilities")
    raise _strange(len(outputs))


def _strange(count: int) -> CannotPack:
    return CannotPack(
        Text(
            en=f"the model's {count} outputs are not a label and probabilities, or values",
            ja=f"モデルの {count} 個の出力が、ラベルと確率、または数値の形になっていません",
        ),
        Text(
            en="export it with outputs named label and probabilities, or values",
            ja="出力名を label と probabilities、または values にして書き出してください",
        ),
    )
