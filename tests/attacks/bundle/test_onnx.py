"""ONNX graphs that point outside themselves, ask for all of the memory, never end, or are not what they say."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.attacks.bundle.hostile import forge, one_line, refused, sekisho, use

from sekisho.artifact import protobuf
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.bounds import sized_by_rows
from sekisho.artifact.packing import pack, read_model
from sekisho.artifact.rehearsal import rehearse
from sekisho.errors import ArtifactError, IntegrityError, SekishoError
from sekisho.serving.model import Model
from sekisho.serving.settings import ServingSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def graph(*nodes: Any, constants: dict[str, Any] | None = None, extra: tuple[Any, ...] = ()) -> bytes:
    """Return a model from ``x``, shape (n, 2), to ``values``: the sum of its columns, plus the scalar ``more`` if a node gives it."""
    given = {"axis": np.array([1]), **(constants or {})}
    outputs = {name for each in nodes for name in each.output}
    nodes = (*nodes, helper.make_node("ReduceSum", ["x", "axis"], ["sums"], keepdims=0))
    last = (
        helper.make_node("Add", ["sums", "more"], ["values"])
        if "more" in outputs
        else helper.make_node("Identity", ["sums"], ["values"])
    )
    made = helper.make_graph(
        [*nodes, last],
        "g",
        [helper.make_tensor_value_info("x", FLOAT, [None, 2])],
        [helper.make_tensor_value_info("values", FLOAT, [None])],
        [*(numpy_helper.from_array(np.asarray(value), name) for name, value in given.items()), *extra],
    )
    return bytes(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString())


def summed(*nodes: Any, of: str, **constants: Any) -> bytes:
    """Return a graph in which the tensor ``of`` is summed up."""
    return graph(*nodes, helper.make_node("ReduceSum", [of], ["more"], keepdims=0), constants=constants)


def loop(times: str, **constants: Any) -> Any:
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["state", "state"], ["after"])],
        "body",
        [
            helper.make_tensor_value_info("i", INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", FLOAT, []),
        ],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, []), helper.make_tensor_value_info("after", FLOAT, [])],
    )
    return helper.make_node("Loop", [times, "yes", "zero"], ["more"], body=body)


def by_row(*nodes: Any, of: str, **constants: Any) -> bytes:
    """Return a graph with ``count``, the first cell of the rows as a whole number, shape (1,)."""
    first = (
        helper.make_node("Slice", ["x", "from", "to"], ["cell"]),
        helper.make_node("Reshape", ["cell", "one"], ["flat"]),
        helper.make_node("Cast", ["flat"], ["count"], to=INT64),
    )
    plain = {"from": np.array([0, 0]), "to": np.array([1, 1]), "one": np.array([1])}
    if of == "more":
        return graph(*first, *nodes, constants=plain | constants)
    return summed(*first, *nodes, of=of, **plain, **constants)


CONDITION = {"yes": np.array(True), "zero": np.array(0, dtype=np.float32)}
BOMBS: dict[str, Callable[[], bytes]] = {
    "ConstantOfShape of 4 TiB": lambda: summed(
        helper.make_node("ConstantOfShape", ["shape"], ["big"]), of="big", shape=np.array([2**20, 2**20])
    ),
    "ConstantOfShape of 8 GiB": lambda: summed(
        helper.make_node("ConstantOfShape", ["shape"], ["big"]), of="big", shape=np.array([2**31])
    ),
    "an outer product": lambda: summed(
        helper.make_node("MatMul", ["a", "b"], ["big"]),
        of="big",
        a=np.ones((100_000, 1), dtype=np.float32),
        b=np.ones((1, 100_000), dtype=np.float32),
    ),
    "Expand": lambda: summed(
        helper.make_node("Expand", ["a", "shape"], ["big"]),
        of="big",
        a=np.ones(1, dtype=np.float32),
        shape=np.array([2**16, 2**16]),
    ),
    "Range": lambda: summed(
        helper.make_node("Range", ["a", "b", "c"], ["many"]),
        helper.make_node("Cast", ["many"], ["big"], to=FLOAT),
        of="big",
        a=np.array(0),
        b=np.array(2**60),
        c=np.array(1),
    ),
    "random numbers": lambda: summed(helper.make_node("RandomNormal", [], ["big"], shape=[2**20, 2**14]), of="big"),
    "Loop of 2^62": lambda: graph(loop("times"), constants={"times": np.array(2**62), **CONDITION}),
    "Loop without end": lambda: graph(loop(""), constants=CONDITION),
}
BY_ROW: dict[str, Callable[[], bytes]] = {
    "Loop": lambda: by_row(loop("count"), of="more", **CONDITION),
    "ConstantOfShape": lambda: by_row(helper.make_node("ConstantOfShape", ["count"], ["big"]), of="big"),
    "Expand": lambda: by_row(
        helper.make_node("Expand", ["zeros", "count"], ["big"]), of="big", zeros=np.zeros(1, dtype=np.float32)
    ),
    "Tile": lambda: by_row(
        helper.make_node("Tile", ["zeros", "count"], ["big"]), of="big", zeros=np.zeros(1, dtype=np.float32)
    ),
}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame({"a": random.normal(3, 1, 50), "b": random.normal(size=50)})


@pytest.fixture(scope="module")
def summing(rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("summing") / "artifact"
    ModelArtifact(graph(), reference=rows, target=rows.sum(axis=1).rename("sum"), name="sum", lock=False).save(folder)
    return folder


@pytest.fixture
def sums(summing: Path, tmp_path: Path) -> Path:
    return shutil.copytree(summing, tmp_path / "sums")


def external(location: str) -> bytes:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return graph(helper.make_node("Identity", ["w"], ["more"]), extra=(tensor,))


@pytest.mark.parametrize(
    "location", ["weights.bin", "../secret", "sub/../../x", "/etc/passwd", "//etc/passwd", "~", "\\\\x"]
)
def test_a16_tensors_in_other_files(location: str, sums: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\x00\x00\x80?")
    forge(sums, model__onnx=external(location))
    assert "other files" in refused(sums)


def test_a11_tensors_in_a_hard_link(sums: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\x00\x00\x80?")
    os.link(tmp_path / "secret", sums / "weights.bin")
    forge(sums, model__onnx=external("weights.bin"))
    refused(sums)


@pytest.mark.parametrize("location", ["weights.bin", "/etc/hostname"])
def test_a16_tensors_in_other_files_are_not_packed(location: str, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(external(location))
    (tmp_path / "weights.bin").write_bytes(b"\x00\x00\x80?")
    with pytest.raises(IntegrityError, match="other files"):
        read_model(tmp_path / "model.onnx")


def hidden() -> dict[str, bytes]:
    """Return models that keep a tensor outside in every place that can hold one."""
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/passwd")
    constant = helper.make_node("Constant", [], ["k"], value=tensor)
    inner = helper.make_graph([constant], "inner", [], [helper.make_tensor_value_info("k", FLOAT, [1])])
    branch = helper.make_node("If", ["yes"], ["k"], then_branch=inner, else_branch=inner)
    sparse = onnx.SparseTensorProto(values=tensor, indices=numpy_helper.from_array(np.array([0])), dims=[1])
    whole = onnx.load_from_string(graph())
    whole.graph.sparse_initializer.append(sparse)
    function = onnx.load_from_string(graph())
    function.functions.append(helper.make_function("own", "F", [], ["k"], [constant], []))
    return {
        "an attribute": graph(constant),
        "a branch": graph(branch, constants={"yes": np.array(True)}),
        "a branch of a branch": graph(
            helper.make_node(
                "If",
                ["yes"],
                ["k"],
                then_branch=helper.make_graph([branch], "i", [], [helper.make_tensor_value_info("k", FLOAT, [1])]),
                else_branch=inner,
            ),
            constants={"yes": np.array(True)},
        ),
        "a sparse tensor": bytes(whole.SerializeToString()),
        "a function": bytes(function.SerializeToString()),
    }


@pytest.mark.parametrize("name", hidden())
def test_a16_wherever_a_tensor_hides(name: str, sums: Path) -> None:
    forge(sums, model__onnx=hidden()[name])
    assert "other files" in refused(sums)


def test_a16_a_feature_named_location_is_no_harm() -> None:
    node = helper.make_node("Identity", ["location"], ["values"], doc_string="location")
    value = helper.make_tensor_value_info("location", FLOAT, [1])
    output = helper.make_tensor_value_info("values", FLOAT, [1])
    constant = helper.make_tensor("c", FLOAT, [2], [1.0, 2.0])
    inner = helper.make_graph([helper.make_node("Constant", [], ["k"], value=constant)], "i", [], [])
    branch = helper.make_node("If", ["location"], [], then_branch=inner, else_branch=inner)
    made = helper.make_model(helper.make_graph([node, branch], "g", [value], [output], [constant]))
    data = bytes(made.SerializeToString())
    assert protobuf.is_onnx(data)
    assert not protobuf.has_external_data(data)


@pytest.mark.parametrize("name", BOMBS)
def test_a18_a_bomb_goes_off_in_a_process_of_its_own(name: str) -> None:
    with pytest.raises(ArtifactError) as caught:
        rehearse(BOMBS[name](), where="model.onnx", seconds=2.0, memory=1024**3)
    one_line(caught.value)


def test_a18_a_graph_is_rehearsed_in_a_moment() -> None:
    rehearse(graph(), where=None, seconds=10.0)


@pytest.mark.parametrize("name", ["ConstantOfShape of 8 GiB", "Loop of 2^62"])
def test_a18_verify_ends_in_time_and_memory(name: str, sums: Path) -> None:
    forge(sums, model__onnx=BOMBS[name]())
    found = sekisho("verify", str(sums), "--seconds", "3")
    assert found.code == 3
    assert len(found.lines) == 1
    assert found.seconds < 20
    assert found.peak_bytes < 600 * 1024**2


@pytest.mark.parametrize("name", ["ConstantOfShape of 4 TiB", "an outer product"])
def test_a18_verify_in_this_process(name: str, sums: Path) -> None:
    forge(sums, model__onnx=BOMBS[name]())
    with pytest.raises(ArtifactError) as caught:
        ModelArtifact.load(sums).verify()
    one_line(caught.value)


def test_a18_without_golden_rows_a_row_is_made_up(sums: Path) -> None:
    """Who leaves the golden rows out does not get past the warm-up."""
    (sums / "reference.npz").unlink()
    parity, golden = (
        (sums / "parity.json").read_bytes(),
        b'{"probabilities":null,"rows":[],"tolerance":1e-06,"values":[]}',
    )
    forge(sums, model__onnx=BOMBS["ConstantOfShape of 8 GiB"](), golden__json=golden, parity__json=parity)
    found = sekisho("verify", str(sums), "--seconds", "5")
    assert found.code == 3
    assert len(found.lines) == 1


def test_a20_the_golden_rows_cannot_be_left_out_alone(sums: Path) -> None:
    forge(sums, golden__json=b'{"probabilities":null,"rows":[],"tolerance":1e-06,"values":[]}')
    assert "no golden row" in refused(sums)


@pytest.mark.parametrize("name", ["ConstantOfShape of 8 GiB", "Range"])
def test_a18_a_bomb_is_not_packed(name: str, rows: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError) as caught:
        pack(BOMBS[name](), rows, folder=tmp_path / "out", name="bomb", lock=False)
    one_line(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", BY_ROW)
def test_a18_a_graph_that_counts_as_far_as_a_caller_says_stays_behind_the_fence(
    name: str, rows: pd.DataFrame, tmp_path: Path
) -> None:
    data = BY_ROW[name]()
    assert sized_by_rows(data) == (name,)
    folder = tmp_path / "artifact"
    made = pack(data, rows, rows["a"].rename("y"), folder=folder, name="counting", lock=False)
    assert not Model(made, made.signature, ServingSettings()).is_ours


def test_a18_a_plain_graph_is_let_into_the_service(summing: Path) -> None:
    made = ModelArtifact.load(summing)
    assert sized_by_rows((summing / "model.onnx").read_bytes()) == ()
    assert Model(made, made.signature, ServingSettings()).is_ours


def test_a18_shapes_are_no_values() -> None:
    data = summed(
        helper.make_node("Shape", ["x"], ["shape"]), helper.make_node("ConstantOfShape", ["shape"], ["big"]), of="big"
    )
    assert sized_by_rows(data) == ()


def chain(length: int) -> bytes:
    names = [f"n{i}" for i in range(length)]
    nodes = [helper.make_node("Neg", [before], [after]) for before, after in zip(["x", *names], names, strict=False)]
    return summed(*nodes, of=names[-1])


def message(number: int, content: bytes) -> bytes:
    size, length = b"", len(content)
    while length > 127:
        size, length = size + bytes([length & 127 | 128]), length >> 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + content


def deep(levels: int) -> bytes:
    """Return a model with branches in branches, written by hand: the onnx library would not."""
    inner = message(1, message(1, b"zero") + message(2, b"k") + message(4, b"Identity"))
    for _ in range(levels):
        branches = b"".join(
            message(5, message(1, name) + message(6, inner if name == b"then_branch" else b"") + b"\xa0\x01\x05")
            for name in (b"then_branch", b"else_branch")
        )
        inner = message(1, message(1, b"yes") + message(2, b"k") + message(4, b"If") + branches)
    return b"\x08\x09" + message(7, inner) + message(8, b"\x10\x11")


def tensor(**members: Any) -> bytes:
    return graph(helper.make_node("Identity", ["w"], ["more"]), extra=(TensorProto(name="w", **members),))


BROKEN: dict[str, Callable[[], bytes]] = {
    "dimensions without data": lambda: tensor(data_type=FLOAT, dims=[2**40]),
    "dimensions beyond all": lambda: tensor(data_type=FLOAT, dims=[2**62, 2**62], raw_data=b"\0" * 4),
    "negative dimensions": lambda: tensor(data_type=FLOAT, dims=[-1], raw_data=b"\0" * 4),
    "an unknown type": lambda: tensor(data_type=99, dims=[1], raw_data=b"\0" * 4),
    "too little data": lambda: tensor(data_type=FLOAT, dims=[1000], raw_data=b"\0" * 4),
    "an operator of somebody's own": lambda: graph(helper.make_node("Evil", ["x"], ["more"], domain="com.example")),
    "a Python operator": lambda: graph(helper.make_node("PyOp", ["x"], ["more"], domain="ai.onnx.contrib")),
    "an operator nobody knows": lambda: graph(helper.make_node("NoSuchOperator", ["x"], ["more"])),
    "a cycle": lambda: graph(helper.make_node("Neg", ["b"], ["a"]), helper.make_node("Neg", ["a"], ["b"])),
    "an input from nowhere": lambda: graph(helper.make_node("Identity", ["nowhere"], ["more"])),
    "another input": lambda: graph().replace(b"\x0a\x01x", b"\x0a\x01y"),
    "another output": lambda: graph().replace(b"values", b"valuez"),
    "deeper than Protocol Buffers go": lambda: deep(5_000),
    "empty": lambda: b"",
    "only zeros": lambda: bytes(1000),
    "ORT": lambda: b"\x18\0\0\0ORTM" + bytes(200),
    "a length that runs out": lambda: graph()[:-20],
    "a length beyond all": lambda: b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f" + graph(),
    "an endless number": lambda: b"\x08" + b"\xff" * 100 + graph(),
    "many empty nodes": lambda: graph() + message(7, b"\x0a\x00" * 100_000),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a18_graphs_that_are_not_what_they_say(name: str, sums: Path) -> None:
    forge(sums, model__onnx=BROKEN[name]())
    with pytest.raises(SekishoError) as caught:
        use(sums)
    one_line(caught.value)


@pytest.mark.slow
def test_a18_many_nodes_are_bounded_in_time(sums: Path) -> None:
    forge(sums, model__onnx=chain(100_000))
    found = sekisho("verify", str(sums), "--seconds", "5")
    assert found.code == 3
    assert len(found.lines) == 1
    assert found.seconds < 25
    inspected = sekisho("inspect", str(sums))
    assert inspected.code == 0
    assert inspected.seconds < 10


def test_a20_another_model_in_its_place(sums: Path) -> None:
    forge(
        sums,
        model__onnx=graph(
            helper.make_node("Identity", ["half"], ["more"]), constants={"half": np.array(0.5, dtype=np.float32)}
        ),
    )
    with pytest.raises(IntegrityError, match="golden row"):
        ModelArtifact.load(sums).verify()
