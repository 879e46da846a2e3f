"""The OpenAPI document (3.1): the model's own features and ranges, an example that works, and every status that can come."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from sekisho.serving.problems import KINDS
from sekisho.serving.schema import label_schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sekisho.artifact.signature import Feature, Signature
    from sekisho.serving.routing import Notice, Route
    from sekisho.serving.settings import ServingSettings

ANY_ROUTE: Final = (400, 408, 414, 431, 500, 503)
"""Statuses that any route may answer: the request as HTTP sees it, and faults of the service."""
WITH_BODY: Final = (413, 415, 417)
WITH_KEY: Final = (401, 403, 429)
PREDICTION: Final = (422, 429, 504)


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Facts:
    """What the documents say of a model.

    Attributes:
        name: Its name.
        version: Its version.
        digest: The digest of the artifact.
        runtime: What runs it.
        model_type: Its class.
        signature: What goes in and what comes out.
        metadata: What is known of it, as JSON values.
        routes: Every prediction route.
        notices: The other routes of protocols.

    """

    name: str
    version: str
    digest: str
    runtime: str
    model_type: str
    signature: Signature
    metadata: Mapping[str, Any]
    routes: Sequence[Route]
    notices: Sequence[Notice] = ()

    def labels(self) -> dict[str, str]:
        """Return what tells this model from others, as labels of a metric."""
        return {
            "name": self.name,
            "version": self.version,
            "digest": self.digest,
            "runtime": self.runtime,
            "model_type": self.model_type,
        }


def document(models: Sequence[Facts], settings: ServingSettings) -> dict[str, Any]:
    """Return the whole document.

    Args:
        models: What is known of each model; the first answers where none is named.
        settings: How the service runs.

    """
    facts = models[0]
    paths: dict[str, Any] = {route.path: {"post": _prediction(route, route.path, settings)} for route in facts.routes}
    for path, summary, shown in _HEALTH:
        paths[path] = {"get": _status(path, summary, shown, settings)}
    for notice in facts.notices:
        paths[notice.path] = {"get": _notice(notice, settings)}
    if len(models) > 1:
        for one in models:
            paths |= _by_name(one, settings)
    metrics = {"200": {"description": "Prometheus text.", "content": {"text/plain": {"schema": {"type": "string"}}}}}
    paths["/metrics"] = {"get": _operation("/metrics", "Metrics for Prometheus, over all workers", metrics, settings)}
    told = {"200": _json("Every model, with its versions.", models_schema())}
    paths["/models"] = {"get": _operation("/models", "What is served", told, settings)}
    paths["/model/info"] = {"get": _info("/model/info", settings)}
    paths["/v2/repository/index"] = {"post": _index(settings)}
    for one in models:
        paths |= _changes(one, settings)
    paths["/feedback"] = {"post": _feedback("/feedback", facts.signature, settings)}
    page = {"200": {"description": "This page.", "content": {"text/html": {"schema": {"type": "string"}}}}}
    paths["/docs"] = {"get": _operation("/docs", "These routes, for people", page, settings)}
    itself = {"200": _json("This document.", {"type": "object"})}
    paths["/openapi.json"] = {"get": _operation("/openapi.json", "These routes, for programs", itself, settings)}
    described = f"Predictions of {facts.name} {facts.version} ({facts.model_type}), artifact {facts.digest}."
    described += " A prediction may carry X-Request-Timeout-Ms: how many milliseconds the caller waits for it."
    return {
        "openapi": "3.1.0",
        "info": {"title": facts.name, "version": facts.version, "description": described},
        "paths": paths,
        "components": {
            "schemas": {"Problem": _problem_schema()},
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": settings.key_header},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def info_of(facts: Facts) -> dict[str, Any]:
    """Return what ``/model/info`` answers."""
    signature = facts.signature
    return {
        "name": facts.name,
        "version": facts.version,
        "digest": facts.digest,
        "runtime": facts.runtime,
        "model_type": facts.model_type,
        "task": signature.output.task,
        "features": [_shown(feature) for feature in signature.features],
        "output": msgspec.to_builtins(signature.output),
        "metadata": facts.metadata,
    }


def _shown(feature: Feature) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.to_builtins(feature)
    if feature.personal:
        # What was seen in training is somebody's.
        members |= dict.fromkeys(("example", "categories", "minimum", "maximum"))
    return members


def models_schema() -> dict[str, Any]:
    """Return what ``/models`` answers."""
    models = {"type": "array", "items": _model_schema(), "minItems": 1}
    return _object({"default": {"type": "string"}, "models": models})


def _model_schema() -> dict[str, Any]:
    word = {"type": "string"}
    version = {"version": word, "digest": word, "role": {"enum": ["live", "beside", "previous"]}}
    return _object(
        {
            "name": word,
            "version": word,
            "digest": word,
            "state": {"enum": list(_STATES)},
            "versions": {"type": "array", "items": _object(version), "minItems": 1},
        }
    )


def info_schema() -> dict[str, Any]:
    """Return :func:`info_of` as JSON Schema."""
    words = ("name", "version", "digest", "runtime", "model_type")
    return {
        "type": "object",
        "properties": {
            **{word: {"type": "string"} for word in words},
            "task": {"enum": ["binary", "multiclass", "regression", "multi-output"]},
            "features": {"type": "array", "items": {"type": "object"}},
            "output": {"type": "object"},
            "metadata": {"type": "object"},
        },
        "required": [*words, "task", "features", "output", "metadata"],
        "additionalProperties": False,
    }


def feedback_schema(signature: Signature) -> dict[str, Any]:
    """Return what ``/feedback`` takes."""
    outcome = label_schema(signature) | {"description": f"What came true: {signature.output.name}."}
    return {
        "type": "object",
        "properties": {
            "request_id": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,128}$"},
            "row": {"type": "integer", "minimum": 0, "maximum": 2**31 - 1, "default": 0},
            "outcome": outcome,
        },
        "required": ["request_id", "outcome"],
        "additionalProperties": False,
    }


_STATES: Final = ("ready", "starting", "unsound", "draining", "overloaded", "ledger_unavailable")
_HEALTH: Final = (
    ("/health", "Whether the service is healthy", ("healthy", *_STATES[1:])),
    ("/health/live", "Whether the process is alive", ("alive",)),
    ("/health/ready", "Whether a prediction would be answered", _STATES),
    ("/ping", "The same, as SageMaker asks", ()),
)


def _by_name(facts: Facts, settings: ServingSettings) -> dict[str, Any]:
    """Return the routes of one model below its own path, and those of protocols that name it."""
    below = f"/models/{quote(facts.name, safe='')}"
    found: dict[str, Any] = {}
    for route in facts.routes:
        path = below + route.path if route.reach == "service" else route.path
        found[path] = {"post": _prediction(route, path, settings)}
    for path, summary, shown in _HEALTH[:3:2]:
        found[below + path] = {"get": _status(below + path, summary, shown, settings)}
    found |= {one.path: {"get": _notice(one, settings)} for one in facts.notices if one.reach != "service"}
    found[f"{below}/info"] = {"get": _info(f"{below}/info", settings)}
    found[f"{below}/feedback"] = {"post": _feedback(f"{below}/feedback", facts.signature, settings)}
    return found


def _index(settings: ServingSettings) -> dict[str, Any]:
    word = {"type": "string"}
    entry = _object({"name": word, "version": word, "state": {"enum": ["READY", "UNAVAILABLE"]}, "reason": word})
    answers = {"200": _json("Every version.", {"type": "array", "items": entry})}
    summary = "What is served, as the model repository extension of the Open Inference Protocol has it"
    asked = {"type": "object", "properties": {"ready": {"type": "boolean"}}, "additionalProperties": False}
    return {
        **_operation("/v2/repository/index", summary, answers, settings, more=(*WITH_BODY, 422)),
        "requestBody": {"content": {"application/json": {"schema": asked, "example": {"ready": True}}}},
    }


def _changes(facts: Facts, settings: ServingSettings) -> dict[str, Any]:
    """Return the routes by which the live version of a model is changed."""
    below = f"/models/{quote(facts.name, safe='')}"
    told = {"200": _json("The model, with its versions.", _model_schema())}
    found: dict[str, Any] = {below: {"get": _operation(below, "What is served of one model", told, settings)}}
    flag = {"allow_changed_signature": {"type": "boolean", "default": False}}
    word = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9.+_-]{0,63}$"}
    named = [
        {"type": "object", "properties": {name: word, **flag}, "required": [name], "additionalProperties": False}
        for name in ("version", "alias")
    ]
    plain = {"type": "object", "properties": flag, "additionalProperties": False}
    deeds: dict[str, tuple[str, dict[str, Any], dict[str, Any] | None]] = {
        "activate": ("Let another version take over (scope admin)", {"oneOf": named}, {"version": facts.version}),
        "reload": ("Look anew where the model came from (scope admin)", plain, {}),
        "rollback": ("Let the version take over that was live before (scope admin)", plain, None),
    }
    for deed, (summary, schema, example) in deeds.items():
        path = f"{below}/{deed}"
        answers = {"200": _json("The version that is live now.", _change_schema())}
        operation = _operation(path, summary, answers, settings, more=(*WITH_BODY, 403, 404, 409, 422))
        content = {"schema": schema} | ({} if example is None else {"example": example})
        body = {"required": deed == "activate", "content": {"application/json": content}}
        found[path] = {"post": {**operation, "requestBody": body}}
    return found


def _change_schema() -> dict[str, Any]:
    word = {"type": "string"}
    before = {"anyOf": [_object({"version": word, "digest": word}), {"type": "null"}]}
    return _object(
        {
            "name": word,
            "version": word,
            "digest": word,
            "changed": {"type": "boolean"},
            "before": before,
            "seconds": {"type": "number", "minimum": 0},
        }
    )


def _status(path: str, summary: str, shown: tuple[str, ...], settings: ServingSettings) -> dict[str, Any]:
    schema = _status_schema(shown) if shown else {"type": "object", "additionalProperties": False}
    answers = {"200": _json("Yes.", schema)} | ({} if shown == ("alive",) else {"503": _json("No.", schema)})
    return _operation(path, summary, answers, settings)


def _notice(notice: Notice, settings: ServingSettings) -> dict[str, Any]:
    answers = {"200": _json("Yes." if notice.tells else "As asked.", notice.schema)}
    if notice.tells:
        answers["503"] = _json("No.", notice.schema)
    return _operation(notice.path, notice.summary.en, answers, settings)


def _info(path: str, settings: ServingSettings) -> dict[str, Any]:
    answers = {"200": _json("What is known of the model.", info_schema())}
    return _operation(path, "What is known of the model", answers, settings)


def _prediction(route: Route, path: str, settings: ServingSettings) -> dict[str, Any]:
    operation = dict(route.operation())
    content = {media_type: {"schema": schema} for media_type, schema in operation.pop("answer").items()}
    answers = {"200": {"description": "The predictions.", "content": content, "headers": _headers()}}
    more = (*WITH_BODY, *PREDICTION, *((406,) if len(route.offer.answers) > 1 else ()))
    return {**_operation(path, operation.pop("summary"), answers, settings, more=more), **operation}


def _feedback(path: str, signature: Signature, settings: ServingSettings) -> dict[str, Any]:
    output = signature.output
    some = {one.name: one.classes[0] if one.classes else 1.0 for one in output.each}
    outcome = some if output.outputs else some[output.name]
    example = {"request_id": "0123456789-1", "row": 0, "outcome": outcome}
    body = {"schema": feedback_schema(signature), "example": example}
    answer = {"type": "object", "properties": {"status": {"const": "recorded"}}, "required": ["status"]}
    answers = {"200": _json("It is in the book.", answer)}
    return {
        **_operation(
            path, "Tell the outcome of an earlier request", answers, settings, more=(*WITH_BODY, 404, 409, 422)
        ),
        "requestBody": {"required": True, "content": {"application/json": body}},
    }


def _operation(
    path: str,
    summary: str,
    answers: dict[str, Any],
    settings: ServingSettings,
    *,
    more: tuple[int, ...] = (),
) -> dict[str, Any]:
    needs_key = settings.asks_who and path not in settings.public_routes
    codes = sorted({*ANY_ROUTE, *more, *(WITH_KEY if needs_key else ())})
    problems = {str(code): _problem(code, path) for code in codes}
    operation: dict[str, Any] = {
        "summary": summary,
        "operationId": re.sub(r"[^A-Za-z0-9]+", "_", path.strip("/")),
        "responses": {**problems, **answers},
    }
    if "503" in answers:
        operation["responses"]["503"] = _either(answers["503"], problems["503"])
    if needs_key:
        operation["security"] = [{"key": []}, {"bearer": []}]
    return operation


def _either(answer: dict[str, Any], problem: dict[str, Any]) -> dict[str, Any]:
    """Return both: a 503 of a health route and one of an overloaded service look different, and both can come."""
    content = {**problem["content"], **answer["content"]}
    for media_type in problem["content"].keys() & answer["content"].keys():
        schemas = [one["content"][media_type]["schema"] for one in (answer, problem)]
        content[media_type] = {"schema": {"anyOf": schemas}}
    return {**answer, "content": content}


def _problem(status: int, path: str) -> dict[str, Any]:
    codes = sorted(kind.code for kind in KINDS.values() if kind.status == status)
    schema: dict[str, Any] = {
        "allOf": [{"$ref": "#/components/schemas/Problem"}, {"properties": {"code": {"enum": codes}}}]
    }
    content = {"application/problem+json": {"schema": schema}}
    if path == "/v2" or path.startswith("/v2/"):
        # What cannot even be read as HTTP belongs to no protocol.
        worded = {"allOf": [*schema["allOf"], {"properties": {"error": {"type": "string"}}, "required": ["error"]}]}
        content = {"application/json": {"schema": worded}, **content}
    answer: dict[str, Any] = {
        "description": "; ".join(kind.title.en for kind in KINDS.values() if kind.status == status) + ".",
        "content": content,
        "headers": _headers(),
    }
    if status in {429, 503}:
        answer["headers"] = {**_headers(), "Retry-After": {"schema": {"type": "integer", "minimum": 1, "maximum": 60}}}
    return answer


def _json(description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}, "headers": _headers()}


def _headers() -> dict[str, Any]:
    return {"X-Request-ID": {"schema": {"type": "string"}}}


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _status_schema(words: tuple[str, ...]) -> dict[str, Any]:
    model = {} if words == ("alive",) else {"model_version": {"type": "string"}, "model_type": {"type": "string"}}
    several = {"models": {"type": "object", "additionalProperties": {"enum": list(_STATES)}}} if model else {}
    return {
        "type": "object",
        "properties": {"status": {"enum": list(words)}, **model, **several},
        "required": ["status", *model],
        "additionalProperties": False,
    }


def _problem_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "RFC 9457.",
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"enum": sorted(KINDS)},
            "request_id": {"type": "string"},
            "detail": {"type": "string"},
            "expected": {"type": "string"},
            "row": {"type": "integer", "minimum": 0},
            "field": {"type": "string"},
        },
        "required": ["type", "title", "status", "code", "request_id"],
    }
