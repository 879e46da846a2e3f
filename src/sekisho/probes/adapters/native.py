"""Sekisho's own protocol: ``POST /predict`` with ``{"features": {...}}`` or ``{"features": [...]}``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from sekisho.probes.adapters.interface import (
    Adapter,
    Answer,
    Ask,
    Routes,
    Row,
    Speech,
    Unreadable,
    class_of,
    fraction,
    plain,
    remarks,
    several,
)
from sekisho.probes.wire.message import Reply, Request, post
from sekisho.text import Text

ROUTES: Final = Routes(
    predict="/predict",
    batch="/predict/batch",
    invocations="/invocations",
    health="/health",
    ready="/health/ready",
    info="/model/info",
    metrics="/metrics",
)


NOT_OFFERED: Final = {404, 405}


@dataclass(frozen=True, slots=True)
class Native:
    """The native protocol for the features ``names``.

    ``listed`` is for services that take them by position alone, ``by_name_alone`` for those that take no list.
    """

    names: tuple[str, ...]
    routes: Routes = ROUTES
    listed: bool = False
    by_name_alone: bool = False

    @property
    def named(self) -> bool:
        """Whether features go by name."""
        return not self.listed

    @property
    def both(self) -> bool:
        """Whether features may also go as a plain list."""
        return not self.listed and not self.by_name_alone

    def one(self, row: Row, *, positional: bool = False) -> Request:
        """Return the request for one row."""
        return post(self.routes.predict, msgspec.json.encode(self._body(row, positional=positional)))

    def many(self, rows: Sequence[Row]) -> Request | None:
        """Return the request for several rows."""
        if self.routes.batch is None:
            return None
        return post(self.routes.batch, msgspec.json.encode([self._body(row) for row in rows]))

    def invocation(self, rows: Sequence[Row]) -> Request | None:
        """Return the request for several rows, as MLflow splits a table."""
        if self.routes.invocations is None:
            return None
        data = [[row[name] for name in self.names] for row in rows]
        body = msgspec.json.encode({"dataframe_split": {"columns": self.names, "data": data}})
        return post(self.routes.invocations, body)

    def _body(self, row: Row, *, positional: bool = False) -> dict[str, object]:
        if not self.listed and not positional:
            return {"features": row}
        known = [row[name] for name in self.names if name in row]
        return {"features": [*known, *(value for name, value in row.items() if name not in self.names)]}

    def read_one(self, reply: Reply) -> Answer:
        """Return the answer to one row."""
        return _answer(reply.json())

    def read_many(self, reply: Reply) -> list[Answer]:
        """Return the answers in the order of the rows."""
        body = reply.json()
        if not isinstance(body, Mapping) or not isinstance(body.get("predictions"), list):
            raise Unreadable("predictions")
        return [_answer(item) for item in body["predictions"]]


def _answer(body: object) -> Answer:
    if not isinstance(body, Mapping):
        return Answer(label=plain(body))
    if "prediction" not in body:
        return Answer(label=None, outputs=several(body))  # of an invocation: several answers by name
    classes = body.get("probabilities")
    version = body.get("model_version")
    if isinstance(body["prediction"], Mapping):
        return Answer(
            label=None,
            outputs=several(body["prediction"]),
            probabilities=_of_each(classes),
            version=version if isinstance(version, str) else None,
            flags=remarks(body),
        )
    return Answer(
        label=plain(body["prediction"]),
        probability=fraction(body.get("probability")),
        probabilities=_numbers((str(label), value) for label, value in classes.items())
        if isinstance(classes, Mapping)
        else {},
        version=version if isinstance(version, str) else None,
        flags=remarks(body),
    )


def _of_each(classes: object) -> dict[str, float]:
    """Return the probabilities of the classes of several answers."""
    if not isinstance(classes, Mapping):
        return {}
    return _numbers(
        (class_of(str(name), str(label)), value)
        for name, stated in classes.items()
        if isinstance(stated, Mapping)
        for label, value in stated.items()
    )


def _numbers(stated: Iterable[tuple[str, object]]) -> dict[str, float]:
    found = {name: fraction(value) for name, value in stated}
    known = {name: value for name, value in found.items() if value is not None}
    if len(known) < len(found):
        raise Unreadable("probabilities")
    return known


def settle(adapter: Adapter, ask: Ask, row: Row) -> Native:
    """Return the adapter without the routes that a service does not offer, by position if names mean nothing to it."""
    assert isinstance(adapter, Native)
    whole = adapter
    listed = replace(adapter, listed=True)
    by_name, by_position = ask([whole.one(row), listed.one(row)])
    speaks = listed if by_name.refused and by_position.ok else whole
    if by_name.ok and by_position.refused:
        speaks = replace(whole, by_name_alone=True)
    optional = {
        "ready": Request(target=str(ROUTES.ready)),
        "info": Request(target=str(ROUTES.info)),
        "batch": speaks.many([row]),
        "invocations": speaks.invocation([row]),
    }
    asked = {name: request for name, request in optional.items() if request is not None}
    replies = zip(asked, ask(list(asked.values())), strict=True)
    missing = {name for name, reply in replies if reply.status in NOT_OFFERED}
    routes = Routes(
        predict=ROUTES.predict,
        health=ROUTES.health,
        metrics=ROUTES.metrics,
        ready=None if "ready" in missing else ROUTES.ready,
        info=None if "info" in missing else ROUTES.info,
        batch=None if "batch" in missing else ROUTES.batch,
        invocations=None if "invocations" in missing else ROUTES.invocations,
    )
    return replace(speaks, routes=routes)


native = Speech(
    id="native",
    title=Text(
        en="Sekisho's own, and services that keep to its routes", ja="Sekisho 独自形式と、同じルートを持つサービス"
    ),
    adapt=lambda _serving, names: Native(names),
    settle=settle,
)
