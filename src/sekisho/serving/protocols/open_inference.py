"""The Open Inference Protocol (version 2) over REST, with the binary tensor extension.

Sources: the OpenAPI document of the protocol's data plane (KServe), and "Binary Tensor Data Extension" (Triton Inference Server). Below
``/v2``, errors hold a sentence as ``error``, and besides it what all our problems hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from sekisho.serving.http.codings import CODINGS
from sekisho.serving.open_inference import asking, metadata
from sekisho.serving.open_inference.answering import FLAGS, Answerer, parameters_of, tensors_of
from sekisho.serving.open_inference.datatypes import DTYPES, KNOWN, of_predictions, usual
from sekisho.serving.open_inference.tensors import TensorReader
from sekisho.serving.protocols.interface import (
    JSON,
    Form,
    Model,
    Notice,
    Offer,
    Question,
    Reach,
    Reply,
    Route,
    WireProtocol,
    Written,
)
from sekisho.serving.schema import example_cell
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BINARY: Final = "application/octet-stream"
_PREFIX: Final = b"inference-header-content-length"


class _Infer(Route):
    # Triton's own client says nothing of what it sends.
    offer = Offer(media_types=(JSON, BINARY), codings=CODINGS, untyped=JSON, packs=True)

    def __init__(self, model: Model, path: str, reach: Reach) -> None:
        self.path = path
        self.reach = reach
        self._model = model
        self._tensors = TensorReader(model)
        self._answerer = Answerer(model.signature)
        self._encoder = msgspec.json.Encoder()

    def read(self, body: bytes, form: Form) -> Question:
        asked = asking.read(body, form.prefix)
        wish = self._answerer.wish(asked)
        return Question(rows=self._tensors.rows(asked.tensors), wish=wish, seconds=_seconds(asked.parameters))

    def write(self, reply: Reply, question: Question) -> bytes | Written:
        wish = question.wish
        outputs: list[dict[str, Any]] = []
        binary: list[bytes] = []
        for one in self._answerer.outputs(reply, wish):
            described: dict[str, Any] = {"name": one.name, "datatype": one.datatype, "shape": one.shape}
            if one.name in wish.binary:
                data = one.binary()
                described["parameters"] = {"binary_data_size": len(data)}
                binary.append(data)
            else:
                described["data"] = one.values
            outputs.append(described)
        text = self._encoder.encode(
            {
                "model_name": self._model.name,
                "model_version": self._model.version,
                "id": wish.id or reply.request_id,
                "parameters": parameters_of(reply),
                "outputs": outputs,
            }
        )
        if not wish.binary:
            return text
        fields = ((_PREFIX, str(len(text)).encode()),)
        return Written(body=b"".join((text, *binary)), media_type=BINARY.encode(), fields=fields)

    def operation(self) -> Mapping[str, Any]:
        features = self._model.signature.features
        example = [
            {"name": one.name, "shape": [1], "datatype": usual(one), "data": [example_cell(one)]} for one in features
        ]
        content: dict[str, Any] = {
            JSON: {"schema": _request_schema(self._model), "example": {"id": "42", "inputs": example}},
            BINARY: {"schema": _BYTES},
        }
        return {
            "summary": "Infer, as the Open Inference Protocol has it",
            "description": (
                "Tensors in the binary form follow the JSON of the body; then the header Inference-Header-Content-Length says of how"
                " many bytes the JSON is. A tensor holds as many elements as its shape says."
            ),
            "requestBody": {"required": True, "content": content},
            "answer": {JSON: _response_schema(self._model), BINARY: _BYTES},
        }


def _seconds(parameters: Mapping[str, Any]) -> float | None:
    """Return how long the caller waits: Triton's ``timeout`` is in microseconds."""
    timeout = parameters.get("timeout")
    return timeout / 1e6 if isinstance(timeout, int) and not isinstance(timeout, bool) and timeout > 0 else None


_BYTES: Final[Mapping[str, Any]] = {
    "type": "string",
    "format": "binary",
    "description": "JSON of as many bytes as Inference-Header-Content-Length says; after it the tensors, in order.",
}


