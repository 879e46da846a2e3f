"""Protocols: rows become requests, replies become answers, and what cannot be read is said so."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from sekisho import shelf
from sekisho.contract.sections import Mapping, Serving
from sekisho.probes.adapters.interface import Adapter, Answer, Speech, Unreadable
from sekisho.probes.wire.message import Reply, Request

NAMES = ("age", "plan")
ROW = {"age": 30, "plan": "gold"}
SPEECHES = shelf.units("sekisho.probes.adapters", Speech)


def adapter(protocol: str, **mapping: object) -> Adapter:
    serving = Serving(protocol=protocol, mapping=msgspec.convert(mapping, Mapping))
    return SPEECHES[protocol].adapt(serving, NAMES)


def body(request: Request | None) -> object:
    assert request is not None
    assert ("Content-Type", "application/json") in request.headers
    return msgspec.json.decode(request.body)


def reply(value: object) -> Reply:
    return Reply(status=200, headers={"content-type": "application/json"}, body=msgspec.json.encode(value))


def test_every_protocol_of_the_contract_is_there() -> None:
    assert set(SPEECHES) == {"bentoml", "invocations", "mapping", "native", "oip"}


def test_native_rows_go_by_name_and_by_position() -> None:
    native = adapter("native")
    assert body(native.one(ROW)) == {"features": ROW}
    assert body(native.one({"plan": "gold", "age": 30}, positional=True)) == {"features": [30, "gold"]}
    assert body(native.many([ROW, ROW])) == [{"features": ROW}] * 2
    assert body(native.invocation([{"plan": "gold", "age": 30}])) == {
        "dataframe_split": {"columns": ["age", "plan"], "data": [[30, "gold"]]}
    }


def test_the_order_of_named_features_is_that_of_the_row() -> None:
    assert adapter("native").one({"plan": "gold", "age": 30}).body == b'{"features":{"plan":"gold","age":30}}'
    named = adapter("mapping", request='{"data": "{named}"}')
    assert named.one({"plan": "gold", "age": 30}).body == b'{"data": {"plan":"gold","age":30}}'


def test_bytes_stand_as_they_are() -> None:
    assert adapter("native").one({"age": msgspec.Raw(b"NaN")}).body == b'{"features":{"age":NaN}}'
    listed = adapter("mapping")
    assert listed.one({"age": msgspec.Raw(b"1e999"), "plan": None}).body == b'{"features": [1e999,null]}'


def test_a_mapped_row_is_listed_in_the_order_of_the_signature_with_what_is_too_much_at_the_end() -> None:
    listed = adapter("mapping", request='{"x": [ "{features}" ]}')
    assert body(listed.one({"plan": "gold", "age": 30, "unknown": 1})) == {"x": [[30, "gold", 1]]}
    assert body(listed.one({"plan": "gold"})) == {"x": [["gold"]]}
    assert listed.many([ROW]) is None
    assert body(adapter("mapping", batch="/batch").many([ROW, ROW])) == [{"features": [30, "gold"]}] * 2


@pytest.mark.parametrize(
    ("protocol", "mapping", "said", "answer"),
    [
        (
            "native",
            {},
            {
                "prediction": "yes",
                "probability": 0.75,
                "probabilities": {"no": 0.25, "yes": 0.75},
                "model_version": "1.1.0",
                "flags": ["age: out of range"],
            },
            Answer(
                label="yes",
                probability=0.75,
                probabilities={"no": 0.25, "yes": 0.75},
                version="1.1.0",
                flags=("age: out of range",),
            ),
        ),
        ("native", {}, {"prediction": 3.5, "probability": None}, Answer(label=3.5)),
        ("mapping", {"label": "result.0.label"}, {"result": [{"label": 1}]}, Answer(label=1)),
        (
            "mapping",
            {"label": "y", "probability": "p.1"},
            {"y": True, "p": [0.1, 0.9], "version": "2", "warnings": {"age": "high", "plan": None}},
            Answer(label=True, probability=0.9, version="2", flags=("age",)),
        ),
        ("mapping", {}, 4, Answer(label=4)),
        ("invocations", {}, {"predictions": [1]}, Answer(label=1)),
        ("invocations", {}, [["no"]], Answer(label="no")),
        ("invocations", {}, {"predictions": [{"predicted_label": 0, "score": 0.2}]}, Answer(label=0)),
    ],
)
def test_an_answer_is_read(protocol: str, mapping: dict[str, object], said: object, answer: Answer) -> None:
    assert adapter(protocol, **mapping).read_one(reply(said)) == answer


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        ("native", {}),
        ("native", {"prediction": None}),
        ("native", {"prediction": [1]}),
        ("mapping", {"detail": "no"}),
        ("mapping", {"prediction": {"a": 1}}),
        ("invocations", {"predictions": [1, 2]}),
        ("invocations", {"predictions": {"a": 1}}),
        ("invocations", {"predictions": [{"other": 1}]}),
    ],
)
def test_what_is_no_answer_is_unreadable(protocol: str, said: object) -> None:
    with pytest.raises(Unreadable):
        adapter(protocol).read_one(reply(said))


def test_a_batch_is_read_in_order() -> None:
    several = [{"prediction": 1}, {"prediction": 0}]
    expected = [Answer(label=1), Answer(label=0)]
    assert adapter("native").read_many(reply({"count": 2, "predictions": several})) == expected
    assert adapter("mapping", batch="/b").read_many(reply({"count": 2, "results": several})) == expected
    assert adapter("mapping", batch="/b").read_many(reply(several)) == expected
    assert adapter("invocations").read_many(reply({"predictions": [1, 0]})) == expected
    for protocol in SPEECHES:
        with pytest.raises(Unreadable):
            adapter(protocol, batch="/b").read_many(reply({"count": 2}))


@pytest.mark.parametrize("form", ["dataframe_split", "dataframe_records", "instances"])
def test_invocations_are_written_as_the_container_takes_them(form: str) -> None:
    settle = SPEECHES["invocations"].settle
    assert settle is not None

    def container(requests: Sequence[Request]) -> list[Reply]:
        taken = [form in msgspec.json.decode(request.body) for request in requests]
        return [Reply(status=200 if each else 400, headers={}, body=b"[1]") for each in taken]

    settled = settle(adapter("invocations"), container, ROW)
    expected: dict[str, object] = {
        "dataframe_split": {"columns": ["plan", "age"], "data": [["gold", 30]]},
        "dataframe_records": [{"plan": "gold", "age": 30}],
        "instances": [[30, "gold"]],
    }
    assert body(settled.one({"plan": "gold", "age": 30})) == {form: expected[form]}
    assert settled.named is (form != "instances")
    silent = settle(
        adapter("invocations"), lambda requests: [Reply(status=503, headers={}, body=b"")] * len(requests), ROW
    )
    assert "dataframe_split" in str(body(silent.one(ROW)))
