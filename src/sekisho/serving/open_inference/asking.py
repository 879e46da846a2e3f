"""An inference request of the Open Inference Protocol in JSON, with or without binary tensors after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from sekisho.errors import InvalidInput
from sekisho.predict import json_text
from sekisho.serving.open_inference.datatypes import BOOL, BYTES, FLOATS, KNOWN, NUMBERS
from sekisho.serving.open_inference.tensors import Tensor, from_bytes, shown, unsound
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_TENSORS: Final = 10_000
LONGEST_ID: Final = 1_024
_Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_REMEDY: Final = Text(
    en='send {"inputs": [{"name", "shape", "datatype", "data"}]}, as the Open Inference Protocol has it',
    ja='Open Inference Protocol のとおり {"inputs": [{"name", "shape", "datatype", "data"}]} を送ってください',
)
_REGIONS: Final = ("shared_memory_region", "classification")
"""Parameters that would change what an answer is, and are not offered."""
_BESIDE: Final[Mapping[str, type]] = {
    "id": str,
    "parameters": dict,
    "outputs": list,
    "model_name": str,
    "model_version": str,
}


class Output(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One output that is asked for."""

    name: str
    parameters: dict[str, Any] | None = None


class _Input(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    name: str
    shape: list[_Whole]
    datatype: str
    data: msgspec.Raw = msgspec.Raw(b"")
    parameters: dict[str, Any] | None = None


class _Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    inputs: list[_Input]
    id: Annotated[str, msgspec.Meta(max_length=LONGEST_ID)] = ""
    parameters: dict[str, Any] | None = None
    outputs: list[Output] | None = None
    # KServe's client says once more which model it means; the address decides.
    model_name: str | None = None
    model_version: str | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """A request.

    Attributes:
        id: The caller's own name for it; empty if it has none.
        parameters: Those of the request.
        tensors: The inputs.
        outputs: What is asked for; ``None`` for all.

    """

    id: str
    parameters: Mapping[str, Any]
    tensors: Sequence[Tensor]
    outputs: Sequence[Output] | None


_decoder: Final = msgspec.json.Decoder(_Request)
_elements: Final[dict[str, Any]] = {
    BOOL: bool | None,
    BYTES: str | None,
    **{name: (_Whole | float | None if name in FLOATS else _Whole | None) for name in NUMBERS},
}
_flat: Final = {name: msgspec.json.Decoder(list[kind]) for name, kind in _elements.items()}  # type: ignore[valid-type]
_nested: Final = {
    name: msgspec.json.Decoder(list[list[kind]])  # type: ignore[valid-type]
    for name, kind in _elements.items()
}


def read(body: bytes, prefix: int | None) -> Asked:
    """Return what a body asks.

    Args:
        body: All of it.
        prefix: How many of its bytes are JSON; ``None`` for all.

    Raises:
        InvalidInput: It is not such a request.

    """
    text, binary = body, b""
    if prefix is not None:
        if prefix > len(body):
            raise _unfit(
                "malformed_tensor",
                Text(en="the body is shorter than its JSON part", ja="本文が JSON 部分より短くなっています"),
            )
        text, binary = body[:prefix], body[prefix:]
    try:
        request = _decoder.decode(text)
        tensors = _tensors(request, memoryview(binary))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        request, tensors = _read_slowly(text, memoryview(binary))
    else:
        json_text.check_keys(text, at_most=_keys(request))
    return Asked(id=request.id, parameters=request.parameters or {}, tensors=tensors, outputs=request.outputs)


def _keys(request: _Request) -> int:
    """Return how many keys a request has if none stands twice, without those inside of parameters."""
    given = (request.id != "") + (request.parameters is not None) + (request.outputs is not None) + 1
    given += (request.model_name is not None) + (request.model_version is not None)
    for one in request.inputs:
        parameters = one.parameters
        given += 3 + (parameters is None or "binary_data_size" not in parameters)
        given += 0 if parameters is None else 1 + len(parameters)
    for output in request.outputs or ():
        given += 1 + (0 if output.parameters is None else 1 + len(output.parameters))
    return given + len(request.parameters or ())


def _tensors(request: _Request, binary: memoryview) -> list[Tensor]:
    if not request.inputs or len(request.inputs) > MOST_TENSORS:
        raise _unfit("missing_field", Text(en="there are no inputs", ja="入力がありません"), "inputs")
    found = []
    at = 0
    for one in request.inputs:
        if one.datatype not in KNOWN:
            raise _unknown_datatype(one.name)
        parameters = one.parameters or {}
        refuse_regions(parameters, one.name)
        size = parameters.get("binary_data_size")
        data = bytes(one.data)
        values: Any
        if size is None:
            values = _data(one, data)
        else:
            if type(size) is not int or size < 0 or data or at + size > len(binary):
                raise unsound(one.name, Text(en="its binary data is not there", ja="バイナリデータがありません"))
            values = from_bytes(one.name, one.datatype, one.shape, binary[at : at + size])
            at += size
        null = parameters.get("null")
        found.append(
            Tensor(
                name=one.name,
                datatype=one.datatype,
                shape=one.shape,
                values=values,
                null=null if isinstance(null, str) else None,
            )
        )
    if at != len(binary):
        raise _unfit(
            "malformed_tensor", Text(en="there is more data than the tensors say", ja="余分なデータがあります")
        )
    return found


def _data(one: _Input, data: bytes) -> list[Any]:
    if not data:
        raise _unfit("missing_field", Text(en="a tensor has no data", ja="データのないテンソルがあります"), one.name)
    is_nested = len(one.shape) > 1 and data[1:2] == b"["
    values: list[Any]
    if is_nested:
        values = [cell for row in _nested[one.datatype].decode(data) for cell in row]
    else:
        values = _flat[one.datatype].decode(data)
    check_range(one.name, one.datatype, values)
    return values


def check_range(name: str, datatype: str, values: Sequence[Any]) -> None:
    """Refuse whole numbers that the stated datatype cannot hold."""
    if datatype in FLOATS or datatype in {BOOL, BYTES}:
        return
    known = [value for value in values if value is not None]
    bits = int(datatype.lstrip("UINT"))
    low, high = (0, 2**bits - 1) if datatype[0] == "U" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if known and (min(known) < low or max(known) > high):
        raise InvalidInput(
            "wrong_type",
            Text(en="a number does not fit its datatype", ja="データ型に収まらない数値があります"),
            Text(en=f"send whole numbers that {datatype} holds", ja=f"{datatype} に収まる整数を送ってください"),
            field=shown(name),
        )


def refuse_regions(parameters: Mapping[str, Any], name: str) -> None:
    """Refuse what would change what a tensor is, and is not offered: shared memory, classification."""
    for one in _REGIONS:
        if one in parameters:
            raise _unfit(
                "unknown_field", Text(en=f"{one} is not offered", ja=f"{one} には対応していません"), shown(name)
            )


# For requests that the decoder refused: the answer must say why.


def _read_slowly(text: bytes, binary: memoryview) -> tuple[_Request, list[Tensor]]:
    value = json_text.parse(text)
    _check_members(value, {"inputs": list}, _BESIDE)
    for output in value.get("outputs") or ():
        _check_members(output, {"name": str}, {"parameters": dict})
    if len(value.get("id") or "") > LONGEST_ID:
        raise _unfit("too_long", Text(en="the id is too long", ja="id が長すぎます"), "id")
    data: list[Any] = []
    for one in value["inputs"]:
        _check_members(one, {"name": str, "shape": list, "datatype": str}, {"data": list, "parameters": dict})
        # A number with an integral value is a whole number, as in JSON Schema.
        one["shape"] = [int(size) if isinstance(size, float) and size.is_integer() else size for size in one["shape"]]
        if not all(type(size) is int and 0 <= size < 2**63 for size in one["shape"]):
            raise _unfit("wrong_count", Text(en="a shape is none", ja="形が正しくありません"), shown(one["name"]))
        if one["datatype"] not in KNOWN:
            raise _unknown_datatype(one["name"])
        data.append(one.pop("data", None))
    request = msgspec.convert({**value, "outputs": value.get("outputs"), "id": value.get("id") or ""}, _Request)
    bare = msgspec.structs.replace(
        request,
        inputs=[
            msgspec.structs.replace(one, data=msgspec.Raw(b"" if cells is None else b"[]"))
            for one, cells in zip(request.inputs, data, strict=True)
        ],
    )
    tensors = _tensors(bare, binary)
    return request, [
        tensor if cells is None else msgspec.structs.replace(tensor, values=_judged(tensor, cells))
        for tensor, cells in zip(tensors, data, strict=True)
    ]


def _judged(tensor: Tensor, cells: list[Any]) -> list[Any]:
    """Return the elements of a tensor, each of the kind that its datatype says."""
    if len(tensor.shape) > 1 and cells and all(isinstance(row, list) for row in cells):
        cells = [cell for row in cells for cell in row]
    width = max(1, tensor.shape[1]) if len(tensor.shape) > 1 else 1
    found = []
    for place, cell in enumerate(cells):
        kept = cell
        if tensor.datatype == BOOL:
            fits = isinstance(cell, bool)
        elif tensor.datatype == BYTES:
            fits = isinstance(cell, str)
        else:
            fits = isinstance(cell, int | float) and not isinstance(cell, bool)
            if fits and tensor.datatype not in FLOATS and isinstance(cell, float):
                fits = cell.is_integer()
                kept = int(cell) if fits else cell
        if not fits and cell is not None:
            raise InvalidInput(
                "wrong_type",
                Text(en="an element is not of the datatype", ja="データ型と異なる要素があります"),
                Text(en=f"send {tensor.datatype}", ja=f"{tensor.datatype} で送ってください"),
                row=place // width,
                field=shown(tensor.name),
            )
        found.append(kept)
    check_range(tensor.name, tensor.datatype, found)
    return found


def _check_members(value: object, needed: Mapping[str, type], possible: Mapping[str, type]) -> None:
    if not isinstance(value, dict):
        raise _unfit("wrong_type", Text(en="there is no object where one must be", ja="オブジェクトが必要です"))
    for name in value:
        if name not in needed and name not in possible:
            raise _unfit("unknown_field", Text(en="a field is not known", ja="未知の項目があります"), shown(name))
    for name, kind in {**needed, **possible}.items():
        if name in needed and name not in value:
            raise _unfit("missing_field", Text(en="a field is missing", ja="項目が足りません"), name)
        if name in value and not isinstance(value[name], kind) and not (name in possible and value[name] is None):
            raise _unfit("wrong_type", Text(en="a field has the wrong type", ja="項目の型が違います"), name)


def _unknown_datatype(name: str) -> InvalidInput:
    return InvalidInput(
        "wrong_type",
        Text(en="the datatype is not known", ja="未知のデータ型です"),
        Text(en=f"send one of: {', '.join(KNOWN)}", ja=f"次のいずれかで送ってください: {', '.join(KNOWN)}"),
        field=shown(name),
    )


def _unfit(code: str, what: Text, field: str | None = None) -> InvalidInput:
    return InvalidInput(code, what, _REMEDY, field=field)
