"""Building one ONNX graph, node by node, and taking in graphs that another converter made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

OPSETS: Final = {"": 19, "ai.onnx.ml": 3}
"""The operator sets that are written; ONNX Runtime reads them since 1.17."""
IR_VERSION: Final = 9


class GraphBuilder:
    """A graph that grows. Every method that adds a node returns the name of its output.

    Args:
        precision: The NumPy type of its numbers: float32 or float64.

    """

    def __init__(self, precision: type[np.float32 | np.float64]) -> None:
        self.precision = precision
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []
        self._inputs: list[Any] = []
        self._count = 0

    def name(self, stem: str) -> str:
        """Return a name that nothing else has."""
        self._count += 1
        return f"{stem}_{self._count}"

    def input(self, name: str, dtype: type[np.generic | str], width: int) -> str:
        """Declare an input of shape ``(rows, width)``."""
        from onnx import TensorProto, helper

        kind = TensorProto.STRING if dtype is str else helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self._inputs.append(helper.make_tensor_value_info(name, kind, ["rows", width]))
        return name

    def constant(self, values: NDArray[np.generic] | Sequence[str], stem: str = "constant") -> str:
        """Add an initializer: an array in its own dtype, or a list of strings."""
        from onnx import TensorProto, helper, numpy_helper

        name = self.name(stem)
        if isinstance(values, np.ndarray):
            self._initializers.append(numpy_helper.from_array(values, name))
        else:
            words: Any = [word.encode() for word in values]
            self._initializers.append(helper.make_tensor(name, TensorProto.STRING, [len(words)], words))
        return name

    def numbers(self, values: object) -> str:
        """Add an initializer of numbers in the precision of the graph."""
        return self.constant(np.asarray(values, dtype=self.precision))

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output."""
        from onnx import helper

        output = self.name(operator.lower())
        self._nodes.append(helper.make_node(operator, list(inputs), [output], name=output, domain=domain, **attributes))
        return output

    def nodes(self, operator: str, count: int, *inputs: str, **attributes: Any) -> tuple[str, ...]:
        """Add a node with ``count`` outputs."""
        from onnx import helper

        outputs = tuple(self.name(operator.lower()) for _ in range(count))
        self._nodes.append(helper.make_node(operator, list(inputs), list(outputs), name=outputs[0], **attributes))
        return outputs

    def linear(self, tensor: str, coefficients: object, intercept: object) -> str:
        """Add ``tensor @ coefficients.T + intercept``: shape ``(n, k)``."""
        rows = np.atleast_2d(np.asarray(coefficients))
        ends = np.broadcast_to(np.ravel(np.asarray(intercept)), (len(rows),))
        return self.node("Gemm", tensor, self.numbers(rows), self.numbers(ends), transB=1)

    def labels(self, classes: NDArray[np.generic], index: str) -> dict[str, tuple[str, int]]:
        """Return the answer ``label``: of ``classes`` those at ``index``, shape ``(n,)``, int64."""
        from onnx import TensorProto, helper

        words = [str(label) for label in classes.tolist()] if classes.dtype.kind in "OUT" else None
        if words is not None:
            return {"label": (self.node("Gather", self.constant(words), index, axis=0), TensorProto.STRING)}
        numbers = classes.astype(np.int64) if classes.dtype.kind in "biu" else classes.astype(np.float64)
        kind = helper.np_dtype_to_tensor_dtype(numbers.dtype)
        return {"label": (self.node("Gather", self.constant(numbers), index, axis=0), kind)}

    def interpolate(self, tensor: str, places: object, values: object) -> str:
        """Add the line through ``values`` at ``places``, ascending, and flat beyond its ends; ``tensor`` has shape ``(n, 1)``."""
        x, y = np.asarray(places, dtype=np.float64), np.asarray(values, dtype=np.float64)
        if len(x) == 1:
            return self.node("Add", self.node("Mul", tensor, self.numbers(0.0)), self.numbers(y[0]))
        within = self.node("Clip", tensor, self.numbers(x[0]), self.numbers(x[-1]))
        slopes = np.append(np.diff(y) / np.diff(x), 0.0)
        if len(x) == 2:
            steps = [self.numbers(values) for values in (x[:1], slopes[:1], y[:1])]
        else:
            below = self.cast(self.node("Less", self.numbers(x[1:-1].reshape(1, -1)), within), np.int64)
            axis = self.constant(np.array([1], dtype=np.int64))
            index = self.node("ReduceSum", below, axis, keepdims=1)
            steps = [self.node("Gather", self.numbers(values), index, axis=0) for values in (x, slopes, y)]
        return self.node("Add", self.node("Mul", steps[1], self.node("Sub", within, steps[0])), steps[2])

    def cast(self, tensor: str, dtype: type[np.generic]) -> str:
        """Add a cast to a NumPy type."""
        from onnx import helper

        return self.node("Cast", tensor, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def include(self, model: Any, tensor: str) -> tuple[tuple[str, int], ...]:
        """Take in a whole ``ModelProto`` with one input, fed from ``tensor``; return its outputs: name and ONNX element type."""
        from onnx import compose

        graph = compose.add_prefix_graph(model.graph, f"{self.name('part')}_")
        (given,) = graph.input
        for node in graph.node:
            for index, name in enumerate(node.input):
                if name == given.name:
                    node.input[index] = tensor
        self._nodes.extend(graph.node)
        self._initializers.extend(graph.initializer)
        return tuple((output.name, output.type.tensor_type.elem_type) for output in graph.output)

    def finish(self, outputs: Mapping[str, tuple[str, int]], metadata: Mapping[str, str]) -> bytes:
        """Return the serialized model.

        Args:
            outputs: What stands behind each output, by the output's name: a tensor and its ONNX element type. Numbers are given in the
                precision of the graph, whatever a converter said of their type.
            metadata: Strings kept in the model.

        """
        from onnx import TensorProto, helper

        own = helper.np_dtype_to_tensor_dtype(np.dtype(self.precision))
        ends, declared = [], []
        for name, (tensor, kind) in outputs.items():
            if kind in {TensorProto.FLOAT, TensorProto.DOUBLE}:
                ends.append(helper.make_node("Cast", [tensor], [name], to=own))
                declared.append(helper.make_tensor_value_info(name, own, None))
            else:
                ends.append(helper.make_node("Identity", [tensor], [name]))
                declared.append(helper.make_tensor_value_info(name, kind, None))
        nodes, wanted = self._needed(tensor for tensor, _ in outputs.values())
        constants = [tensor for tensor in self._initializers if tensor.name in wanted]
        graph = helper.make_graph([*nodes, *ends], "sekisho", self._inputs, declared, constants)
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="sekisho", ir_version=IR_VERSION)
        helper.set_model_props(model, dict(metadata))
        return bytes(model.SerializeToString(deterministic=True))

    def _needed(self, tensors: Iterable[str]) -> tuple[list[Any], set[str]]:
        """Return the nodes that ``tensors`` need, in order, and the names of all that they read."""
        wanted = set(tensors)
        kept = []
        for node in reversed(self._nodes):
            if wanted.intersection(node.output):
                kept.append(node)
                wanted.update(node.input)
        return kept[::-1], wanted
