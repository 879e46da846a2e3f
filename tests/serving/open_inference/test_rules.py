"""A row that the native route refuses is refused here, with the same code; what is unusual is flagged; everything is booked and counted."""

from __future__ import annotations

import json
import struct
import time
from typing import Any

import grpc
import pytest
from tests.serving.conftest import Running, until

from sekisho.ledger.predictions import PredictionBook
from sekisho.serving.grpc.messages import messages

GOOD: dict[str, Any] = {"age": 40.0, "income": None, "children": 2, "city": "Kyoto", "employed": True, "plan": "basic"}
DATATYPES = {"age": "FP64", "income": "FP64", "children": "INT64", "city": "BYTES", "employed": "BOOL", "plan": "BYTES"}
PATH = "/v2/models/churn/infer"


def tensor(name: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": [1], "datatype": DATATYPES[name], "data": [value], **more}


def asking(**cells: Any) -> dict[str, Any]:
    return {"inputs": [tensor(name, value) for name, value in {**GOOD, **cells}.items()]}


def changed(which: str, /, **members: Any) -> dict[str, Any]:
    """Return a request in which one tensor is something else; a member that is ``...`` is missing."""
    whole = asking()
    for one in whole["inputs"]:
        if one["name"] == which:
            one.update(members)
            for member in [member for member, value in one.items() if value is ...]:
                del one[member]
    return whole


def code(answer: Any) -> str:
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert told["status"] == answer.status
    assert isinstance(told["error"], str)
    assert len(answer.body) < 4096
    return str(told["code"])


@pytest.mark.parametrize(
    ("cells", "native"),
    [
        ({"age": None}, "null_not_allowed"),
        ({"age": True}, "wrong_type"),
        ({"age": "40"}, "wrong_type"),
        ({"age": [1.0]}, "wrong_type"),
        ({"age": {}}, "wrong_type"),
        ({"age": 2**53 + 1}, "not_exact"),
        ({"age": 1e300}, "not_finite"),
        ({"children": 2.5}, "wrong_type"),
        ({"children": 2**53 + 1}, "not_exact"),
        ({"children": 2**63}, "not_exact"),
        ({"children": 7}, "out_of_range"),
        ({"employed": 1}, "wrong_type"),
        ({"city": 3}, "wrong_type"),
        ({"city": "x" * 20_000}, "too_long"),
        ({"plan": "<script>alert(1)</script>"}, "unseen_category"),
        ({"plan": None}, "null_not_allowed"),
    ],
    ids=str,
)
def test_a_row_that_native_refuses_is_refused(spoken: Running, cells: dict[str, Any], native: str) -> None:
    (name,) = cells
    assert spoken.predict({**GOOD, **cells}).code == native
    answer = spoken.ask(PATH, asking(**cells))
    # A whole number of more than 64 bits does not fit its datatype before it is anything else.
    assert code(answer) in {native, "wrong_type"}
    if code(answer) == native:
        assert answer.json()["field"] == name
    many = asking(**cells)
    for one in many["inputs"]:
        one["shape"], one["data"] = [40, 1], [GOOD[one["name"]]] * 39 + one["data"]
    many_answer = spoken.ask(PATH, many)
    assert code(many_answer) == code(answer)
    if cells.get("children") != 2**63:
        assert many_answer.json()["row"] == 39


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"null", "wrong_type"),
        (b"[]", "wrong_type"),
        (b"{}", "missing_field"),
        ({"inputs": []}, "missing_field"),
        ({"inputs": {}}, "wrong_type"),
        ({"inputs": [3]}, "wrong_type"),
        ({**asking(), "x": 1}, "unknown_field"),
        ({**asking(), "id": 3}, "wrong_type"),
        ({**asking(), "id": "x" * 5_000}, "too_long"),
        ({**asking(), "outputs": [{"name": "nothing"}]}, "unknown_field"),
        ({**asking(), "outputs": [{"name": "prediction"}, {"name": "prediction"}]}, "unknown_field"),
        ({**asking(), "outputs": [{"name": "prediction", "parameters": {"classification": 1}}]}, "unknown_field"),
        ({"inputs": asking()["inputs"][1:]}, "missing_feature"),
        ({"inputs": [*asking()["inputs"], tensor("age", 1.0)]}, "duplicate_key"),
        (changed("age", name="height"), "unknown_feature"),
        (changed("age", x=1), "unknown_field"),
        (changed("age", data=...), "missing_field"),
        (changed("age", shape=...), "missing_field"),
        (changed("age", shape=[2]), "malformed_tensor"),
        (changed("age", shape=[1, 2]), "wrong_count"),
        (changed("age", shape=[-1]), "wrong_count"),
        (changed("age", shape=[]), "wrong_count"),
        (changed("age", shape=[2**62, 4]), "wrong_count"),
        (changed("age", shape=[10**30]), "wrong_count"),
        (changed("age", shape=["1"]), "wrong_count"),
        (changed("age", shape=[2], data=[1.0, 2.0]), "wrong_count"),
        (changed("age", shape=[0], data=[]), "no_rows"),
        (changed("age", shape=[3_000], data=[1.0] * 3_000), "too_many_rows"),
        (changed("age", datatype="FP8"), "wrong_type"),
        (changed("age", datatype="BYTES", data=["40"]), "wrong_type"),
        (changed("age", datatype="INT8", data=[300]), "wrong_type"),
        (changed("age", datatype="UINT8", data=[-1]), "wrong_type"),
        (changed("age", parameters={"shared_memory_region": "r"}), "unknown_field"),
        (changed("age", parameters={"binary_data_size": 8}), "malformed_tensor"),
        (changed("age", data=[[[1.0]]]), "wrong_type"),
        (json.dumps(asking()).encode().replace(b'"shape": [1]', b'"shape": [1], "shape": [1]', 1), "duplicate_key"),
        ({"inputs": [{"name": "all", "shape": [1, 6], "datatype": "FP64", "data": [1.0] * 6}]}, "wrong_type"),
        ({"inputs": [{"name": "all", "shape": [1, 5], "datatype": "FP64", "data": [1.0] * 5}]}, "wrong_count"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_request_is_refused(spoken: Running, body: Any, expected: str) -> None:
    assert code(spoken.ask(PATH, body)) == expected


def binary(parts: dict[str, tuple[str, list[int], bytes]], **top: Any) -> tuple[bytes, dict[str, str]]:
    """Return a body with binary tensors, and its header."""
    inputs = [
        {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(data)}}
        for name, (datatype, shape, data) in parts.items()
    ]
    text = json.dumps({"inputs": inputs, **top}).encode()
    body = text + b"".join(data for _, _, data in parts.values())
    return body, {"inference-header-content-length": str(len(text)), "content-type": "application/octet-stream"}


