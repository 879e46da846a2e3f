"""Any other JSON service, spoken to as ``serving.mapping`` describes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from sekisho.contract.sections import Mapping as Settings
from sekisho.probes.adapters.interface import Answer, Routes, Row, Speech, Unreadable, fraction, plain, remarks
from sekisho.probes.wire.message import Reply, Request, post
from sekisho.text import Text

POSITIONAL = '"{features}"'
NAMED = '"{named}"'
VERSION_NAMES = ("model_version", "version")


@dataclass(frozen=True, slots=True)
class Mapped:
    """The protocol that ``settings`` describes, for the features ``names``."""

    names: tuple[str, ...]
    settings: Settings
    both: bool = False

    @property
    def named(self) -> bool:
        """Whether features go by name."""
        return NAMED in self.settings.request

    @property
    def routes(self) -> Routes:
        """Where the service answers what."""
        return Routes(
            predict=self.settings.predict,
            batch=self.settings.batch,
            health=self.settings.health,
            ready=self.settings.ready,
            info=self.settings.info,
            metrics=self.settings.metrics,
        )

    def one(self, row: Row, *, positional: bool = False) -> Request:  # noqa: ARG002
        """Return the request for one row."""
        return post(self.settings.predict, self._body(row))

    def many(self, rows: Sequence[Row]) -> Request | None:
        """Return the request for several rows: a list of what one row is sent as."""
        if self.settings.batch is None:
            return None
        return post(self.settings.batch, b"[" + b",".join(self._body(row) for row in rows) + b"]")

    def invocation(self, rows: Sequence[Row]) -> None:  # noqa: ARG002
        """Return ``None``: a mapped service has one batch route at most."""
        return

    def read_one(self, reply: Reply) -> Answer:
        """Return the answer to one row."""
        return self._answer(reply.json())

    def read_many(self, reply: Reply) -> list[Answer]:
        """Return the answers in the order of the rows: a list, or the first list inside an object."""
        body = reply.json()
        if isinstance(body, Mapping):
            body = next((value for value in body.values() if isinstance(value, list)), None)
        if not isinstance(body, list):
            raise Unreadable("a list of answers")
        return [self._answer(item) for item in body]

    def _body(self, row: Row) -> bytes:
        values = [row[name] for name in self.names if name in row]
        extra = [value for name, value in row.items() if name not in self.names]
        listed = msgspec.json.encode([*values, *extra])
        body = self.settings.request.encode().replace(POSITIONAL.encode(), listed)
        return body.replace(NAMED.encode(), msgspec.json.encode(row))

    def _answer(self, body: object) -> Answer:
        label = body if not isinstance(body, Mapping | list) else _at(body, self.settings.label)
        probability = self.settings.probability
        named = body if isinstance(body, Mapping) else {}
        return Answer(
            label=plain(label),
            probability=None if probability is None else fraction(_at(body, probability)),
            version=next((str(named[name]) for name in VERSION_NAMES if isinstance(named.get(name), str)), None),
            flags=remarks(named),
        )


def _at(body: object, path: str) -> object:
    """Return what stands in ``body`` under keys and indexes joined by dots."""
    for step in path.split("."):
        if isinstance(body, Mapping) and step in body:
            body = body[step]
        elif isinstance(body, list) and step.isdecimal() and int(step) < len(body):
            body = body[int(step)]
        else:
            raise Unreadable(path)
    return body


mapping = Speech(
    id="mapping",
    title=Text(
        en="Any other JSON service, as serving.mapping describes it",
        ja="serving.mapping で記述したその他の JSON サービス",
    ),
    adapt=lambda serving, names: Mapped(names, serving.mapping),
)
