"""The messages of ``inference.GRPCInferenceService``, made from a table when they are first needed.

Source: ``open_inference_grpc.proto`` of the Open Inference Protocol. Code that a compiler generates would bind us to its version of protobuf;
the descriptors are made here instead, in a pool of our own, so that a client's generated code in the same process is in nobody's way.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sekisho.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE: Final = "inference.GRPCInferenceService"
_PACKAGE: Final = "inference"

# Each field: its name, its type, a star if it is repeated; "map" is a map of parameters. Numbers count from 1.
_PARAMETERS: Final = ("parameters", "map")
_INPUT: Final = (
    ("name", "string"),
    ("datatype", "string"),
    ("shape", "int64*"),
    _PARAMETERS,
    ("contents", "InferTensorContents"),
)
_MESSAGES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "ServerLiveRequest": (),
    "ServerLiveResponse": (("live", "bool"),),
    "ServerReadyRequest": (),
    "ServerReadyResponse": (("ready", "bool"),),
    "ModelReadyRequest": (("name", "string"), ("version", "string")),
    "ModelReadyResponse": (("ready", "bool"),),
    "ServerMetadataRequest": (),
    "ServerMetadataResponse": (("name", "string"), ("version", "string"), ("extensions", "string*")),
    "ModelMetadataRequest": (("name", "string"), ("version", "string")),
    "ModelMetadataResponse": (
        ("name", "string"),
        ("versions", "string*"),
        ("platform", "string"),
        ("inputs", "ModelMetadataResponse.TensorMetadata*"),
        ("outputs", "ModelMetadataResponse.TensorMetadata*"),
    ),
    "ModelMetadataResponse.TensorMetadata": (("name", "string"), ("datatype", "string"), ("shape", "int64*")),
    "ModelInferRequest": (
        ("model_name", "string"),
        ("model_version", "string"),
        ("id", "string"),
        _PARAMETERS,
        ("inputs", "ModelInferRequest.InferInputTensor*"),
        ("outputs", "ModelInferRequest.InferRequestedOutputTensor*"),
        ("raw_input_contents", "bytes*"),
    ),
    "ModelInferRequest.InferInputTensor": _INPUT,
    "ModelInferRequest.InferRequestedOutputTensor": (("name", "string"), _PARAMETERS),
    "ModelInferResponse": (
        ("model_name", "string"),
        ("model_version", "string"),
        ("id", "string"),
        _PARAMETERS,
        ("outputs", "ModelInferResponse.InferOutputTensor*"),
        ("raw_output_contents", "bytes*"),
    ),
    "ModelInferResponse.InferOutputTensor": _INPUT,
    "InferTensorContents": (
        ("bool_contents", "bool*"),
        ("int_contents", "int32*"),
        ("int64_contents", "int64*"),
        ("uint_contents", "uint32*"),
        ("uint64_contents", "uint64*"),
        ("fp32_contents", "float*"),
        ("fp64_contents", "double*"),
        ("bytes_contents", "bytes*"),
    ),
}
_CHOICES: Final = (
    ("bool_param", "bool"),
    ("int64_param", "int64"),
    ("string_param", "string"),
    ("double_param", "double"),
    ("uint64_param", "uint64"),
)
CONTENTS: Final = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""The field of ``InferTensorContents`` for each datatype; FP16 has none."""


@cache
def messages() -> Mapping[str, Any]:
    """Return the class of every message by its name.

    Raises:
        MissingExtra: protobuf is not installed.

    """
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError:
        raise MissingExtra("protobuf", "grpc") from None
    file = descriptor_pb2.FileDescriptorProto(name="sekisho/open_inference.proto", package=_PACKAGE, syntax="proto3")
    parameter = file.message_type.add(name="InferParameter")
    parameter.oneof_decl.add(name="parameter_choice")
    for number, (name, kind) in enumerate(_CHOICES, 1):
        _add_field(parameter, name, kind, number).oneof_index = 0
    made: dict[str, Any] = {}
    for path, fields in _MESSAGES.items():
        outer, _, inner = path.partition(".")
        made[path] = made[outer].nested_type.add(name=inner) if inner else file.message_type.add(name=outer)
        for number, (name, kind) in enumerate(fields, 1):
            if kind == "map":
                _add_map(made[path], name, number, f".{_PACKAGE}.{path}.ParametersEntry")
            else:
                _add_field(made[path], name, kind, number)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        path: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{path}"))
        for path in ("InferParameter", *_MESSAGES)
    }


def _add_field(message: Any, name: str, kind: str, number: int) -> Any:
    plain = kind.rstrip("*")
    field = message.field.add(name=name, number=number)
    field.label = field.LABEL_REPEATED if kind.endswith("*") else field.LABEL_OPTIONAL
    if plain.islower() or plain.startswith(("int", "uint")):
        field.type = field.Type.Value(f"TYPE_{plain.upper()}")
    else:
        field.type = field.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{plain}"
    return field


def _add_map(message: Any, name: str, number: int, entry_type: str) -> None:
    entry = message.nested_type.add(name="ParametersEntry")
    entry.options.map_entry = True
    _add_field(entry, "key", "string", 1)
    _add_field(entry, "value", "InferParameter", 2)
    field = message.field.add(name=name, number=number, type_name=entry_type)
    field.label, field.type = field.LABEL_REPEATED, field.TYPE_MESSAGE


def parameters_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a message as plain values."""
    found: dict[str, Any] = {}
    for name, parameter in given.items():
        choice = parameter.WhichOneof("parameter_choice")
        found[name] = None if choice is None else getattr(parameter, choice)
    return found
