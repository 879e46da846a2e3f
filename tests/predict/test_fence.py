"""A model behind a fence: it answers as it would here, and no longer than it may."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import sekisho
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.formats.interface import Outputs
from sekisho.errors import ArtifactError, DeadlineExceeded, ModelFailed
from sekisho.predict.fence import Fence, FencedRuntime, Nursery
from sekisho.predict.parcels import Reply, answer, ask, asked, outputs_of, replied, reply


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> ModelArtifact:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=80), "b": random.normal(size=80)})
    labels = np.where(frame["a"] + frame["b"] > 0, "up", "down")
    folder = tmp_path_factory.mktemp("fence") / "artifact"
    return sekisho.pack(
        LogisticRegression().fit(frame, labels), frame, labels, folder=folder, name="fenced", lock=False
    )


def columns(rows: int) -> dict[str, Any]:
    random = np.random.default_rng(1)
    return {"a": random.normal(size=rows), "b": random.normal(size=rows)}


def test_what_goes_between_processes_comes_out_as_it_went_in() -> None:
    sent = {
        "number": np.array([1.5, np.nan]),
        "integer": np.array([1, -(2**63)]),
        "boolean": np.array([True, False]),
        "moment": np.array(["2026-01-01", "NaT"], dtype="datetime64[us]"),
        "string": np.array(["é", None], dtype=object),
    }
    received = asked(ask(sent))
    for name, array in sent.items():
        assert received[name].dtype == array.dtype
        np.testing.assert_array_equal(received[name], array)
    outputs = Outputs(values=np.array(["x", "y"], dtype=object), probabilities=np.array([[0.5, 0.5], [0.25, 0.75]]))
    said = outputs_of(replied(answer(outputs, memory=1)))
    assert said.values.tolist() == ["x", "y"]
    assert said.probabilities is not None
    assert said.probabilities.tolist() == [[0.5, 0.5], [0.25, 0.75]]
    with pytest.raises(ValueError, match="without values"):
        outputs_of(replied(reply(Reply(failure="x"))))


@pytest.mark.parametrize("kind", ["alone", "forked"])
def test_it_answers_as_it_would_here(artifact: ModelArtifact, kind: str) -> None:
    assert artifact.folder is not None
    fence = Fence()
    nursery = Nursery(artifact.folder, fence)
    runtime = FencedRuntime(artifact.folder, fence, nursery if kind == "forked" else None)
    try:
        for rows in (1, 500):
            here = artifact.runtime().run(columns(rows))
            there = runtime.run(columns(rows), seconds=30)
            assert there.values.tolist() == here.values.tolist()
            assert here.probabilities is not None
            assert there.probabilities is not None
            np.testing.assert_array_equal(there.probabilities, here.probabilities)
        # A child that has gone is replaced at the next question.
        runtime.stop()
        assert not runtime.is_alive
        assert runtime.run(columns(1), seconds=30).values.shape == (1,)
    finally:
        runtime.stop()
        nursery.stop()


def test_a_question_that_is_none_is_a_failure_of_the_model(artifact: ModelArtifact) -> None:
    assert artifact.folder is not None
    runtime = FencedRuntime(artifact.folder, Fence())
    try:
        with pytest.raises(ModelFailed):
            runtime.run({"a": np.zeros(1)}, seconds=30)
        assert runtime.is_alive
        with pytest.raises(DeadlineExceeded):
            runtime.run(columns(100_000), seconds=0.0)  # more than it can answer in no time
        assert not runtime.is_alive
    finally:
        runtime.stop()


def test_what_cannot_be_loaded_is_told_in_one_line(tmp_path: Path) -> None:
    for nursery in (None, Nursery(tmp_path, Fence())):
        runtime = FencedRuntime(tmp_path, Fence(), nursery)
        with pytest.raises(ArtifactError) as raised:
            runtime.wait_until_ready()
        assert "\n" not in str(raised.value)
        assert not runtime.is_alive


def test_a_graph_that_would_take_all_memory_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ConstantOfShape of four tebibytes that got past its rehearsal fails inside the fence, and nowhere else."""
    monkeypatch.setattr("sekisho.artifact.artifact.rehearse", lambda *_, **__: None)
    import onnx
    from onnx import TensorProto, helper

    from sekisho.artifact.assembly import formats
    from sekisho.predict.predictor import Predictor

    size = helper.make_tensor("size", TensorProto.INT64, [1], [2**40])
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["huge"]),
        helper.make_node("ReduceSum", ["huge"], ["zero"], keepdims=1),
        helper.make_node("ReduceSum", ["numbers", "axes"], ["sums"], keepdims=0),
        helper.make_node("Add", ["sums", "zero"], ["values"]),
    ]
    graph = helper.make_graph(
        nodes,
        "bomb",
        [helper.make_tensor_value_info("numbers", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("values", TensorProto.FLOAT, [None])],
        [size, helper.make_tensor("axes", TensorProto.INT64, [1], [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    assert formats()["onnx"].recognises(model.SerializeToString())
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    folder = tmp_path / "bomb"
    bombs = ModelArtifact(model, {"feature_names": ["a", "b"], "name": "bomb"}, lock=False).save(folder)
    runtime = FencedRuntime(folder, Fence(memory=2**30))
    began = time.monotonic()
    try:
        predictor = Predictor(bombs.signature, None)
        rows = [predictor.reader.read(list(map(float, row)), row=0) for row in frame.to_numpy()]
        with pytest.raises(ModelFailed):
            runtime.run(predictor.columns(predictor.prepare(rows)), seconds=30)
    finally:
        runtime.stop()
    assert time.monotonic() - began < 30
