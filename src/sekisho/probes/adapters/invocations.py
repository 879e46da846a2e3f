"""The container contract of SageMaker and MLflow: ``GET /ping`` and ``POST /invocations``.

What stands in the body is for the container to say: MLflow's ``dataframe_split`` is tried first, then rows by name and rows by position.

Sources: "Use Your Own Inference Code with Hosting Services" (Amazon SageMaker), and the MLflow scoring protocol
(``dataframe_split``, ``dataframe_records``, ``instances``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

import msgspec

from sekisho.contract.sections import Serving
from sekisho.probes.adapters.interface import (
    Adapter,
    Answer,
    Ask,
    Routes,
    Row,
    Speech,
    Unreadable,
    fraction,
    plain,
    remarks,
    several,
)
from sekisho.probes.wire.message import Reply, Request, post
from sekisho.text import Text

Form = Literal["dataframe_split", "dataframe_records", "instances"]
"""The member that holds the rows: columns beside lists, rows by name, or rows by position."""
FORMS: Final[tuple[Form, ...]] = get_args(Form)


@dataclass(frozen=True, slots=True)
class Invocations:
    """The invocations protocol for the features ``names``, which stand in ``form``."""

    names: tuple[str, ...]
    routes: Routes
    form: Form = "dataframe_split"
    both: bool = False

    @property
    def named(self) -> bool:
        """Whether features go by name."""
        return self.form != "instances"

    def one(self, row: Row, *, positional: bool = False) -> Request:  # noqa: ARG002
        """Return the request for a table of one row."""
        return self.invocation([row])

    def many(self, rows: Sequence[Row]) -> Request:
        """Return the request for a table of several rows."""
        return self.invocation(rows)

    def invocation(self, rows: Sequence[Row]) -> Request:
        """Return the request for a table of several rows; its columns stand as in the first row."""
        if self.form == "dataframe_records":
            rows_in_form: object = list(rows)
        elif self.form == "instances":
            rows_in_form = [self._values(row) for row in rows]
        else:
            columns = list(rows[0]) if rows else list(self.names)
            data = [list(row.values()) if list(row) == columns else [row.get(name) for name in columns] for row in rows]
            rows_in_form = {"columns": columns, "data": data}
        return post(self.routes.predict, msgspec.json.encode({self.form: rows_in_form}))

    def _values(self, row: Row) -> list[object]:
        extra = [value for name, value in row.items() if name not in self.names]
        return [row[name] for name in self.names if name in row] + extra

    def read_one(self, reply: Reply) -> Answer:
        """Return the answer to a table of one row."""
        answers = self.read_many(reply)
        if len(answers) != 1:
            raise Unreadable(f"{len(answers)} predictions for one row")
        return answers[0]

    def read_many(self, reply: Reply) -> list[Answer]:
        """Return the answers in the order of the rows."""
        body = reply.json()
        items = body.get("predictions") if isinstance(body, Mapping) else body
        if not isinstance(items, list):
            raise Unreadable("predictions")
        return [_answer(item) for item in items]


def _answer(item: object) -> Answer:
    if isinstance(item, list) and len(item) == 1:
        return _answer(item[0])
    if not isinstance(item, Mapping):
        return Answer(label=plain(item))
    for name in ("prediction", "predicted_label", "label", "score"):
        if name in item:
            version = item.get("model_version")
            return Answer(
                label=plain(item[name]),
                probability=fraction(item.get("probability")),
                version=version if isinstance(version, str) else None,
                flags=remarks(item),
            )
    return Answer(label=None, outputs=several(item))


def adapt(serving: Serving, names: tuple[str, ...]) -> Invocations:
    """Return the adapter: what the container contract leaves open (metrics, information) comes from ``serving.mapping``."""
    routes = Routes(
        predict="/invocations",
        batch="/invocations",
        health="/ping",
        ready="/ping",
        info=serving.mapping.info,
        metrics=serving.mapping.metrics,
    )
    return Invocations(names, routes)


def settle(adapter: Adapter, ask: Ask, row: Row) -> Invocations:
    """Return the adapter in the first form that gets an answer."""
    assert isinstance(adapter, Invocations)
    forms = [replace(adapter, form=form) for form in FORMS]
    replies = ask([form.one(row) for form in forms])
    return next((form for form, said in zip(forms, replies, strict=True) if said.ok), adapter)


invocations = Speech(
    id="invocations",
    title=Text(en="SageMaker containers and MLflow model servers", ja="SageMaker のコンテナと MLflow のモデルサーバー"),
    adapt=adapt,
    settle=settle,
)
