"""The Open Inference Protocol: what is sent and read, against answers as several servers give them, and against a real one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from sekisho.contract.sections import Mapping, Serving
from sekisho.probes.adapters.interface import Adapter, Unreadable
from sekisho.probes.adapters.oip import adapt, oip
from sekisho.probes.wire.message import Reply, Request

NAMES = ("age", "plan")
ROW = {"age": 30.5, "plan": "gold"}


def reply(value: object, status: int = 200) -> Reply:
    return Reply(status=status, headers={"content-type": "application/json"}, body=msgspec.json.encode(value))


def answers(*outputs: dict[str, Any]) -> Reply:
    return reply({"model_name": "m", "model_version": "3", "outputs": list(outputs)})


def server(**known: Any) -> Callable[[Sequence[Request]], Sequence[Reply]]:
    """Return a server that answers what it knows by target."""
    return lambda requests: [
        known[one.target](one) if one.target in known else reply({"error": "unknown"}, 404) for one in requests
    ]


def made(predict: str = "/v2/models/m/infer", names: tuple[str, ...] = NAMES) -> Adapter:
    return adapt(Serving(protocol="oip", mapping=Mapping(predict=predict)), names)


def settled(known: dict[str, Any], **more: Any) -> Adapter:
    assert oip.settle is not None
    return oip.settle(made(**more), server(**known), ROW)


def test_each_feature_is_a_tensor_of_its_own() -> None:
    adapter = made()
    request = adapter.many([ROW, {"age": None, "plan": "basic"}])
    assert request is not None
    assert request.target == "/v2/models/m/infer"
    assert msgspec.json.decode(request.body) == {
        "inputs": [
            {"name": "age", "shape": [2, 1], "datatype": "FP64", "data": [30.5, None]},
            {"name": "plan", "shape": [2, 1], "datatype": "BYTES", "data": ["gold", "basic"]},
        ]
    }
    assert b'"data":[NaN]' in adapter.one({"age": msgspec.Raw(b"NaN")}).body


def test_one_tensor_for_all_is_as_wide_as_the_row() -> None:
    adapter = settled(
        {"/v2/models/m": lambda _: reply({"inputs": [{"name": "x", "datatype": "FP64", "shape": [-1, 2]}]})}
    )

    def sent(*rows: dict[str, object]) -> tuple[list[int], list[object]]:
        request = adapter.many(rows)
        assert request is not None
        (tensor,) = msgspec.json.decode(request.body)["inputs"]
        return tensor["shape"], tensor["data"]

    assert sent({"plan": 2, "age": 1}) == ([1, 2], [1, 2])
    assert sent({"age": 1}) == ([1, 1], [1])  # what is missing is missing, not null
    assert sent({"age": 1, "plan": 2, "other": 3}) == ([1, 3], [1, 2, 3])
    assert sent({"age": 1, "plan": 2}, {"age": 3}) == ([2, 2], [1, 2, 3, None])


def test_the_model_is_found_and_its_form_is_read() -> None:
    def index(request: Request) -> Reply:
        assert request.method == "POST"
        return reply([{"name": "churn", "state": "READY"}])

    inputs = [{"name": "age", "datatype": "FP32", "shape": [-1]}, {"name": "plan", "datatype": "BYTES", "shape": [-1]}]
    outputs = [{"name": "p", "datatype": "FP64", "shape": [-1, 2], "parameters": {"classes": ["no", "yes"]}}]
    metadata = {"name": "churn", "inputs": inputs, "outputs": outputs}
    adapter = settled(
        {"/v2/repository/index": index, "/v2/models/churn": lambda _: reply(metadata)}, predict="/predict"
    )
    assert adapter.routes.predict == "/v2/models/churn/infer"
    assert msgspec.json.decode(adapter.one(ROW).body)["inputs"][0]["datatype"] == "FP32"
    answer = adapter.read_one(answers({"name": "p", "shape": [1, 2], "datatype": "FP64", "data": [0.25, 0.75]}))
    assert (answer.label, answer.probability, answer.version) == ("yes", 0.75, "3")
    assert answer.probabilities == {"no": 0.25, "yes": 0.75}


def test_one_tensor_for_all_features() -> None:
    metadata = {"inputs": [{"name": "float_input", "datatype": "FP32", "shape": [-1, 2]}]}
    adapter = settled({"/v2/models/m": lambda _: reply(metadata)})
    assert not adapter.named
    assert msgspec.json.decode(adapter.one({"plan": 2, "age": 1}).body) == {
        "inputs": [{"name": "float_input", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]
    }


def test_a_server_that_says_nothing_of_its_inputs_is_tried() -> None:
    def infer(request: Request) -> Reply:
        inputs = msgspec.json.decode(request.body)["inputs"]
        return reply({}, 200 if inputs[0]["datatype"] == "FP32" else 400)

    adapter = settled({"/v2/models/m": lambda _: reply({"name": "m"}), "/v2/models/m/infer": infer})
    assert msgspec.json.decode(adapter.one(ROW).body)["inputs"][0]["name"] == "input-0"


def test_answers_of_several_servers_are_read() -> None:
    adapter = made()
    mlserver = answers(
        {"name": "predict", "shape": [2, 1], "datatype": "INT64", "data": [1, 0]},
        {"name": "predict_proba", "shape": [2, 2], "datatype": "FP64", "data": [0.1, 0.9, 0.8, 0.2]},
    )
    assert [(one.label, one.probability) for one in adapter.read_many(mlserver)] == [(1, 0.9), (0, 0.8)]
    triton = answers(
        {"name": "probabilities", "shape": [1, 2], "datatype": "FP32", "data": [[0.1, 0.9]]},
        {"name": "label", "shape": [1], "datatype": "BYTES", "data": ["yes"]},
    )
    assert (adapter.read_one(triton).label, adapter.read_one(triton).probability) == ("yes", 0.9)
    value = answers({"name": "output-0", "shape": [1, 1], "datatype": "FP32", "data": [12.5]})
    assert adapter.read_one(value).label == 12.5


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"outputs": []},
        {"outputs": [3]},
        {"outputs": [{"name": "p", "shape": [1], "data": []}]},
        {"outputs": [{"name": "p", "shape": ["1"], "data": [1]}]},
        {"outputs": [{"name": "p", "shape": [1], "data": [None]}]},
        {"outputs": [{"name": "p", "shape": [1, 2], "data": [None, 1.0]}]},
    ],
)
def test_what_holds_no_answer_is_unreadable(body: object) -> None:
    with pytest.raises(Unreadable):
        made().read_one(reply(body))
