"""What the service answers on the routes of its protocol, and which version each of them names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.signature import Output
from sekisho.gate.probe import probe
from sekisho.probes.adapters.interface import Answer, Scalar, Unreadable
from sekisho.probes.resources.service import Service
from sekisho.probes.wire.message import Reply, Request
from sekisho.text import Text

ROWS_OF_A_BATCH: Final = 3
_VERSION_NAMES: Final = ("model_version", "version")


@dataclass(frozen=True, kw_only=True, slots=True)
class RouteSeen:
    """One route, asked once as its protocol has it.

    Attributes:
        name: What it is for: ``health``, ``ready``, ``info``, ``predict``, ``batch`` or ``invocations``.
        target: Where it is.
        status: The HTTP status; 0 when no answer came.
        media_type: Of the answer.
        is_json: Whether the answer is JSON.

    """

    name: str
    target: str
    status: int
    media_type: str
    is_json: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Surface:
    """The routes of the service.

    Attributes:
        protocol: The id of the adapter.
        routes: Every route of the protocol.
        task: What kind of answer the model gives.
        label: Whether the answer holds a class of the model, or a finite number; ``None`` when the classes are not known.
        probability: Whether the probability lies between 0 and 1; ``None`` when there is none.
        answers: How many answers came, by route.
        asked: How many rows each route was asked.
        versions: The version that each place names: ``artifact`` and the names of routes.

    """

    protocol: str
    routes: tuple[RouteSeen, ...]
    task: str
    label: bool | None
    probability: bool | None
    answers: Mapping[str, int]
    asked: Mapping[str, int]
    versions: Mapping[str, str]


@probe("inference/surface", title=Text(en="Ask every route of the service", ja="サービスの各ルートを確認"), seconds=1)
def surface(service: Service, artifact: ModelArtifact | None) -> Surface:
    """Ask each route of the protocol once, the predicting ones with rows of the test set."""
    adapter, routes = service.adapter, service.adapter.routes
    some = service.rows[:ROWS_OF_A_BATCH]
    asked: dict[str, Request | None] = {
        name: Request(target=target)
        for name, target in (("health", routes.health), ("ready", routes.ready), ("info", routes.info))
        if target is not None
    }
    asked |= {"predict": adapter.one(some[0]), "batch": adapter.many(some), "invocations": adapter.invocation(some)}
    sent = {name: request for name, request in asked.items() if request is not None}
    instance = service.main
    replies = dict(zip(sent, instance.ask(list(sent.values())), strict=True))
    instance.must_live(list(replies.values()))
    answers = {name: _answers(service, name, replies[name]) for name in sent if name in _ROWS_ASKED}
    first = next(iter(answers["predict"]), None)
    versions = {} if artifact is None else {"artifact": artifact.version}
    versions |= {name: version for name, reply in replies.items() if (version := _version(reply.json())) is not None}
    versions |= {
        name: version for name, given in answers.items() for version in [given[0].version if given else None] if version
    }
    output = service.signature.output
    return Surface(
        protocol=type(adapter).__name__.lower(),
        routes=tuple(_seen(name, sent[name], reply) for name, reply in replies.items()),
        task=output.task,
        label=None if first is None else _are_labels(first, output),
        probability=None if first is None or first.probability is None else 0.0 <= first.probability <= 1.0,
        answers={name: len(given) for name, given in answers.items()},
        asked={name: 1 if name == "predict" else len(some) for name in answers},
        versions=versions,
    )


_ROWS_ASKED: Final = {"predict", "batch", "invocations"}


def _answers(service: Service, name: str, reply: Reply) -> list[Answer]:
    if not reply.ok:
        return []
    try:
        return [service.adapter.read_one(reply)] if name == "predict" else service.adapter.read_many(reply)
    except Unreadable:
        return []


def _seen(name: str, request: Request, reply: Reply) -> RouteSeen:
    return RouteSeen(
        name=name,
        target=request.target,
        status=reply.status,
        media_type=reply.media_type,
        is_json=reply.json() is not None,
    )


def _are_labels(answer: Answer, output: Output) -> bool | None:
    """Return whether every answer that the model gives is there, and is one that it can give."""
    if not output.outputs:
        return _is_label(answer.label, output)
    return answer.outputs.keys() == {one.name for one in output.outputs} and all(
        _is_label(answer.outputs[one.name], one) is not False for one in output.outputs
    )


def _is_label(label: Scalar, output: Output) -> bool | None:
    if output.task == "regression":
        return isinstance(label, int | float) and not isinstance(label, bool) and math.isfinite(label)
    if output.classes is None:
        return None
    return any(type(label) is type(known) and label == known for known in output.classes)


def _version(body: object) -> str | None:
    """Return the version that a JSON object names at its top, or one level below under ``model`` or ``metadata``."""
    if not isinstance(body, Mapping):
        return None
    for name in _VERSION_NAMES:
        if isinstance(body.get(name), str):
            return str(body[name])
    for name in ("model", "metadata"):
        inner = body.get(name)
        if isinstance(inner, Mapping) and (found := _version(inner)) is not None:
            return found
    return None
