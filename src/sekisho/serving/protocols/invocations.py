"""The container contract of SageMaker and the scoring protocol of MLflow: ``POST /invocations``.

Sources: "Use Your Own Inference Code with Hosting Services" (Amazon SageMaker), and "Deploy MLflow Model as a Local Inference
Server" (MLflow). A body is one of::

    {"dataframe_split": {"columns": [...], "data": [[...], ...]}}
    {"dataframe_records": [{...}, ...]}
    {"instances": [...]}        rows as lists or objects
    {"inputs": [...]}           the same, or {"column": [...], ...}
    {"features": ...}           one row, as in /predict
    [{"features": ...}, ...]    many, as in /predict/batch

or a table: CSV with or without a header, JSON Lines, Arrow, Parquet. The answer is ``{"predictions": [...]}``, or a table if that is
what the caller accepts.
"""

from __future__ import annotations

from types import GenericAlias
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.errors import InvalidInput
from sekisho.predict import json_text
from sekisho.serving.bulk.described import TABLE_ANSWERS, table_bodies
from sekisho.serving.bulk.media import CSV, OFFER
from sekisho.serving.bulk.pieces import JsonPieces, TablePieces, can_be_cut
from sekisho.serving.bulk.reading import check_answer, read_table
from sekisho.serving.bulk.writing import bare_csv, predictions_of, write_table
from sekisho.serving.protocols.interface import JSON, Form, Model, Question, Reply, Route, WireProtocol, Written
from sekisho.serving.schema import example_row, label_schema, row_schema
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sekisho.serving.routing import Pieces

FORMS: Final = ("dataframe_split", "dataframe_records", "instances", "inputs", "features")
_REMEDY: Final = Text(
    en=f"send an object with one of: {', '.join(FORMS)}",
    ja=f"次のいずれか1つを持つオブジェクトを送ってください: {', '.join(FORMS)}",
)


