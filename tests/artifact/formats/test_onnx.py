"""The ONNX runtime: what it is fed, what it gives back, and what it will not load."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from sekisho.artifact.formats.interface import Format
from sekisho.artifact.formats.onnx import FORMAT, OnnxRuntime
from sekisho.artifact.runtime import NULL_TEXT
from sekisho.artifact.signature import Feature, Output, Signature
from sekisho.errors import ArtifactError, CannotPack, IntegrityError, ModelFailed, UntrustedFormat

REGRESSION = Output(task="regression")


def signature(*names: str, output: Output = REGRESSION, kind: Any = "float") -> Signature:
    return Signature(
        features=tuple(Feature(name=name, kind=kind, dtype="float64", nullable=True) for name in names), output=output
    )


def model(
    nodes: list[Any],
    inputs: dict[str, tuple[int, list[Any]]],
    outputs: dict[str, int],
    constants: list[Any] | None = None,
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()],
        constants or [],
    )
    return bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9).SerializeToString()
    )


def read(data: bytes, described: Signature) -> OnnxRuntime:
    return FORMAT.read(data, described, trusted=frozenset(), where="model.onnx")


SUM = model(
    [helper.make_node("ReduceSum", ["X", "axis"], ["values"], keepdims=0)],
    {"X": (TensorProto.FLOAT, [None, 2])},
    {"values": TensorProto.FLOAT},
    [helper.make_tensor("axis", TensorProto.INT64, [1], [1])],
)


def test_it_is_a_format_on_the_shelf() -> None:
    assert isinstance(FORMAT, Format)
    assert (FORMAT.id, FORMAT.file) == ("onnx", "model.onnx")


def test_one_matrix_of_all_features_in_order() -> None:
    runtime = read(SUM, signature("a", "b"))
    outputs = runtime.run({"b": np.array([2, 20]), "a": np.array([1.5, 2.5]), "more": np.array([0, 0])})
    assert outputs.values.tolist() == [3.5, 22.5]
    assert outputs.values.dtype == np.float64
    assert outputs.probabilities is None
    assert runtime.fenced


def test_callers_may_make_the_arrays_themselves() -> None:
    runtime = read(SUM, signature("a", "b"))
    (group,) = runtime.groups
    assert (group.name, group.features, str(group.dtype), group.flat) == ("X", ("a", "b"), "float32", False)
    rows = np.array([[1.5, 2.0]], dtype=np.float32)
    assert runtime.run_groups({"X": rows}).values.tolist() == [3.5]


def test_one_input_a_feature_flat_or_not_and_of_any_type() -> None:
    data = model(
        [
            helper.make_node("Cast", ["a"], ["a1"], to=TensorProto.DOUBLE),
            helper.make_node("Cast", ["b"], ["b1"], to=TensorProto.DOUBLE),
            helper.make_node("Reshape", ["c", "flat"], ["c1"]),
            helper.make_node("Sum", ["a1", "b1", "c1"], ["values"]),
        ],
        {"a": (TensorProto.INT64, [None]), "b": (TensorProto.BOOL, [None]), "c": (TensorProto.DOUBLE, [None, 1])},
        {"values": TensorProto.DOUBLE},
        [helper.make_tensor("flat", TensorProto.INT64, [1], [-1])],
    )
    runtime = read(data, signature("a", "b", "c"))
    assert runtime.run({"a": np.array([2**53 - 2]), "b": np.array([True]), "c": np.array([0.0])}).values.tolist() == [
        2.0**53 - 1
    ]


def test_strings_and_their_nulls() -> None:
    data = model(
        [
            helper.make_node("Equal", ["s", "null"], ["is"]),
            helper.make_node("Cast", ["is"], ["numbers"], to=TensorProto.FLOAT),
            helper.make_node("ReduceSum", ["numbers", "axis"], ["values"], keepdims=0),
        ],
        {"s": (TensorProto.STRING, [None, 2])},
        {"values": TensorProto.FLOAT},
        [
            helper.make_tensor("null", TensorProto.STRING, [1], [NULL_TEXT.encode()]),  # type: ignore[list-item]
            helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        ],
    )
    runtime = read(data, signature("s", "t", kind="category"))
    cells = np.array(["雪", None, ""], dtype=object)
    assert runtime.run({"s": cells, "t": cells[::-1]}).values.tolist() == [0.0, 2.0, 0.0]
    assert cells.tolist() == ["雪", None, ""]


CLASSES: dict[str, tuple[tuple[Any, ...], str]] = {
    "strings": (("no", "yes"), "object"),
    "integers": ((3, 7), "int32"),
    "booleans": ((False, True), "bool"),
    "floats": ((0.0, 1.0), "float64"),
}


@pytest.mark.parametrize("name", CLASSES)
def test_the_label_is_the_class_of_the_largest_probability_the_first_of_equals(name: str) -> None:
    classes, dtype = CLASSES[name]
    data = model(
        [helper.make_node("Identity", ["X"], ["probabilities"])],
        {"X": (TensorProto.FLOAT, [None, 2])},
        {"probabilities": TensorProto.FLOAT},
    )
    output = Output(task="binary", classes=classes, dtype=dtype, probabilities=True)
    answers = read(data, signature("a", "b", output=output)).run(
        {"a": np.array([0.25, 0.75, 0.5]), "b": np.array([0.75, 0.25, 0.5])}
    )
    assert answers.values.tolist() == [classes[1], classes[0], classes[0]]
    assert answers.values.dtype == np.dtype(dtype)
    assert answers.probabilities is not None
    assert answers.probabilities.tolist() == [[0.25, 0.75], [0.75, 0.25], [0.5, 0.5]]


def test_labels_of_the_graph_itself() -> None:
    data = model(
        [
            helper.make_node("ArgMax", ["X"], ["label"], axis=1, keepdims=0, select_last_index=1),
            helper.make_node("Identity", ["X"], ["probabilities"]),
        ],
        {"X": (TensorProto.FLOAT, [None, 2])},
        {"label": TensorProto.INT64, "probabilities": TensorProto.FLOAT},
    )
    rows = {"a": np.array([0.5]), "b": np.array([0.5])}
    both = Output(task="binary", classes=(0, 1), dtype="int64", probabilities=True)
    assert read(data, signature("a", "b", output=both)).run(rows).values.tolist() == [1]
    label_only = Output(task="binary", classes=(0, 1), dtype="int64")
    answers = read(data, signature("a", "b", output=label_only)).run(rows)
    assert (answers.values.tolist(), answers.probabilities) == ([1], None)


@pytest.mark.parametrize(
    ("node", "output"),
    [
        (helper.make_node("ReduceSum", ["X"], ["values"], keepdims=0), REGRESSION),
        (helper.make_node("Identity", ["X"], ["values"]), REGRESSION),
        (
            helper.make_node("Identity", ["X"], ["probabilities"]),
            Output(task="multiclass", classes=(1, 2, 3), probabilities=True),
        ),
    ],
)
def test_answers_of_another_shape(node: Any, output: Output) -> None:
    data = model([node], {"X": (TensorProto.FLOAT, [None, 2])}, {node.output[0]: TensorProto.FLOAT})
    with pytest.raises(ModelFailed) as caught:
        read(data, signature("a", "b", output=output)).run({"a": np.zeros(3), "b": np.zeros(3)})
    assert caught.value.code == "invalid_output"


def test_a_graph_that_fails_says_nothing_of_its_rows() -> None:
    data = model(
        [
            helper.make_node("Cast", ["X"], ["index"], to=TensorProto.INT64),
            helper.make_node("Gather", ["table", "index"], ["values"]),
        ],
        {"X": (TensorProto.FLOAT, [None, 1])},
        {"values": TensorProto.FLOAT},
        [helper.make_tensor("table", TensorProto.FLOAT, [2], [0.0, 1.0])],
    )
    runtime = read(data, signature("a"))
    assert runtime.run({"a": np.array([1.0])}).values.tolist() == [1.0]
    with pytest.raises(ModelFailed) as caught:
        runtime.run({"a": np.array([987654321.0])})
    assert caught.value.code == "model_error"
    assert "987654321" not in str(caught.value)


def test_numbers_beyond_float32_are_infinite_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(SUM, signature("a", "b")).run({"a": np.array([1e300]), "b": np.array([0.0])}).values.tolist() == [
            np.inf
        ]


@pytest.mark.parametrize(
    ("data", "described"),
    [
        (SUM, signature("a", "b", output=Output(task="binary", classes=(0, 1), probabilities=True))),
        (
            model(
                [helper.make_node("Identity", ["other"], ["values"])],
                {"other": (TensorProto.FLOAT, [None])},
                {"values": TensorProto.FLOAT},
            ),
            signature("a"),
        ),
        (
            model(
                [helper.make_node("Cast", ["a"], ["values"], to=TensorProto.FLOAT)],
                {"a": (TensorProto.UINT8, [None])},
                {"values": TensorProto.FLOAT},
            ),
            signature("a"),
        ),
        (
            model(
                [helper.make_node("NoSuchOperator", ["a"], ["values"])],
                {"a": (TensorProto.FLOAT, [None])},
                {"values": TensorProto.FLOAT},
            ),
            signature("a"),
        ),
    ],
    ids=["no such output", "no such feature", "a type not known", "an operator not known"],
)
def test_graphs_that_do_not_fit(data: bytes, described: Signature) -> None:
    with pytest.raises(ArtifactError) as caught:
        read(data, described)
    assert "\n" not in str(caught.value)


@settings(max_examples=200)
@given(st.integers(0, len(SUM) - 1))
def test_a_graph_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises((IntegrityError, UntrustedFormat, ArtifactError)):
        read(SUM[:length], signature("a", "b"))


@given(st.binary(max_size=200))
def test_random_bytes_are_no_graph(data: bytes) -> None:
    assert not FORMAT.recognises(data) or b":" in data


def test_what_it_keeps() -> None:
    assert FORMAT.keeps(SUM)
    assert FORMAT.keeps(helper.make_model(helper.make_graph([], "g", [], [])))
    assert not FORMAT.keeps(b"no graph")
    assert not FORMAT.keeps(object())
    assert FORMAT.write(SUM, trusted=frozenset()) == SUM
    outside = TensorProto(name="w", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value="w.bin")
    with pytest.raises(CannotPack, match="other files"):
        FORMAT.write(helper.make_model(helper.make_graph([], "g", [], [], [outside])), trusted=frozenset())
