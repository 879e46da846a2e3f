"""What is said of the server and of the model, as the Open Inference Protocol has it."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from sekisho.serving.open_inference.answering import FLAGS, tensors_of
from sekisho.serving.open_inference.datatypes import BYTES, KNOWN, of_predictions, usual

if TYPE_CHECKING:
    from sekisho.serving.routing import Model

SERVER: Final = "sekisho"
EXTENSIONS: Final = ("binary_tensor_data",)
_WORD: Final = {"type": "string"}
_TENSOR: Final = {
    "type": "object",
    "properties": {
        "name": _WORD,
        "datatype": {"enum": list(KNOWN)},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "parameters": {"type": "object"},
    },
    "required": ["name", "datatype", "shape"],
    "additionalProperties": False,
}


def server() -> dict[str, Any]:
    """Return what is said of the server."""
    return {"name": SERVER, "version": version("sekisho"), "extensions": list(EXTENSIONS)}


def model(described: Model) -> dict[str, Any]:
    """Return what is said of a model."""
    predictions, probabilities = tensors_of(described.signature)
    outputs: list[dict[str, Any]] = [
        {"name": name, "datatype": of_predictions(one), "shape": [-1]} for name, one in predictions.items()
    ]
    for name, (one, _) in probabilities.items():
        classes = list(one.classes or ())
        outputs.append(
            {"name": name, "datatype": "FP64", "shape": [-1, len(classes)], "parameters": {"classes": classes}}
        )
    outputs.append({"name": FLAGS, "datatype": BYTES, "shape": [-1]})
    return {
        "name": described.name,
        "versions": list(described.versions()) or [described.version],
        "platform": described.platform,
        "inputs": [
            {
                "name": feature.name,
                "datatype": usual(feature),
                "shape": [-1],
                **({"parameters": {"nullable": True}} if feature.nullable else {}),
            }
            for feature in described.signature.features
        ],
        "outputs": outputs,
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


SERVER_SCHEMA: Final = _object({"name": _WORD, "version": _WORD, "extensions": {"type": "array", "items": _WORD}})
MODEL_SCHEMA: Final = _object(
    {
        "name": _WORD,
        "versions": {"type": "array", "items": _WORD},
        "platform": _WORD,
        "inputs": {"type": "array", "items": _TENSOR},
        "outputs": {"type": "array", "items": _TENSOR},
    }
)
LIVE_SCHEMA: Final = _object({"live": {"const": True}})
READY_SCHEMA: Final = _object({"ready": {"type": "boolean"}})
MODEL_READY_SCHEMA: Final = _object({"name": _WORD, "ready": {"type": "boolean"}})