def _request_schema(model: Model) -> dict[str, Any]:
    parameters = {"type": ["object", "null"]}
    wanted = len(model.signature.features)
    names = list(model.signature.names)
    size = {"type": "integer", "minimum": 1, "maximum": model.most_rows}
    one = {
        "type": "object",
        "properties": {
            "name": {"enum": names},
            "shape": {"type": "array", "prefixItems": [size, {"const": 1}], "items": False, "minItems": 1},
            "datatype": {"enum": list(KNOWN)},
            "data": {"type": "array", "items": {"type": ["number", "string", "boolean", "null"]}},
            "parameters": parameters,
        },
        "required": ["name", "shape", "datatype", "data"],
        "additionalProperties": False,
    }
    matrix = {
        "type": "object",
        "title": "All features",
        "properties": {
            **one["properties"],  # type: ignore[dict-item] # it is an object
            "name": {"type": "string"},
            "shape": {"type": "array", "prefixItems": [size, {"const": wanted}], "items": False, "minItems": 2},
            "data": {"type": "array"},
        },
        "required": one["required"],
        "additionalProperties": False,
    }
    each = {"type": "array", "items": one, "minItems": wanted, "maxItems": wanted}
    together = {"type": "array", "items": matrix, "minItems": 1, "maxItems": 1}
    return {
        "type": "object",
        "properties": {
            "id": {"type": ["string", "null"], "maxLength": asking.LONGEST_ID},
            "model_name": {"type": ["string", "null"]},
            "model_version": {"type": ["string", "null"]},
            "parameters": parameters,
            "inputs": {"anyOf": [each, together]},
            "outputs": {
                "type": ["array", "null"],
                "items": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "parameters": parameters},
                    "required": ["name"],
                    "additionalProperties": False,
                },
            },
        },
        "required": ["inputs"],
        "additionalProperties": False,
    }


def _response_schema(model: Model) -> dict[str, Any]:
    predictions, probabilities = tensors_of(model.signature)
    names = [*predictions, *probabilities, FLAGS]
    kinds = sorted({*map(of_predictions, predictions.values()), "FP64", "BYTES"} & {*DTYPES, "BYTES"})
    one = {
        "type": "object",
        "properties": {
            "name": {"enum": names},
            "datatype": {"enum": kinds},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "data": {"type": "array", "items": {"type": ["number", "string", "boolean"]}},
        },
        "required": ["name", "datatype", "shape", "data"],
        "additionalProperties": False,
    }
    word = {"type": "string"}
    return {
        "type": "object",
        "properties": {
            "model_name": word,
            "model_version": word,
            "id": word,
            "parameters": {
                "type": "object",
                "properties": {"request_id": word, "timestamp": {"type": "string", "format": "date-time"}},
                "required": ["request_id", "timestamp"],
            },
            "outputs": {"type": "array", "items": one, "minItems": 1},
        },
        "required": ["model_name", "model_version", "id", "outputs"],
        "additionalProperties": False,
    }


def _paths(model: Model) -> Mapping[Reach, str]:
    """Return the path of the model without and with its version."""
    name = f"/v2/models/{quote(model.name, safe='')}"
    return {"name": name, "version": f"{name}/versions/{quote(model.version, safe='')}"}


def _notices(model: Model) -> Sequence[Notice]:
    server = metadata.server()
    about = Text(en="What is known of the model, as the Open Inference Protocol has it", ja="モデルの情報（OIP 形式）")
    ready = Text(en="Whether the model is ready", ja="モデルの準備ができているか")
    return (
        Notice(
            path="/v2",
            summary=Text(en="What is known of the server", ja="サーバーの情報（OIP 形式）"),
            says=lambda _: server,
            schema=metadata.SERVER_SCHEMA,
        ),
        Notice(
            path="/v2/health/live",
            summary=Text(en="Whether the process is alive", ja="プロセスが生きているか"),
            says=lambda _: {"live": True},
            schema=metadata.LIVE_SCHEMA,
        ),
        Notice(
            path="/v2/health/ready",
            summary=Text(en="Whether a prediction would be answered", ja="予測に応答できるか"),
            says=lambda is_ready: {"ready": is_ready},
            schema=metadata.READY_SCHEMA,
            tells=True,
        ),
        *(
            notice
            for reach, path in _paths(model).items()
            for notice in (
                Notice(
                    path=path,
                    summary=about,
                    says=lambda _: metadata.model(model),
                    schema=metadata.MODEL_SCHEMA,
                    reach=reach,
                ),
                Notice(
                    path=f"{path}/ready",
                    summary=ready,
                    says=lambda is_ready: {"name": model.name, "ready": is_ready},
                    schema=metadata.MODEL_READY_SCHEMA,
                    tells=True,
                    reach=reach,
                ),
            )
        ),
    )


open_inference = WireProtocol(
    id="open-inference",
    title=Text(
        en="The Open Inference Protocol, as KServe and Triton speak it", ja="Open Inference Protocol（KServe・Triton）"
    ),
    routes=lambda model: tuple(_Infer(model, f"{path}/infer", reach) for reach, path in _paths(model).items()),
    notices=_notices,
)
