"""What KServe's own client does with a service; run by an interpreter that has it: ``kserve_client.py URL GRPC MODEL KEY ROWS``."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest  # type: ignore[import-not-found]
from kserve.inference_client import RESTConfig  # type: ignore[import-not-found]


def inputs(rows: dict[str, list[Any]], *, binary: bool) -> list[Any]:
    found = []
    for name, (datatype, dtype) in {
        "age": ("FP64", np.float64), "income": ("FP64", np.float64), "children": ("INT64", np.int64),
        "city": ("BYTES", np.object_), "employed": ("BOOL", np.bool_), "plan": ("BYTES", np.object_),
    }.items():  # fmt: skip
        values: Any = np.array(rows[name], dtype=dtype).reshape(-1, 1)
        one = InferInput(name, list(values.shape), datatype)
        one.set_data_from_numpy(values, binary_data=binary)
        found.append(one)
    return found


def told(answer: Any) -> dict[str, Any]:
    outputs = {one.name: one.as_numpy() for one in answer.outputs}
    return {
        "id": answer.id,
        "model": answer.model_name,
        "labels": [one.decode() if isinstance(one, bytes) else one for one in outputs["prediction"].ravel().tolist()],
        "probabilities": outputs["probabilities"].tolist(),
    }


async def main() -> None:
    url, grpc, model, key, text = sys.argv[1:]
    rows = json.loads(text)
    found: dict[str, Any] = {}
    client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=20, retries=0))
    headers = {"x-api-key": key}
    for binary in (False, True):
        request = InferRequest(
            model, inputs(rows, binary=binary), request_id="mine", parameters={"binary_data_output": binary}
        )
        answer = await client.infer(url, request, model_name=model, headers=headers)
        found["binary" if binary else "json"] = told(answer)
    found["ready"] = await client.is_server_ready(url, headers=headers)
    found["live"] = await client.is_server_live(url, headers=headers)
    found["model_ready"] = await client.is_model_ready(url, model, headers=headers)
    caller = InferenceGRPCClient(grpc, timeout=20, retries=0)
    metadata = [("x-api-key", key)]
    for binary in (False, True):
        request = InferRequest(model, inputs(rows, binary=binary), request_id="mine")
        found["grpc-binary" if binary else "grpc"] = told(await caller.infer(request, headers=metadata))
    found["grpc-ready"] = await caller.is_model_ready(model, headers=metadata)
    await client.close()
    await caller.close()
    print(json.dumps(found))


asyncio.run(main())
