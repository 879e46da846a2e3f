"""Sekisho's own protocol: ``POST /predict`` for one row, ``POST /predict/batch`` for many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sekisho.artifact.several import slices_of
from sekisho.errors import InvalidInput
from sekisho.predict import json_text
from sekisho.predict.naming import class_name
from sekisho.serving.bulk.described import TABLE_ANSWERS, table_bodies
from sekisho.serving.bulk.media import OFFER
from sekisho.serving.bulk.pieces import JsonPieces, TablePieces, can_be_cut
from sekisho.serving.bulk.reading import check_answer, read_table
from sekisho.serving.bulk.writing import columns_of, write_table
from sekisho.serving.protocols.interface import JSON, Form, Model, Question, Reply, Route, WireProtocol, Written
from sekisho.serving.schema import answer_schema, example_row, row_schema
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sekisho.artifact.signature import Output
    from sekisho.predict.rows import Row
    from sekisho.serving.routing import Pieces

_ROW_REMEDY = Text(
    en='send {"features": [...]} or {"features": {...}}',
    ja='{"features": [...]} または {"features": {...}} を送ってください',
)


class _Single(Route):
    path = "/predict"

    def __init__(self, model: Model) -> None:
        self._model = model
        self._keys = len(model.signature.features) + 1
        request = msgspec.defstruct("Request", [("features", model.reader.wire_type)], forbid_unknown_fields=True)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(request)
        self._encoder = msgspec.json.Encoder()
        self._table = _table_by_class(model.signature.output)

    def read(self, body: bytes, form: Form) -> Question:  # noqa: ARG002
        try:
            row = self._model.reader.cells(self._decoder.decode(body).features)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._read_slowly(body)
        json_text.check_keys(body, at_most=self._keys)
        return Question(rows=(row,), verbatim=b"[%b]" % body)

    def write(self, reply: Reply, question: Question) -> bytes:  # noqa: ARG002
        answer: dict[str, Any] = {"prediction": reply.predictions[0]}
        if reply.confidence is not None and reply.probabilities is not None:
            answer["probability"] = reply.confidence[0]
            answer["probabilities"] = self._table(*reply.probabilities[0])
        answer["flags"] = [str(flag) for flag in reply.flags.get(0, ())] if reply.flags else []
        answer["model_version"] = reply.model_version
        answer["timestamp"] = reply.timestamp
        answer["request_id"] = reply.request_id
        return self._encoder.encode(answer)

    def operation(self) -> Mapping[str, Any]:
        signature = self._model.signature
        return {
            "summary": "Predict one row",
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": _request_schema(self._model),
                        "example": {"features": example_row(signature)},
                    }
                },
            },
            "answer": {JSON: _with_envelope(answer_schema(signature))},
        }

    def _read_slowly(self, body: bytes) -> Question:
        return Question(rows=(_read_row(self._model, json_text.parse(body), row=None),), verbatim=b"[%b]" % body)


class _Answer(msgspec.Struct, gc=False):
    prediction: Any
    probability: Any
    probabilities: Any
    flags: list[str]


class _Batch(Route):
    path = "/predict/batch"
    offer = OFFER

    def __init__(self, model: Model) -> None:
        self._model = model
        self._keys = len(model.signature.features) + 1
        request = msgspec.defstruct("Request", [("features", model.reader.wire_type)], forbid_unknown_fields=True)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(list[request])  # type: ignore[valid-type]
        self._encoder = msgspec.json.Encoder()
        self._table = _table_by_class(model.signature.output)

    def read(self, body: bytes, form: Form) -> Question:
        check_answer(form)
        if form.media_type != JSON:
            return Question(rows=read_table(body, form, self._model), wish=form.answer)
        return self._read_json(body, form.answer)

    def _read_json(self, body: bytes, wish: str) -> Question:
        cells = self._model.reader.cells
        try:
            rows = [cells(request.features) for request in self._decoder.decode(body)]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._read_slowly(body, wish)
        self._model.check_count(len(rows))
        json_text.check_keys(body, at_most=self._keys * len(rows))
        return Question(rows=rows, verbatim=body, wish=wish)

    def write(self, reply: Reply, question: Question) -> bytes | Written:
        if question.wish != JSON:
            return write_table(columns_of(reply, self._model.signature), question.wish, reply)
        answers = self._answers(reply)
        return self._encoder.encode({"predictions": answers, **_envelope(reply, len(answers))})

    def pieces(self, question: Question) -> Pieces | None:
        signature = self._model.signature
        if not can_be_cut(question.wish, signature.output):
            return None
        if question.wish != JSON:
            return TablePieces(lambda reply: columns_of(reply, signature), question.wish)
        return JsonPieces(lambda reply: self._encoder.encode(self._answers(reply)), _envelope)

    def _answers(self, reply: Reply) -> list[Any]:
        """Return the answer to each row."""
        usual: list[str] = []
        if reply.confidence is None or reply.probabilities is None:
            answers: list[Any] = [{"prediction": prediction, "flags": usual} for prediction in reply.predictions]
        else:
            table = self._table
            answers = [
                _Answer(prediction, confidence, table(*row), usual)
                for prediction, confidence, row in zip(
                    reply.predictions, reply.confidence, reply.probabilities, strict=True
                )
            ]
        for place, flags in reply.flags.items():
            found = list(map(str, flags))
            one = answers[place]
            if isinstance(one, dict):
                one["flags"] = found
            else:
                one.flags = found
        return answers

    def operation(self) -> Mapping[str, Any]:
        signature = self._model.signature
        answers = {"type": "array", "items": answer_schema(signature)}
        envelope = {
            "type": "object",
            "properties": {"predictions": answers, "count": {"type": "integer", "minimum": 1}},
            "required": ["predictions", "count"],
            "additionalProperties": False,
        }
        return {
            "summary": "Predict many rows",
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "array",
                            "items": _request_schema(self._model),
                            "minItems": 1,
                            "maxItems": self._model.most_rows,
                        },
                        "example": [{"features": example_row(signature)}],
                    },
                    **table_bodies(self._model),
                },
            },
            "answer": {JSON: _with_envelope(envelope), **TABLE_ANSWERS},
        }

    def _read_slowly(self, body: bytes, wish: str) -> Question:
        value = json_text.parse(body)
        if not isinstance(value, list):
            raise InvalidInput(
                "wrong_type",
                Text(en="the body is not a list", ja="本文がリストではありません"),
                Text(
                    en='send [{"features": ...}, ...]',
                    ja='[{"features": ...}, ...] を送ってください',
                ),
            )
        self._model.check_count(len(value))
        rows = [_read_row(self._model, request, row=place) for place, request in enumerate(value)]
        return Question(rows=rows, verbatim=body, wish=wish)


def _envelope(reply: Reply, rows: int) -> dict[str, Any]:
    """Return what stands beside the answers to many rows."""
    return {
        "count": rows,
        "model_version": reply.model_version,
        "timestamp": reply.timestamp,
        "request_id": reply.request_id,
    }


def _table_by_class(output: Output) -> Any:
    """Return what makes an object of the probabilities of a row: by class, or by answer and class."""
    tables = [_table_of(tuple(map(class_name, one.classes or ()))) for one in output.each]
    if not output.outputs:
        return tables[0]
    each = list(zip(output.outputs, tables, slices_of(output), strict=True))
    return lambda *values: {one.name: table(*values[part]) for one, table, part in each}


def _table_of(names: tuple[str, ...]) -> Any:
    """Return what makes an object of probabilities: a struct, which is quicker to make and to encode than a dictionary."""
    if len(set(names)) < len(names) or any(
        character in '"\\' or character < " " for name in names for character in name
    ):
        return lambda *values: dict(zip(names, values, strict=True))
    fields = [(f"class_{place}", float) for place in range(len(names))]
    rename = {field: name for (field, _), name in zip(fields, names, strict=True)}
    return msgspec.defstruct("Probabilities", fields, rename=rename, gc=False)


def _read_row(model: Model, value: object, *, row: int | None) -> Row:
    if not isinstance(value, dict):
        raise InvalidInput(
            "wrong_type", Text(en="a request is not an object", ja="オブジェクトではありません"), _ROW_REMEDY, row=row
        )
    if "features" not in value:
        raise InvalidInput(
            "missing_field",
            Text(en='"features" is missing', ja='"features" がありません'),
            _ROW_REMEDY,
            row=row,
            field="features",
        )
    for name in value:
        if name != "features":
            raise InvalidInput(
                "unknown_field",
                Text(en='there is a field besides "features"', ja='"features" 以外の項目があります'),
                _ROW_REMEDY,
                row=row,
                field=name if name.isprintable() and len(name) <= 100 else None,
            )
    return model.reader.read(value["features"], row=row or 0)


def _request_schema(model: Model) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"features": row_schema(model.signature)},
        "required": ["features"],
        "additionalProperties": False,
    }


def _with_envelope(schema: dict[str, Any]) -> dict[str, Any]:
    more = {
        "model_version": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
        "request_id": {"type": "string"},
    }
    return {
        **schema,
        "properties": {**schema["properties"], **more},
        "required": [*schema["required"], *more],
    }


native = WireProtocol(
    id="native",
    title=Text(en="Sekisho's own protocol", ja="Sekisho 独自のプロトコル"),
    routes=lambda model: (_Single(model), _Batch(model)),
)
