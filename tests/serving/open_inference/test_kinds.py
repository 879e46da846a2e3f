"""Requests of the kinds that other servers of the protocol are tested with: what their clients send is answered, or refused for its reason."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.serving.conftest import Running, serving
from tests.serving.open_inference.test_rules import GOOD, PATH, asking, binary, changed, code

from sekisho.artifact.artifact import ModelArtifact

FLOWER = [5.1, 3.5, 1.4, 0.2]
OTHER = [6.7, 3.0, 5.2, 2.3]
IRIS = "/v2/models/iris/infer"


@pytest.fixture(scope="module")
def iris(iris_artifact: Path) -> Iterator[Running]:
    with serving(iris_artifact) as running:
        yield running


@pytest.fixture(scope="module")
def flowers(iris_artifact: Path) -> list[int]:
    artifact = ModelArtifact.load(iris_artifact)
    answers: list[int] = artifact.predict(np.array([FLOWER, OTHER])).values.tolist()
    return answers


def matrix(**members: Any) -> dict[str, Any]:
    one = {"name": "input-0", "shape": [2, 4], "datatype": "FP32", "data": [FLOWER, OTHER], **members}
    return {"inputs": [one]}


@pytest.mark.parametrize(
    "body",
    [
        matrix(),
        matrix(data=[*FLOWER, *OTHER]),
        matrix(datatype="FP64"),
        matrix(name="predict"),
        matrix(parameters={"content_type": "np"}),
        matrix(parameters={"content_type": "np", "anything": [1, {"x": None}]}),
        matrix(parameters=None),
        {**matrix(), "parameters": {"content_type": "np", "headers": {"a": "b"}}},
        {**matrix(), "parameters": None},
        {**matrix(), "outputs": []},
        {**matrix(), "outputs": None},
        {**matrix(), "outputs": [{"name": "prediction", "parameters": {"content_type": "np"}}]},
        {**matrix(), "id": None},
        {**matrix(), "id": ""},
        {**matrix(), "id": "日本-😁"},
        {**matrix(), "model_name": "iris", "model_version": "1"},
        {**matrix(), "model_name": None},
    ],
    ids=lambda body: json.dumps(body)[:80],
)
def test_one_tensor_for_all(iris: Running, flowers: list[int], body: dict[str, Any]) -> None:
    answer = iris.ask(IRIS, body)
    assert answer.status == 200, answer.body
    told = answer.json()
    assert told["outputs"][0]["data"] == flowers
    assert told["outputs"][0]["shape"] == [2]
    assert told["model_name"] == "iris"
    assert told["id"] == (body.get("id") or told["parameters"]["request_id"])


def test_a_tensor_a_feature_with_what_pandas_codecs_say(spoken: Running) -> None:
    body = {**asking(), "parameters": {"content_type": "pd"}}
    for one in body["inputs"]:
        one["parameters"] = {"content_type": "str" if one["datatype"] == "BYTES" else "np"}
    plain = spoken.ask(PATH, asking())
    answer = spoken.ask(PATH, body)
    assert answer.status == 200
    assert answer.json()["outputs"] == plain.json()["outputs"]
    for one in body["inputs"]:
        one["shape"], one["data"] = [1, 1], [one["data"]]
    assert spoken.ask(PATH, body).json()["outputs"] == plain.json()["outputs"]


@pytest.mark.parametrize(
    ("datatype", "dtype", "value"),
    [
        ("UINT8", "<u1", 4), ("UINT16", "<u2", 4), ("UINT32", "<u4", 4), ("UINT64", "<u8", 4),
        ("INT8", "<i1", 4), ("INT16", "<i2", 4), ("INT32", "<i4", 4), ("INT64", "<i8", 4),
        ("FP16", "<f2", 4.5), ("FP32", "<f4", 4.5), ("FP64", "<f8", 4.5),
    ],
)  # fmt: skip
def test_every_width_of_number(iris: Running, datatype: str, dtype: str, value: float) -> None:
    body = matrix(shape=[1, 4], datatype=datatype, data=[value] * 4)
    expected = iris.ask(IRIS, matrix(shape=[1, 4], datatype="FP64", data=[value] * 4)).json()["outputs"]
    assert iris.ask(IRIS, body).json()["outputs"] == expected
    content, headers = binary({"input-0": (datatype, [1, 4], np.full(4, value, dtype=dtype).tobytes())})
    assert iris.ask(IRIS, content, headers=headers).json()["outputs"] == expected


def test_the_upper_half_of_a_float(iris: Running) -> None:
    """BF16 is FP32 without its lower half: 4.5 has the same bits in both."""
    expected = iris.ask(IRIS, matrix(shape=[1, 4], datatype="FP64", data=[4.5] * 4)).json()["outputs"]
    half = struct.pack("<f", 4.5)[2:]
    content, headers = binary({"input-0": ("BF16", [1, 4], half * 4)})
    assert iris.ask(IRIS, content, headers=headers).json()["outputs"] == expected
    assert iris.ask(IRIS, matrix(shape=[1, 4], datatype="BF16", data=[4.5] * 4)).json()["outputs"] == expected
    content, headers = binary({"input-0": ("BF16", [1, 4], half * 3)})
    assert iris.ask(IRIS, content, headers=headers).json()["code"] == "malformed_tensor"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (matrix(shape=[0, 4], data=[]), "no_rows"),
        (matrix(shape=[2, 0], data=[]), "wrong_count"),
        (matrix(shape=[8], data=[*FLOWER, *OTHER]), "unknown_feature"),
        (matrix(shape=[2, 2, 2]), "unknown_feature"),
        (matrix(shape=[2, 4], data=[FLOWER]), "malformed_tensor"),
        (matrix(data=[FLOWER, OTHER[:3]]), "malformed_tensor"),
        (matrix(data=[[FLOWER, OTHER]]), "wrong_type"),
        (matrix(data=5.1), "wrong_type"),
        (matrix(data={"0": FLOWER}), "wrong_type"),
        (matrix(data=None), "missing_field"),
        (matrix(data=["5.1"] * 8), "wrong_type"),
        (matrix(datatype="float32"), "wrong_type"),
        (matrix(datatype="fp32"), "wrong_type"),
        (matrix(datatype="STRING"), "wrong_type"),
        (matrix(datatype="BYTES", data=["a"] * 8), "wrong_type"),
        (matrix(datatype="INT32"), "wrong_type"),
        (matrix(shape="2,4"), "wrong_type"),
        (matrix(parameters=[]), "wrong_type"),
        ({**matrix(), "parameters": "np"}, "wrong_type"),
        ({**matrix(), "model_name": 3}, "wrong_type"),
        ({**matrix(), "raw_output": True}, "unknown_field"),
        ({**matrix(), "outputs": [{"name": "predict"}]}, "unknown_field"),
        ({**matrix(), "outputs": [{}]}, "missing_field"),
        ({"instances": [FLOWER]}, "unknown_field"),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value)[:60],
)
def test_what_is_refused_for_its_reason(iris: Running, body: Any, expected: str) -> None:
    assert code(iris.ask(IRIS, body)) == expected


@pytest.mark.parametrize("data", [["Kyoto"], [["Kyoto"]]])
def test_strings_by_json(spoken: Running, data: Any) -> None:
    shape = [1] if isinstance(data[0], str) else [1, 1]
    answer = spoken.ask(PATH, changed("city", data=data, shape=shape))
    assert answer.json()["outputs"] == spoken.ask(PATH, asking(city=GOOD["city"])).json()["outputs"]
    assert code(spoken.ask(PATH, changed("city", data=[7]))) == "wrong_type"
    assert code(spoken.ask(PATH, changed("city", data=[True]))) == "wrong_type"