def string(word: bytes) -> bytes:
    return struct.pack("<I", len(word)) + word


PARTS: dict[str, tuple[str, list[int], bytes]] = {
    "age": ("FP32", [1], struct.pack("<f", 40.0)),
    "income": ("FP16", [1, 1], struct.pack("<e", float("nan"))),
    "children": ("UINT8", [1], b"\x02"),
    "city": ("BYTES", [1], string(b"Kyoto")),
    "employed": ("BOOL", [1], b"\x01"),
    "plan": ("BYTES", [1], string(b"basic")),
}


def test_data_may_be_nested_as_its_shape_is(spoken: Running) -> None:
    body = asking()
    for one in body["inputs"]:
        one["shape"], one["data"] = [2, 1], [one["data"], one["data"]]
    spaced = json.dumps(body, indent=1).encode()
    assert spoken.ask(PATH, body).json()["outputs"] == spoken.ask(PATH, spaced).json()["outputs"]


def test_binary_tensors_of_many_datatypes_are_the_same_row(spoken: Running) -> None:
    body, headers = binary(PARTS)
    whole = spoken.ask(PATH, body, headers=headers)
    assert whole.status == 200, whole
    by_name = {one["name"]: one["data"] for one in whole.json()["outputs"]}
    native = spoken.predict(GOOD).json()
    assert by_name["prediction"] == [native["prediction"]]
    assert by_name["probabilities"] == pytest.approx(list(native["probabilities"].values()))


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"age": ("FP32", [1], struct.pack("<f", float("inf")))}, "not_finite"),
        ({"age": ("FP32", [1], struct.pack("<f", float("nan")))}, "null_not_allowed"),
        ({"age": ("FP32", [1], b"\0" * 3)}, "malformed_tensor"),
        ({"age": ("FP32", [2**40], b"\0" * 4)}, "malformed_tensor"),
        ({"children": ("FP32", [1], struct.pack("<f", 2.5))}, "wrong_type"),
        ({"children": ("UINT64", [1], struct.pack("<Q", 2**63))}, "not_exact"),
        ({"children": ("INT64", [1], struct.pack("<q", 9))}, "out_of_range"),
        ({"employed": ("BOOL", [1], b"\x02")}, "malformed_tensor"),
        ({"city": ("BYTES", [1], struct.pack("<I", 2**31) + b"x")}, "malformed_tensor"),
        ({"city": ("BYTES", [1], string(b"\xff"))}, "malformed_tensor"),
        ({"city": ("BYTES", [1], string(b"a") + string(b"b"))}, "malformed_tensor"),
        ({"city": ("BYTES", [1], b"")}, "malformed_tensor"),
        ({"city": ("BYTES", [1], string(b"x" * 20_000))}, "too_long"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_binary_tensors_that_do_not_fit_are_refused(
    spoken: Running, part: dict[str, tuple[str, list[int], bytes]], expected: str
) -> None:
    body, headers = binary({**PARTS, **part})
    assert code(spoken.ask(PATH, body, headers=headers)) == expected


@pytest.mark.parametrize("prefix", ["5", "9999999", "0", "-1", "x", ""])
def test_a_wrong_length_of_the_json_part_is_refused(spoken: Running, prefix: str) -> None:
    body, headers = binary(PARTS)
    answer = spoken.ask(PATH, body, headers={**headers, "inference-header-content-length": prefix})
    assert code(answer) in {"malformed_json", "malformed_tensor", "malformed_http"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"content-type": "text/plain"}, "unsupported_media_type"),
        ({"content-type": "application/python-pickle"}, "unsupported_media_type"),
        ({"content-type": "application/json; charset=utf-16"}, "unsupported_media_type"),
        ({"content-encoding": "br"}, "unsupported_encoding"),
    ],
)
def test_other_bodies_are_refused(spoken: Running, headers: dict[str, str], expected: str) -> None:
    assert code(spoken.ask(PATH, asking(), headers=headers)) == expected


