"""BentoML services: ``POST /NAME`` with a JSON object of the API's parameters, as the service itself describes them in ``/docs.json``.

A parameter that takes a table gets rows by name, one that takes an array gets rows in the order of the signature; an API whose parameters
are the features gets one row at a time. Which API is meant is said by ``serving.mapping.predict``, else it is the first.

Source: "Create online API Services" and "Define input and output types" (BentoML, 1.4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

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
    is_number,
    plain,
    remarks,
    several,
)
from sekisho.probes.wire.message import Reply, Request, post
from sekisho.text import Text

DOCUMENT: Final = "/docs.json"
USUAL: Final = "/predict"
PARAMETER: Final = "input_data"
LABELS: Final = ("prediction", "predictions", "predicted_label", "label", "class", "result", "output", "score")

Form = Literal["records", "lists", "object", "list", "features"]
"""How rows stand under the parameter: several by name, several by position, one by name, one by position; or without it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bento:
    """One API for the features ``names``.

    Attributes:
        names: The features, in order.
        api: Its path.
        parameter: The name of the parameter that takes rows.
        form: How it takes them.
        metrics: Where metrics are.

    """

    names: tuple[str, ...]
    api: str = USUAL
    parameter: str = PARAMETER
    form: Form = "records"
    metrics: str | None = "/metrics"
    both: bool = False

    @property
    def named(self) -> bool:
        """Whether features go by name."""
        return self.form in {"records", "object", "features"}

    @property
    def routes(self) -> Routes:
        """Where the service answers what."""
        batch = self.api if self.form in {"records", "lists"} else None
        return Routes(predict=self.api, batch=batch, health="/livez", ready="/readyz", metrics=self.metrics)

    def one(self, row: Row, *, positional: bool = False) -> Request:  # noqa: ARG002
        """Return the request for one row."""
        return self._asking([row])

    def many(self, rows: Sequence[Row]) -> Request | None:
        """Return the request for several rows; ``None`` where the API takes one."""
        return None if self.routes.batch is None else self._asking(rows)

    def invocation(self, rows: Sequence[Row]) -> None:  # noqa: ARG002
        """Return ``None``: an API is one way of asking."""
        return

    def read_one(self, reply: Reply) -> Answer:
        """Return the answer to one row: what the API returns, alone or in a list of one."""
        body = reply.json()
        items = _listed(body)
        if items is None:
            return _answer(body)
        if len(items) == 1:
            return _answer(items[0])
        if self.routes.batch is None and _scores(items):
            return _answer(items)  # the scores of the classes of the one row
        raise Unreadable(f"{len(items)} answers to one row")

    def read_many(self, reply: Reply) -> list[Answer]:
        """Return the answers in the order of the rows."""
        items = _listed(reply.json())
        if items is None:
            raise Unreadable("a list of answers")
        return [_answer(item) for item in items]

    def _asking(self, rows: Sequence[Row]) -> Request:
        if self.form == "features":
            return post(self.api, msgspec.json.encode(rows[0]))
        if self.form == "records":
            value: object = list(rows)
        elif self.form == "object":
            value = rows[0]
        else:
            lists = [self._values(row) for row in rows]
            value = lists if self.form == "lists" else lists[0]
        return post(self.api, msgspec.json.encode({self.parameter: value}))

    def _values(self, row: Row) -> list[object]:
        extra = [value for name, value in row.items() if name not in self.names]
        return [row[name] for name in self.names if name in row] + extra


def _listed(body: object) -> list[Any] | None:
    """Return a list of answers: the body, the only list that stands in it, or the rows of a table by columns."""
    if isinstance(body, list):
        return body
    if not isinstance(body, Mapping):
        return None
    lists = [value for value in body.values() if isinstance(value, list)]
    if len(body) > 1 and len(lists) == len(body) and len({len(each) for each in lists}) == 1:
        return [dict(zip(body, cells, strict=True)) for cells in zip(*lists, strict=True)]
    one_row = any(name in LABELS and not isinstance(value, list) for name, value in body.items())
    return lists[0] if len(lists) == 1 and not one_row else None


def _answer(item: object) -> Answer:
    if isinstance(item, list):
        if len(item) == 1:
            return _answer(item[0])
        scores = _scores(item)
        if scores is None:
            raise Unreadable("one answer a row")
        best = max(range(len(scores)), key=scores.__getitem__)
        return Answer(label=best, probability=scores[best])
    if not isinstance(item, Mapping):
        return Answer(label=plain(item))
    version = item.get("model_version")
    for name in LABELS:
        if name in item:
            return Answer(
                label=plain(item[name]),
                probability=fraction(item.get("probability")),
                version=version if isinstance(version, str) else None,
                flags=remarks(item),
            )
    return Answer(label=None, outputs=several(item))


def _scores(item: Sequence[object]) -> list[float] | None:
    """Return the probabilities of the classes of one row; ``None`` when it is something else."""
    known = [float(value) for value in item if is_number(value) and 0 <= value <= 1]
    return known if len(known) == len(item) > 1 and abs(sum(known) - 1) < 0.01 else None


def adapt(serving: Serving, names: tuple[str, ...]) -> Bento:
    """Return the adapter for the API that ``serving.mapping.predict`` names, or for one that is yet to be found."""
    return Bento(names=names, api=serving.mapping.predict, metrics=serving.mapping.metrics)


def settle(adapter: Adapter, ask: Ask, row: Row) -> Bento:
    """Return the adapter for an API that the service describes, in the first form that gets an answer."""
    assert isinstance(adapter, Bento)
    (reply,) = ask([Request(target=DOCUMENT)])
    described = reply.json() if reply.ok else None
    apis = _apis(described) if isinstance(described, Mapping) else {}
    path = adapter.api if adapter.api in apis or not apis else next(iter(apis))
    properties = apis.get(path, {})
    found = replace(adapter, api=path)
    if set(properties) >= set(adapter.names):
        return replace(found, form="features")
    if properties:
        found = replace(found, parameter=next(iter(properties)))
    forms = [replace(found, form=form) for form in _forms(properties.get(found.parameter, {}))]
    replies = ask([form.one(row) for form in forms])
    return next((form for form, said in zip(forms, replies, strict=True) if said.ok), forms[0])


def _apis(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the parameters of every API that takes JSON, by path."""
    found: dict[str, Mapping[str, Any]] = {}
    paths = document.get("paths")
    for path, methods in paths.items() if isinstance(paths, Mapping) else ():
        step: Any = methods
        for name in ("post", "requestBody", "content", "application/json", "schema"):
            step = step.get(name) if isinstance(step, Mapping) else None
        properties = step.get("properties") if isinstance(step, Mapping) else None
        if isinstance(properties, Mapping) and properties:
            found[str(path)] = {str(name): one if isinstance(one, Mapping) else {} for name, one in properties.items()}
    return found


def _forms(parameter: Mapping[str, Any]) -> tuple[Form, ...]:
    """Return the forms that a parameter may take, the likeliest first."""
    items = parameter.get("items")
    if parameter.get("type") == "object" or "$ref" in parameter:
        return ("object", "records", "lists", "list")
    if isinstance(items, Mapping) and items.get("type") in {"object", None} and parameter.get("type") == "array":
        return ("records", "lists", "list", "object")
    return ("lists", "list", "records", "object")


bentoml = Speech(
    id="bentoml",
    title=Text(en="BentoML services", ja="BentoML のサービス"),
    adapt=adapt,
    settle=settle,
)
