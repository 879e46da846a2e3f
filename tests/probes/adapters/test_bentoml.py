"""BentoML: what is sent and read, against APIs as they describe themselves in /docs.json."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from sekisho.contract.sections import Mapping, Serving
from sekisho.probes.adapters.bentoml import Bento, adapt, settle
from sekisho.probes.adapters.interface import Answer, Unreadable
from sekisho.probes.wire.message import Reply, Request

NAMES = ("age", "plan")
ROW = {"age": 30.5, "plan": "gold"}
TABLE = {"items": {"type": "object"}, "title": "Input Data", "type": "array"}
ARRAY = {"items": {"type": "number"}, "type": "array"}


def reply(value: object, status: int = 200) -> Reply:
    return Reply(status=status, headers={"content-type": "application/json"}, body=msgspec.json.encode(value))


def service(
    path: str, properties: dict[str, Any], takes: Callable[[Any], bool]
) -> Callable[[Sequence[Request]], Sequence[Reply]]:
    """Return a service with one API, which answers the bodies that it takes and fails on others."""
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    operation = {"requestBody": {"content": {"application/json": {"schema": schema}}}}
    document = {"paths": {"/healthz": {"get": {}}, path: {"post": operation}}}

    def said(request: Request) -> Reply:
        if request.target == "/docs.json":
            return reply(document)
        if request.target != path:
            return reply({"error": "not found"}, 404)
        try:
            return reply([1]) if takes(msgspec.json.decode(request.body)) else reply({"error": "unexpected"}, 500)
        except LookupError:
            return reply({"error": "unexpected"}, 500)

    return lambda requests: [said(request) for request in requests]


def settled(properties: dict[str, Any], takes: Callable[[Any], bool], path: str = "/predict") -> Bento:
    return settle(adapt(Serving(protocol="bentoml"), NAMES), service(path, properties, takes), ROW)


def body(request: Request | None) -> Any:
    assert request is not None
    return msgspec.json.decode(request.body)


def test_a_table_gets_rows_by_name() -> None:
    adapter = settled({"data": TABLE}, lambda sent: isinstance(sent["data"][0], dict))
    assert (adapter.parameter, adapter.form, adapter.named) == ("data", "records", True)
    assert body(adapter.many([ROW, ROW])) == {"data": [ROW, ROW]}
    assert adapter.routes.batch == "/predict"


def test_an_array_gets_rows_in_the_order_of_the_signature() -> None:
    adapter = settled({"input_series": ARRAY}, lambda sent: isinstance(sent["input_series"][0], list))
    assert (adapter.form, adapter.named) == ("lists", False)
    assert body(adapter.one({"plan": 2, "age": 1})) == {"input_series": [[1, 2]]}
    assert body(adapter.one({"age": 1})) == {"input_series": [[1]]}


def test_an_object_or_a_flat_list_is_one_row() -> None:
    by_name = settled({"row": {"$ref": "#/x"}}, lambda sent: isinstance(sent["row"], dict))
    assert (by_name.form, by_name.routes.batch, by_name.many([ROW])) == ("object", None, None)
    flat = settled({"row": ARRAY}, lambda sent: not isinstance(sent["row"][0], list | dict))
    assert body(flat.one(ROW)) == {"row": [30.5, "gold"]}


def test_features_may_be_the_parameters_themselves() -> None:
    adapter = settled({"age": {"type": "number"}, "plan": {"type": "string"}}, lambda sent: sent == ROW)
    assert body(adapter.one(ROW)) == ROW
    assert adapter.named
    assert adapter.many([ROW]) is None


def test_the_api_is_found_unless_it_is_named() -> None:
    ask = service("/classify", {"input_data": TABLE}, lambda _: True)
    assert settle(adapt(Serving(protocol="bentoml"), NAMES), ask, ROW).api == "/classify"
    named = adapt(Serving(protocol="bentoml", mapping=Mapping(predict="/classify")), NAMES)
    assert settle(named, ask, ROW).api == "/classify"
    silent = settle(named, lambda requests: [reply({}, 404) for _ in requests], ROW)
    assert (silent.api, silent.parameter, silent.form) == ("/classify", "input_data", "lists")


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ([1], Answer(label=1)),
        (["yes"], Answer(label="yes")),
        (3.5, Answer(label=3.5)),
        ([[0.25, 0.75]], Answer(label=1, probability=0.75)),
        (
            {"prediction": "no", "probability": 0.9, "model_version": "2"},
            Answer(label="no", probability=0.9, version="2"),
        ),
        ([{"label": 0}], Answer(label=0)),
        ({"prediction": ["a"], "probability": [0.5]}, Answer(label="a", probability=0.5)),
        ({"result": [2]}, Answer(label=2)),
    ],
)
def test_what_an_api_returns_is_read(said: object, answer: Answer) -> None:
    adapter = adapt(Serving(protocol="bentoml"), NAMES)
    assert adapter.read_one(reply(said)) == answer


def test_several_rows_are_read_in_order() -> None:
    adapter = adapt(Serving(protocol="bentoml"), NAMES)
    assert [one.label for one in adapter.read_many(reply([1, 0]))] == [1, 0]
    table = adapter.read_many(reply({"prediction": ["a", "b"], "probability": [0.5, 0.75]}))
    assert table == [Answer(label="a", probability=0.5), Answer(label="b", probability=0.75)]


@pytest.mark.parametrize("said", [[1, 0], [], {"error": "no"}, [[1, 2]], None])
def test_what_is_no_answer_to_one_row_is_unreadable(said: object) -> None:
    with pytest.raises(Unreadable):
        adapt(Serving(protocol="bentoml"), NAMES).read_one(reply(said))