def test_an_answer_says_everything_and_is_booked_counted_and_flagged(spoken: Running) -> None:
    before = spoken.metric("ml_predictions_total", status="success")
    flags = spoken.metric("ml_prediction_flags_total", feature="age", flag="out_of_range")
    request_id = f"oip-{time.monotonic_ns()}"
    answer = spoken.ask(PATH, {"id": "七", **asking(age=200.0)}, headers={"x-request-id": request_id})
    told = answer.json()
    assert (told["model_name"], told["model_version"], told["id"]) == ("churn", "1.2.3", "七")
    assert told["parameters"]["request_id"] == request_id
    assert [one["name"] for one in told["outputs"]] == ["prediction", "probabilities", "flags"]
    assert told["outputs"][2]["data"] == ["out_of_range:age"]
    assert spoken.metric("ml_predictions_total", status="success") == before + 1
    assert spoken.metric("ml_prediction_flags_total", feature="age", flag="out_of_range") == flags + 1
    assert spoken.metric("ml_http_requests_total", route=PATH, status="200") >= 1
    assert spoken.ledger is not None
    with PredictionBook(spoken.ledger) as book:
        (record,) = until(lambda: book.find(request_id), 5)
    assert record.features == {**{name: value for name, value in GOOD.items() if name != "income"}, "age": 200.0}
    assert record.flags == ("out_of_range:age",)


def test_rows_that_came_as_columns_are_booked_as_they_are(spoken: Running) -> None:
    request_id = f"oip-{time.monotonic_ns()}"
    many = {name: (datatype, [20, *shape[1:]], data * 20) for name, (datatype, shape, data) in PARTS.items()}
    body, headers = binary(many)
    assert spoken.ask(PATH, body, headers={**headers, "x-request-id": request_id}).status == 200
    assert spoken.ledger is not None
    with PredictionBook(spoken.ledger) as book:
        records = until(lambda: book.find(request_id), 5)
    assert len(records) == 20
    assert records[7].features == {name: value for name, value in GOOD.items() if name != "income"}


def test_without_an_id_the_request_id_stands_for_it(spoken: Running) -> None:
    answer = spoken.ask(PATH, asking())
    assert answer.json()["id"] == answer.headers["x-request-id"]


