"""Clients that others wrote get the answers that the model gives offline."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx2
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tests.serving.conftest import Running
from tests.serving.open_inference.conftest import ROWS, Offline
from tritonclient.utils import InferenceServerException

NAMES = ("age", "income", "children", "city", "employed", "plan")


def tensors(kind: Any, offline: Offline, **more: Any) -> list[Any]:
    """Return one tensor a feature, as a client of tritonclient makes them."""
    inputs = []
    for name, datatype in zip(NAMES, ("FP64", "FP64", "INT64", "BYTES", "BOOL", "BYTES"), strict=True):
        column = offline.frame[name]
        values = column.fillna("\N{EMPTY SET}").to_numpy(object) if datatype == "BYTES" else column.to_numpy()
        one = kind(name, [len(values), 1], datatype)
        one.set_data_from_numpy(values.reshape(-1, 1), **more)
        if name == "city":
            if kind is triton_http.InferInput:
                one._parameters["null"] = "\N{EMPTY SET}"
            else:
                one._get_tensor().parameters["null"].string_param = "\N{EMPTY SET}"
        inputs.append(one)
    return inputs


def check(offline: Offline, labels: Any, probabilities: Any) -> None:
    assert [one.decode() if isinstance(one, bytes) else one for one in labels.ravel().tolist()] == offline.labels
    assert probabilities.shape == offline.probabilities.shape
    np.testing.assert_allclose(probabilities, offline.probabilities, atol=1e-9)


@pytest.fixture
def over_http(spoken: Running) -> Iterator[triton_http.InferenceServerClient]:
    with triton_http.InferenceServerClient(f"127.0.0.1:{spoken.port}") as client:
        yield client


@pytest.fixture
def over_grpc(spoken: Running, grpc_port: int) -> Iterator[triton_grpc.InferenceServerClient]:
    with triton_grpc.InferenceServerClient(f"127.0.0.1:{grpc_port}") as client:
        yield client


@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
def test_triton_over_http_with_binary_tensors(
    spoken: Running, over_http: Any, offline: Offline, compression: str | None
) -> None:
    answer = over_http.infer(
        "churn",
        tensors(triton_http.InferInput, offline),
        headers={"x-api-key": spoken.key},
        request_id="mine",
        request_compression_algorithm=compression,
        response_compression_algorithm=compression,
    )
    check(offline, answer.as_numpy("prediction"), answer.as_numpy("probabilities"))
    assert answer.get_response()["id"] == "mine"
    assert answer.get_response()["model_version"] == "1.2.3"


@pytest.mark.parametrize("binary", [True, False])
def test_triton_over_http_asks_for_outputs_in_either_form(
    spoken: Running, over_http: Any, offline: Offline, binary: bool
) -> None:
    outputs = [
        triton_http.InferRequestedOutput("probabilities", binary_data=binary),
        triton_http.InferRequestedOutput("prediction", binary_data=not binary),
        triton_http.InferRequestedOutput("flags", binary_data=binary),
    ]
    inputs = tensors(triton_http.InferInput, offline)
    answer = over_http.infer("churn", inputs, "1.2.3", outputs, headers={"x-api-key": spoken.key})
    check(offline, answer.as_numpy("prediction"), answer.as_numpy("probabilities"))
    assert [one["name"] for one in answer.get_response()["outputs"]] == ["probabilities", "prediction", "flags"]
    assert answer.as_numpy("flags").shape == (ROWS,)


def test_triton_over_http_with_json(spoken: Running, over_http: Any, offline: Offline) -> None:
    inputs = []
    for name, datatype in zip(NAMES, ("FP64", "FP64", "INT64", "BYTES", "BOOL", "BYTES"), strict=True):
        cells = [None if value != value or value is None else value for value in offline.frame[name].tolist()]
        one = triton_http.InferInput(name, [len(cells)], datatype)
        one._data = cells  # NaN and None are no JSON that the client would make by itself
        inputs.append(one)
    outputs = [triton_http.InferRequestedOutput(name, binary_data=False) for name in ("prediction", "probabilities")]
    answer = over_http.infer("churn", inputs, outputs=outputs, headers={"x-api-key": spoken.key})
    check(offline, answer.as_numpy("prediction"), answer.as_numpy("probabilities"))


def test_triton_over_http_looks_around(spoken: Running, over_http: Any) -> None:
    assert over_http.is_server_live()
    assert over_http.is_server_ready()
    keys = {"x-api-key": spoken.key}
    assert over_http.is_model_ready("churn", headers=keys)
    assert over_http.is_model_ready("churn", "1.2.3", headers=keys)
    assert not over_http.is_model_ready("other", headers=keys)
    assert over_http.get_server_metadata(headers=keys)["extensions"] == ["binary_tensor_data"]
    metadata = over_http.get_model_metadata("churn", headers=keys)
    assert metadata["versions"] == ["1.2.3"]
    assert {one["name"]: one["datatype"] for one in metadata["inputs"]} == {
        "age": "FP64",
        "income": "FP64",
        "children": "INT64",
        "city": "BYTES",
        "employed": "BOOL",
        "plan": "BYTES",
    }


def test_triton_over_http_is_told_what_is_wrong(spoken: Running, over_http: Any, offline: Offline) -> None:
    inputs = tensors(triton_http.InferInput, offline)
    with pytest.raises(InferenceServerException, match="missing"):
        over_http.infer("churn", inputs[:-1], headers={"x-api-key": spoken.key})
    with pytest.raises(InferenceServerException, match="no such route"):
        over_http.infer("other", inputs, headers={"x-api-key": spoken.key})
    with pytest.raises(InferenceServerException, match="API key"):
        over_http.infer("churn", inputs)


def test_triton_over_grpc(spoken: Running, over_grpc: Any, offline: Offline) -> None:
    answer = over_grpc.infer(
        "churn",
        tensors(triton_grpc.InferInput, offline),
        headers={"x-api-key": spoken.key},
        request_id="mine",
        client_timeout=20,
    )
    check(offline, answer.as_numpy("prediction"), answer.as_numpy("probabilities"))
    assert answer.get_response().id == "mine"


def test_triton_over_grpc_looks_around(spoken: Running, over_grpc: Any) -> None:
    assert over_grpc.is_server_live()
    assert over_grpc.is_server_ready()
    keys = {"x-api-key": spoken.key}
    assert over_grpc.is_model_ready("churn", "1.2.3", headers=keys)
    assert over_grpc.get_server_metadata(headers=keys).name == "sekisho"
    metadata = over_grpc.get_model_metadata("churn", headers=keys)
    assert [one.name for one in metadata.inputs] == list(NAMES)
    with pytest.raises(InferenceServerException, match="no such model"):
        over_grpc.get_model_metadata("other", headers=keys)
    with pytest.raises(InferenceServerException, match="API key"):
        over_grpc.get_server_metadata()


def test_plain_http(spoken: Running, offline: Offline) -> None:
    inputs = [
        {
            "name": name,
            "shape": [ROWS],
            "datatype": datatype,
            "data": [None if value is None or value != value else value for value in offline.frame[name].tolist()],
        }
        for name, datatype in zip(NAMES, ("FP32", "FP64", "INT32", "BYTES", "BOOL", "BYTES"), strict=True)
    ]
    answer = httpx2.post(
        f"{spoken.url}/v2/models/churn/versions/1.2.3/infer",
        json={"inputs": inputs},
        headers={"x-api-key": spoken.key or ""},
    )
    by_name = {one["name"]: one for one in answer.json()["outputs"]}
    probabilities = np.array(by_name["probabilities"]["data"]).reshape(by_name["probabilities"]["shape"])
    check(offline, np.array(by_name["prediction"]["data"], dtype=object), probabilities)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(spoken: Running) -> None:
    body = (
        '{"inputs": [{"name": "age", "shape": [1], "datatype": "FP64", "data": [40]},'
        '{"name": "income", "shape": [1], "datatype": "FP64", "data": [null]},'
        '{"name": "children", "shape": [1], "datatype": "INT64", "data": [2]},'
        '{"name": "city", "shape": [1], "datatype": "BYTES", "data": ["Kyoto"]},'
        '{"name": "employed", "shape": [1], "datatype": "BOOL", "data": [true]},'
        '{"name": "plan", "shape": [1], "datatype": "BYTES", "data": ["basic"]}]}'
    )
    command = ["curl", "-sf", f"{spoken.url}/v2/models/churn/infer", "-H", f"X-API-Key: {spoken.key}", "--json", body]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert '"prediction"' in ended.stdout
