"""Sekisho's own protocol: ``POST /predict`` with ``{"features": {...}}`` or ``{"features": [...]}``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from sekisho.probes.adapters.interface import Answer, Routes, Row, Speech, Unreadable, fraction, plain, remarks
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


@dataclass(frozen=True, slots=True)
class Native:
    """The native protocol for the features ``names``."""

    names: tuple[str, ...]
    routes: Routes = ROUTES
    named: bool = True
    both: bool = True
    strict: bool = True

    def one(self, row: Row, *, positional: bool = False) -> Request:
        """Return the request for one row."""
        features: object = [row[name] for name in self.names] if positional else row
        return post(self.routes.predict, msgspec.json.encode({"features": features}))

    def many(self, rows: Sequence[Row]) -> Request:
        """Return the request for several rows."""
        return post(str(self.routes.batch), msgspec.json.encode([{"features": row} for row in rows]))

    def invocation(self, rows: Sequence[Row]) -> Request:
        """Return the request for several rows, as MLflow splits a table."""
        data = [[row[name] for name in self.names] for row in rows]
        body = msgspec.json.encode({"dataframe_split": {"columns": self.names, "data": data}})
        return post(str(self.routes.invocations), body)

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
        raise Unreadable("prediction")
    classes = body.get("probabilities")
    version = body.get("model_version")
    return Answer(
        label=plain(body["prediction"]),
        probability=fraction(body.get("probability")),
        probabilities={str(label): float(value) for label, value in classes.items()}
        if isinstance(classes, Mapping)
        else {},
        version=version if isinstance(version, str) else None,
        flags=remarks(body),
    )


native = Speech(
    id="native",
    title=Text(
        en="Sekisho's own, and services that keep to its routes", ja="Sekisho 独自形式と、同じルートを持つサービス"
    ),
    adapt=lambda _serving, names: Native(names),
)