class _Invocations(Route):
    path = "/invocations"
    offer = OFFER

    def __init__(self, model: Model) -> None:
        self._model = model
        names = list(model.signature.names)
        rows: Any = GenericAlias(list, (model.reader.wire_type,))
        split = msgspec.defstruct("Split", [("columns", list[str]), ("data", rows)], forbid_unknown_fields=True)
        body = msgspec.defstruct("Body", [("dataframe_split", split)], forbid_unknown_fields=True)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(body)
        self._encoder = msgspec.json.Encoder()
        self._names = names
        self._forms: dict[str, Callable[[Any], list[Any]]] = {
            "dataframe_split": self._of_split,
            "dataframe_records": self._of_rows,
            "instances": self._of_rows,
            "inputs": self._of_inputs,
            "features": lambda value: [value],
        }

    def read(self, body: bytes, form: Form) -> Question:
        check_answer(form)
        if form.media_type != JSON:
            return Question(rows=read_table(body, form, self._model), wish=form.answer)
        try:
            split = self._decoder.decode(body).dataframe_split
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._judge(self._rows(json_text.parse(body)), form.answer)
        if split.columns != self._names or not all(type(row) is tuple for row in split.data):
            return self._judge(self._rows(json_text.parse(body)), form.answer)
        json_text.check_keys(body, at_most=3)
        self._model.check_count(len(split.data))
        return Question(rows=split.data, wish=form.answer)

    def write(self, reply: Reply, question: Question) -> bytes | Written:
        if question.wish == JSON:
            return self._encoder.encode({"predictions": reply.predictions})
        if question.wish == CSV:
            return bare_csv(list(reply.predictions))
        return write_table(predictions_of(reply, self._model.signature), question.wish, reply)

    def pieces(self, question: Question) -> Pieces | None:
        signature = self._model.signature
        if question.wish == CSV or not can_be_cut(question.wish, signature.output):
            return None
        if question.wish == JSON:
            return JsonPieces(lambda reply: self._encoder.encode(reply.predictions), lambda reply, rows: {})  # noqa: ARG005
        return TablePieces(lambda reply: predictions_of(reply, signature), question.wish)

    def operation(self) -> Mapping[str, Any]:
        signature = self._model.signature
        row = row_schema(signature)
        by_name, in_order = row["oneOf"]
        many = {"minItems": 1, "maxItems": self._model.most_rows}
        split = {
            "type": "object",
            "properties": {
                "columns": {"const": self._names},
                "data": {"type": "array", "items": in_order, **many},
                "index": {"type": "array"},
            },
            "required": ["columns", "data"],
            "additionalProperties": False,
        }
        forms = {
            "dataframe_split": split,
            "dataframe_records": {"type": "array", "items": by_name, **many},
            "instances": {"type": "array", "items": row, **many},
            "inputs": {"type": "array", "items": row, **many},
            "features": row,
        }
        example = example_row(signature)
        content = {
            JSON: {
                "schema": {
                    "oneOf": [
                        {
                            "type": "object",
                            "properties": {name: form},
                            "required": [name],
                            "additionalProperties": False,
                        }
                        for name, form in forms.items()
                    ]
                },
                "example": {"dataframe_split": {"columns": self._names, "data": [list(example.values())]}},
            },
            **table_bodies(self._model),
        }
        return {
            "summary": "Predict rows, as SageMaker and MLflow ask",
            "requestBody": {"required": True, "content": content},
            "answer": {
                JSON: {
                    "type": "object",
                    "properties": {"predictions": {"type": "array", "items": label_schema(signature)}},
                    "required": ["predictions"],
                    "additionalProperties": False,
                },
                **TABLE_ANSWERS,
            },
        }

    def _judge(self, values: list[Any], wish: str) -> Question:
        self._model.check_count(len(values))
        rows = [self._model.reader.read(value, row=row) for row, value in enumerate(values)]
        return Question(rows=rows, wish=wish)

    def _rows(self, value: Any) -> list[Any]:
        """Return the rows of a body, not judged yet."""
        if isinstance(value, list):
            value = {"instances": [_unwrap(one, row) for row, one in enumerate(value)]}
        if not isinstance(value, dict):
            raise _unfit("wrong_type", Text(en="the body is not an object", ja="本文がオブジェクトではありません"))
        named = [name for name in value if name in FORMS]
        extra = [name for name in value if name not in FORMS and name != "params"]
        if extra:
            field = extra[0] if extra[0].isprintable() and len(extra[0]) <= 100 else None
            raise _unfit("unknown_field", Text(en="a field is not known", ja="未知の項目があります"), field)
        if len(named) != 1:
            raise _unfit(
                "missing_field", Text(en="the rows are missing, or there twice", ja="行がないか、重複しています")
            )
        return self._forms[named[0]](value[named[0]])

    def _of_rows(self, value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise _unfit("wrong_type", Text(en="the rows are not a list", ja="行がリストではありません"))
        # A model of one feature may be sent bare values.
        if len(self._names) == 1:
            return [one if isinstance(one, list | dict) else [one] for one in value]
        return value

    def _of_inputs(self, value: Any) -> list[Any]:
        if not isinstance(value, dict):
            return self._of_rows(value)
        if not all(isinstance(column, list) for column in value.values()):
            return [value]
        lengths = {len(column) for column in value.values()}
        if len(lengths) != 1:
            raise _unfit("wrong_count", Text(en="the columns differ in length", ja="列の長さが揃っていません"))
        return [dict(zip(value, cells, strict=True)) for cells in zip(*value.values(), strict=True)]

    def _of_split(self, value: Any) -> list[Any]:
        columns, data = (value.get("columns"), value.get("data")) if isinstance(value, dict) else (None, None)
        if not isinstance(columns, list) or not isinstance(data, list) or not all(isinstance(c, str) for c in columns):
            raise _unfit(
                "missing_field",
                Text(en="columns or data are missing", ja="columns または data がありません"),
                "dataframe_split",
            )
        if extra := [name for name in value if name not in {"columns", "data", "index"}]:
            field = extra[0] if extra[0].isprintable() and len(extra[0]) <= 100 else None
            raise _unfit("unknown_field", Text(en="a field is not known", ja="未知の項目があります"), field)
        if not isinstance(value.get("index", []), list):
            raise _unfit("wrong_type", Text(en="the index is not a list", ja="index がリストではありません"), "index")
        if len(set(columns)) != len(columns):
            raise _unfit(
                "duplicate_key", Text(en="a column stands twice", ja="列名が重複しています"), "dataframe_split"
            )
        for row, cells in enumerate(data):
            if not isinstance(cells, list) or len(cells) != len(columns):
                raise InvalidInput(
                    "wrong_count",
                    Text(en="the number of values is wrong", ja="値の個数が違います"),
                    Text(en=f"send {len(columns)} values a row", ja=f"1行に {len(columns)} 個の値を送ってください"),
                    row=row,
                )
        return [dict(zip(columns, cells, strict=True)) for cells in data]


def _unwrap(value: Any, row: int) -> Any:
    if isinstance(value, dict) and set(value) == {"features"}:
        return value["features"]
    if isinstance(value, dict | list):
        return value
    raise InvalidInput("wrong_type", Text(en="a row is no row", ja="行の形ではありません"), _REMEDY, row=row)


def _unfit(code: str, what: Text, field: str | None = None) -> InvalidInput:
    return InvalidInput(code, what, _REMEDY, field=field)


invocations = WireProtocol(
    id="invocations",
    title=Text(en="SageMaker containers and MLflow model servers", ja="SageMaker のコンテナと MLflow のモデルサーバー"),
    routes=lambda model: (_Invocations(model),),
)