def test_only_what_needs_no_key_is_told_without_one(spoken: Running) -> None:
    assert spoken.ask("/v2/health/live", key="wrong").status == 200
    assert spoken.ask("/v2/health/ready", key="wrong").json() == {"ready": True}
    for path in ("/v2", "/v2/models/churn", "/v2/models/churn/ready"):
        assert spoken.ask(path).status == 200
        assert code(spoken.ask(path, key="wrong")) == "key_unknown"
    assert code(spoken.ask("/v2/models/other")) == "not_found"
    assert code(spoken.ask("/v2/models/churn/versions/9/infer", asking())) == "not_found"
    assert code(spoken.ask(PATH, method="GET")) == "method_not_allowed"


# Over gRPC


@pytest.fixture(scope="module")
def infer(spoken: Running, grpc_port: int) -> Any:
    kinds = messages()
    with grpc.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
        yield channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer",
            request_serializer=lambda message: message if isinstance(message, bytes) else message.SerializeToString(),
            response_deserializer=kinds["ModelInferResponse"].FromString,
        )


def message(**cells: Any) -> Any:
    request = messages()["ModelInferRequest"](model_name="churn")
    fields = {"FP64": "fp64_contents", "INT64": "int64_contents", "BOOL": "bool_contents", "BYTES": "bytes_contents"}
    for name, value in {**GOOD, "income": float("nan"), **cells}.items():
        one = request.inputs.add(name=name, datatype=DATATYPES[name], shape=[1])
        getattr(one.contents, fields[DATATYPES[name]]).append(value.encode() if isinstance(value, str) else value)
    return request


def refused(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    trailers = dict(caught.value.trailing_metadata() or ())
    return caught.value.code(), str(trailers.get("code", ""))


def test_grpc_answers_contents_with_contents(spoken: Running, infer: Any) -> None:
    answer = infer(message(), metadata=(("x-api-key", spoken.key),), timeout=10)
    assert [one.name for one in answer.outputs] == ["prediction", "probabilities"]
    assert answer.outputs[0].contents.bytes_contents == [spoken.predict(GOOD).json()["prediction"].encode()]
    assert answer.parameters["request_id"].string_param == answer.id


def test_grpc_refuses_what_native_refuses(spoken: Running, infer: Any) -> None:
    metadata = (("x-api-key", spoken.key),)
    status = grpc.StatusCode
    before = spoken.metric("ml_predictions_total", status="rejected")
    for cells, expected in (
        ({"children": 7}, "out_of_range"),
        ({"plan": "gold"}, "unseen_category"),
        ({"age": float("inf")}, "not_finite"),
        ({"age": float("nan")}, "null_not_allowed"),
        ({"city": "x" * 20_000}, "too_long"),
    ):
        request = message(**cells)
        assert refused(lambda: infer(request, metadata=metadata)) == (status.INVALID_ARGUMENT, expected)  # noqa: B023
    assert spoken.metric("ml_predictions_total", status="rejected") == before + 5
    other = message()
    other.model_name = "other"
    assert refused(lambda: infer(other, metadata=metadata)) == (status.NOT_FOUND, "not_found")
    odd = message()
    odd.inputs[0].datatype = "FP32"  # but its contents are of 64 bits
    assert refused(lambda: infer(odd, metadata=metadata)) == (status.INVALID_ARGUMENT, "malformed_tensor")
    assert refused(lambda: infer(b"\xff\xff\xff", metadata=metadata)) == (status.INVALID_ARGUMENT, "malformed_tensor")
    raw = message()
    raw.raw_input_contents.append(b"x")
    assert refused(lambda: infer(raw, metadata=metadata)) == (status.INVALID_ARGUMENT, "malformed_tensor")


def test_grpc_needs_a_key_and_keeps_limits(spoken: Running, infer: Any) -> None:
    status = grpc.StatusCode
    assert refused(lambda: infer(message())) == (status.UNAUTHENTICATED, "key_missing")
    assert refused(lambda: infer(message(), metadata=(("x-api-key", "wrong"),)))[0] == status.UNAUTHENTICATED
    large = message()
    large.inputs[0].contents.fp64_contents.extend([1.0] * 2_000_000)
    assert refused(lambda: infer(large, metadata=(("x-api-key", spoken.key),)))[0] == status.RESOURCE_EXHAUSTED
    assert spoken.ask("/health").status == 200
