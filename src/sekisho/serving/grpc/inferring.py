"""``ModelInfer``: bytes of a request to rows, answers to bytes of a response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.errors import InvalidInput
from sekisho.serving.grpc.messages import CONTENTS, SERVICE, messages, parameters_of
from sekisho.serving.http.forms import Form, Offer
from sekisho.serving.open_inference import answering
from sekisho.serving.open_inference.answering import Answerer
from sekisho.serving.open_inference.asking import LONGEST_ID, MOST_TENSORS, Asked, Output, check_range, refuse_regions
from sekisho.serving.open_inference.datatypes import BYTES, DTYPES, KNOWN
from sekisho.serving.open_inference.tensors import Tensor, TensorReader, from_bytes, shown, strings, unsound
from sekisho.serving.routing import Model, Question, Reply, Route
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MEDIA_TYPE: Final = "application/grpc"
_REMEDY: Final = Text(
    en="send a ModelInferRequest as the Open Inference Protocol has it",
    ja="Open Inference Protocol の ModelInferRequest を送ってください",
)


class Infer(Route):
    """The route of ``ModelInfer``."""

    path = f"/{SERVICE}/ModelInfer"
    offer = Offer(media_types=(MEDIA_TYPE,), answers=(MEDIA_TYPE,), untyped=MEDIA_TYPE)

    def __init__(self, model: Model) -> None:
        self._model = model
        self._tensors = TensorReader(model)
        self._answerer = Answerer(model.signature)
        self._messages = messages()

    def read(self, body: bytes, form: Form) -> Question:
        """Return what a serialized ``ModelInferRequest`` asks."""
        from google.protobuf.message import DecodeError

        try:
            request = self._messages["ModelInferRequest"].FromString(body)
        except DecodeError:
            raise _unfit(
                "malformed_tensor", Text(en="the message cannot be read", ja="メッセージを解釈できません")
            ) from None
        check_model(self._model, request.model_name, request.model_version)
        if len(request.id) > LONGEST_ID:
            raise _unfit("too_long", Text(en="the id is too long", ja="id が長すぎます"), "id")
        asked = Asked(
            id=request.id,
            parameters=parameters_of(request.parameters),
            tensors=_tensors(request),
            outputs=[Output(name=one.name, parameters=parameters_of(one.parameters)) for one in request.outputs]
            or None,
        )
        wish = self._answerer.wish(asked)
        rows = self._tensors.rows(asked.tensors)
        return Question(rows=rows, wish=(wish, bool(request.raw_input_contents)), seconds=form.seconds)

    def write(self, reply: Reply, question: Question) -> bytes:
        """Return a serialized ``ModelInferResponse``; its tensors are raw if those of the request were."""
        wish, is_raw = question.wish
        response = self._messages["ModelInferResponse"](
            model_name=self._model.name, model_version=self._model.version, id=wish.id or reply.request_id
        )
        for name, value in answering.parameters_of(reply).items():
            response.parameters[name].string_param = value
        for one in self._answerer.outputs(reply, wish):
            output = response.outputs.add(name=one.name, datatype=one.datatype, shape=one.shape)
            if is_raw:
                response.raw_output_contents.append(one.binary())
            else:
                values = [value.encode() for value in one.values] if one.datatype == BYTES else one.values
                getattr(output.contents, CONTENTS[one.datatype]).extend(values)
        data: bytes = response.SerializeToString()
        return data

    def operation(self) -> Mapping[str, Any]:
        """Return nothing: OpenAPI knows no gRPC."""
        return {}


def model_of(body: bytes) -> tuple[str, str]:
    """Return which model, and which version of it, a serialized ``ModelInferRequest`` asks; empty strings where it does not say.

    Every writer of protocol buffers puts the first fields first. Of a message that was written otherwise, all is read.
    """
    from google.protobuf.message import DecodeError

    name, rest = _leading(body, 0, b"\x0a")
    version, rest = _leading(body, rest, b"\x12")
    if name and body[rest : rest + 1] not in {b"\x0a", b"\x12"}:
        return name, version
    try:
        request = messages()["ModelInferRequest"].FromString(body)
    except DecodeError:
        return "", ""
    return request.model_name, request.model_version


def _leading(body: bytes, at: int, tag: bytes) -> tuple[str, int]:
    """Return a short string with ``tag`` at ``at``, and where the next field begins; an empty one if there is none."""
    if body[at : at + 1] != tag or at + 1 >= len(body) or body[at + 1] >= 0x80:
        return "", at
    after = at + 2 + body[at + 1]
    return body[at + 2 : after].decode("utf-8", "replace"), after


def check_model(model: Model, name: str, version: str) -> None:
    """Refuse to answer for another model.

    Raises:
        InvalidInput: It is not served here (``not_found``).

    """
    if name != model.name or version not in {"", model.version}:
        raise no_model((f"{model.name}, version {model.version}",))


def no_model(known: Sequence[str]) -> InvalidInput:
    """Return the error that there is no such model."""
    shown = ", ".join(dict.fromkeys(known[:20]))
    return InvalidInput(
        "not_found",
        Text(en="there is no such model or version", ja="そのモデルまたはバージョンはありません"),
        Text(en=f"ask for {shown}", ja=f"{shown} を指定してください"),
    )


def _tensors(request: Any) -> list[Tensor]:
    raw = request.raw_input_contents
    if not request.inputs or len(request.inputs) > MOST_TENSORS:
        raise _unfit("missing_field", Text(en="there are no inputs", ja="入力がありません"), "inputs")
    if raw and len(raw) != len(request.inputs):
        raise _unfit(
            "malformed_tensor",
            Text(en="inputs and raw contents differ in number", ja="inputs と raw_input_contents の個数が違います"),
        )
    found = []
    for at, one in enumerate(request.inputs):
        if one.datatype not in KNOWN:
            known = ", ".join(KNOWN)
            raise InvalidInput(
                "wrong_type",
                Text(en="the datatype is not known", ja="未知のデータ型です"),
                Text(en=f"send one of: {known}", ja=f"次のいずれかで送ってください: {known}"),
                field=shown(one.name),
            )
        parameters = parameters_of(one.parameters)
        refuse_regions(parameters, one.name)
        shape = list(one.shape)
        if any(size < 0 for size in shape):
            raise unsound(one.name, Text(en="its shape is none", ja="形が正しくありません"))
        if raw:
            if one.HasField("contents"):
                raise unsound(one.name, Text(en="it has raw and other contents", ja="内容が二重に指定されています"))
            values = from_bytes(one.name, one.datatype, shape, raw[at])
        else:
            values = _contents(one)
        null = parameters.get("null")
        found.append(
            Tensor(
                name=one.name,
                datatype=one.datatype,
                shape=shape,
                values=values,
                null=null if isinstance(null, str) else None,
            )
        )
    return found


def _contents(one: Any) -> Any:
    field = CONTENTS.get(one.datatype)
    if field is None or [given.name for given, _ in one.contents.ListFields()] not in ([field], []):
        raise unsound(one.name, Text(en="its contents are of another datatype", ja="内容のデータ型が異なります"))
    given = getattr(one.contents, field)
    if one.datatype == BYTES:
        return strings(one.name, given)
    check_range(one.name, one.datatype, given)
    return np.array(given, dtype=DTYPES[one.datatype])


def _unfit(code: str, what: Text, field: str | None = None) -> InvalidInput:
    return InvalidInput(code, what, _REMEDY, field=field)
