"""Who gets in: every route, asked by nobody, with wrong keys, with another's key, and with the right one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sekisho.contract.sections import Security
from sekisho.gate.probe import Progress, probe
from sekisho.probes.adapters.interface import Unreadable
from sekisho.probes.resources.instance import Caller, Instance
from sekisho.probes.resources.service import Service
from sekisho.probes.wire.message import JSON, Reply, Request
from sekisho.text import Text

COMMON: Final = (
    "/docs",
    "/redoc",
    "/openapi.json",
    "/metrics",
    "/model/info",
    "/admin",
    "/debug",
    "/status",
    "/config",
)
"""Routes that services have without naming them anywhere."""
GONE: Final = {404, 405}
_SAFE: Final = {"GET"}
_METHODS: Final = {"get": "GET", "post": "POST", "put": "PUT", "patch": "PATCH", "delete": "DELETE"}


@dataclass(frozen=True, kw_only=True, slots=True)
class RouteTrial:
    """One route, asked in every way.

    Attributes:
        method, target: The route.
        public: Whether the contract leaves it open.
        predicts: Whether it is one of those that answer rows.
        statuses: What each way of asking got: ``no key``, ``wrong key``, ``empty key``, ``key in the query``, ``other key``
            (known, without the right to predict), ``right key``; 0 when no answer came. Ways that could not be tried are missing.

    """

    method: str
    target: str
    public: bool
    predicts: bool
    statuses: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class RouteWalk:
    """Every route that exists.

    Attributes:
        routes: Every route.
        has_key: Whether there was a right key to try.
        has_other_key: Whether there was a known key without the right to predict.
        detours: What a prediction got without a key under other spellings of the address, by spelling.

    """

    routes: tuple[RouteTrial, ...]
    has_key: bool
    has_other_key: bool
    detours: Mapping[str, int]


@probe("security/routes", title=Text(en="Walk the routes without a key", ja="キーなしで全ルートを確認"), seconds=2)
def routes(service: Service, security: Security, progress: Progress) -> RouteWalk:
    """Walk the routes of the protocol, those of the served OpenAPI, and common ones.

    Where the service is not ours to break, only what reads and what predicts is asked.
    """
    instance = service.main
    known = list(_known(service, instance))
    trials = []
    for step, (request, predicts) in enumerate(known):
        trial = _walk(service, security, request, predicts=predicts)
        if not set(trial.statuses.values()) <= GONE:
            trials.append(trial)
        progress.advance((step + 1) / len(known))
    return RouteWalk(
        routes=tuple(trials),
        has_key=instance.keys.full is not None,
        has_other_key=instance.keys.other is not None,
        detours=_detours(service, instance),
    )


def _known(service: Service, instance: Instance) -> Iterator[tuple[Request, bool]]:
    """Yield a request for every route that may exist, and whether it predicts; each route once."""
    adapter, rows = service.adapter, service.rows[:2]
    predicting = [adapter.one(rows[0]), adapter.many(rows), adapter.invocation(rows)]
    routes = adapter.routes
    reading = [routes.health, routes.ready, routes.info, routes.metrics, *COMMON]
    candidates = [(request, True) for request in predicting if request is not None]
    candidates += [(Request(target=target), False) for target in reading if target is not None]
    candidates += [(request, False) for request in _documented(instance)]
    seen: set[tuple[str, str]] = set()
    for request, predicts in candidates:
        if (request.method, request.target) in seen or (
            service.is_remote and not predicts and request.method not in _SAFE
        ):
            continue
        seen.add((request.method, request.target))
        yield request, predicts


def _documented(instance: Instance) -> Iterator[Request]:
    """Yield a request for every route of the served OpenAPI; path parameters get a value that names nothing."""
    (reply,) = instance.ask([Request(target="/openapi.json")])
    document = reply.json()
    paths = document.get("paths") if isinstance(document, Mapping) else None
    for target, methods in (paths or {}).items() if isinstance(paths, Mapping) else ():
        filled = "/".join("none" if part.startswith("{") else part for part in str(target).split("/"))
        for name in methods if isinstance(methods, Mapping) else ():
            method = _METHODS.get(str(name).lower())
            if method is not None:
                body = b"{}" if method not in _SAFE and method != "DELETE" else b""
                headers = (("Content-Type", JSON),) if body else ()
                yield Request(method=method, target=filled, body=body, headers=headers)


def _walk(service: Service, security: Security, request: Request, *, predicts: bool) -> RouteTrial:
    instance = service.main
    keys = instance.keys
    joint = "&" if "?" in request.target else "?"
    ways: dict[str, Request] = {
        "no key": request,
        "wrong key": request.with_headers((keys.header, "sk-0123456789abcdef0123456789abcdef")),
        "empty key": request.with_headers((keys.header, "")),
    }
    if keys.full is not None:
        if not service.is_remote:  # an address is written to access logs, and those of others are not ours to fill
            query = "&".join(f"{name}={keys.full}" for name in ("api_key", "key", "token", keys.header))
            ways["key in the query"] = replace(request, target=f"{request.target}{joint}{query}")
        if predicts or request.method in _SAFE:
            ways["right key"] = instance.signed(request)
    if keys.other is not None and predicts:
        ways["other key"] = instance.signed(request, Caller.OTHER)
    replies = dict(zip(ways, instance.ask(list(ways.values()), caller=Caller.NOBODY, timeout=10.0), strict=True))
    return RouteTrial(
        method=request.method,
        target=request.target,
        public=request.target in security.public_routes,
        predicts=predicts,
        statuses={name: reply.status for name, reply in replies.items()},
    )


def _detours(service: Service, instance: Instance) -> dict[str, int]:
    """Ask for a prediction without a key where a guard that reads the address otherwise than the router may be passed."""
    good = service.adapter.one(service.rows[0])
    health = service.adapter.routes.health or "/health"
    ways = {
        "a Host that holds a path": good.with_headers(("Host", f"x{health}?y=")),
        "doubled slash": replace(good, target="/" + good.target),
        "dots": replace(good, target=f"{health}/..{good.target}"),
        "trailing slash": replace(good, target=f"{good.target}/"),
        "X-Original-URL": replace(good, target=health).with_headers(("X-Original-URL", good.target)),
    }
    replies = instance.ask(list(ways.values()), caller=Caller.NOBODY, timeout=10.0)
    return {
        name: reply.status
        for name, reply in zip(ways, replies, strict=True)
        if _predicted(service, reply) or not reply.ok
    }


def _predicted(service: Service, reply: Reply) -> bool:
    if not reply.ok:
        return False
    try:
        service.adapter.read_one(reply)
    except Unreadable:
        return False
    return True
