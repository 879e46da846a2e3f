"""Who gets in: every route, asked by nobody, with wrong keys, with another's key, and with the right one."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
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
    *("/docs", "/redoc", "/openapi.json", "/swagger.json", "/metrics", "/model/info", "/info", "/version", "/models"),
    *("/admin", "/debug", "/debug/vars", "/status", "/config", "/logs", "/v2", "/v2/models", "/actuator/env"),
    *("/.env", "/.git/config"),
)
"""Routes that services have without naming them anywhere."""
GONE: Final = {404, 405}
SHUT: Final = {401, 403}
KEYED: Final = ("right key", "other key")
"""Ways of asking with a key that the service knows."""
_SAFE: Final = {"GET"}
_METHODS: Final = {"get": "GET", "post": "POST", "put": "PUT", "patch": "PATCH", "delete": "DELETE"}


@dataclass(frozen=True, kw_only=True, slots=True)
class RouteTrial:
    """One route, asked in every way.

    Attributes:
        method, target: The route.
        public: Whether the contract leaves it open.
        predicts: Whether it is one of those that answer rows.
        statuses: What each way of asking got: ``no key``, ``wrong key``, ``empty key``, ``key in the query``, those of :data:`ALMOST`,
            ``wrong values`` (no key, and a body that is no row), ``HEAD``, ``other key`` (known, without the right to predict), ``right key``; 0 when no answer came. Ways that could not be
            tried are missing.

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
        detours: What a route got without a key under other spellings of the address, by spelling.
        oracle: Whether a key that is nearly right is refused in other words than one that is not; ``None`` where there was none to try.

    """

    routes: tuple[RouteTrial, ...]
    has_key: bool
    has_other_key: bool
    detours: Mapping[str, int]
    oracle: bool | None = None


@probe("security/routes", title=Text(en="Walk the routes without a key", ja="キーなしで全ルートを確認"), seconds=2)
def routes(service: Service, security: Security, progress: Progress) -> RouteWalk:
    """Walk the routes of the protocol, those of the served OpenAPI, and common ones.

    Where the service is not ours to break, only what reads and what predicts is asked.
    """
    instance = service.main
    oracle = _oracle(service, instance)  # before a limit on guesses answers for the guard
    known = list(_known(service, instance))
    trials = []
    for step, (request, predicts) in enumerate(known):
        if _is_anything(instance, request, predicts=predicts):
            continue
        trial = _walk(service, security, request, predicts=predicts)
        if not set(trial.statuses.values()) <= GONE:
            trials.append(trial)
        progress.advance((step + 1) / len(known))
    return RouteWalk(
        routes=tuple(trials),
        has_key=instance.keys.full is not None,
        has_other_key=instance.keys.other is not None,
        detours=_detours(service, instance, trials),
        oracle=oracle,
    )


def _is_anything(instance: Instance, request: Request, *, predicts: bool) -> bool:
    """Return whether a route is one of those that a service which answers every address has not got: it says what a made-up one says."""
    if predicts or request.method != "GET" or request.target not in COMMON:
        return False
    asked, made_up = instance.ask([request, Request(target=f"/none-{secrets.token_hex(6)}")], caller=Caller.NOBODY)
    return made_up.ok and asked.ok and (asked.media_type, asked.body) == (made_up.media_type, made_up.body)


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
    if predicts:
        first = service.signature.names[0]
        wrong = {**service.rows[0], first: {"no": "value"}}
        ways["wrong values"] = replace(request, body=service.adapter.one(wrong).body)
    if request.method == "GET":
        ways["HEAD"] = replace(request, method="HEAD")
    if keys.full is not None:
        if predicts or request.target == service.adapter.routes.info:
            almost = {name: key for name, key in _almost(keys.full).items() if key != keys.full}
            ways |= {name: request.with_headers((keys.header, key)) for name, key in almost.items()}
        if not service.is_remote:  # an address is written to access logs, and those of others are not ours to fill
            query = "&".join(f"{name}={keys.full}" for name in ("api_key", "key", "token", keys.header))
            ways["key in the query"] = replace(request, target=f"{request.target}{joint}{query}")
        if predicts or request.method in _SAFE:
            ways["right key"] = instance.signed(request)
    if keys.other is not None and predicts:
        ways["other key"] = instance.signed(request, Caller.OTHER)
    replies = _replies(instance, ways)
    return RouteTrial(
        method=request.method,
        target=request.target,
        public=request.target in security.public_routes
        or request.target in {service.adapter.routes.health, service.adapter.routes.ready},
        predicts=predicts,
        statuses={name: reply.status for name, reply in replies.items()},
    )


def _replies(instance: Instance, ways: Mapping[str, Request]) -> dict[str, Reply]:
    """Ask in every way; where nobody gets in without a key, 429 to a wrong one is a limit on guesses, and waiting for it is no use."""
    (alone,) = instance.ask([ways["no key"]], caller=Caller.NOBODY, timeout=10.0)
    known = [name for name in KEYED if name in ways]
    strange = [name for name in ways if name not in {"no key", *KEYED}]
    replies = {"no key": alone}
    for names, patient in ((strange, alone.status not in SHUT), (known, True)):
        asked = [ways[name] for name in names]
        found = instance.ask(asked, caller=Caller.NOBODY, timeout=10.0, patient=patient) if asked else []
        replies |= dict(zip(names, found, strict=True))
    return {name: replies[name] for name in ways}


def _almost(key: str) -> dict[str, str]:
    """Return keys that are nearly right, or that careless services take."""
    return {
        "part of the key": key[: max(4, len(key) // 2)],
        "the key and more": f"{key}x",
        "the key in other letters": key.swapcase(),
        "a wildcard": "*",
        "a usual word": "admin",
        "a quote": "' OR '1'='1",
    }


ALMOST: Final = tuple(_almost("key"))


def _detours(service: Service, instance: Instance, trials: Sequence[RouteTrial]) -> dict[str, int]:
    """Ask guarded routes without a key where a guard that reads the address otherwise than the router may be passed."""
    rows = service.rows[:1]
    asked = [service.adapter.one(rows[0]), service.adapter.many(rows)]
    info = service.adapter.routes.info
    asked.append(None if info is None else Request(target=info))
    found: dict[str, int] = {}
    for request in asked:
        guarded = request is not None and any(
            (each.method, each.target) == (request.method, request.target)
            and not each.public
            and not 200 <= each.statuses["no key"] < 300
            for each in trials
        )
        if request is None or not guarded:
            continue
        ways = _spellings(service, request)
        replies = instance.ask(list(ways.values()), caller=Caller.NOBODY, timeout=10.0)
        for name, reply in zip(ways, replies, strict=True):
            passed = reply.ok and _is_it(service, instance, request, reply)
            if passed or (not reply.ok and name not in found):
                found[name] = reply.status
    return found


def _spellings(service: Service, request: Request) -> dict[str, Request]:
    """Return the same request in other words."""
    target, health = request.target, service.adapter.routes.health or "/health"
    encoded = f"{target[:-1]}%{ord(target[-1]):02x}"
    local = (("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1"), ("Forwarded", "for=127.0.0.1"))
    return {
        "a Host that holds a path": request.with_headers(("Host", f"x{health}?y=")),
        "doubled slash": replace(request, target=f"/{target}"),
        "dots": replace(request, target=f"{health}/..{target}"),
        "trailing slash": replace(request, target=f"{target}/"),
        "X-Original-URL": replace(request, target=health).with_headers(
            ("X-Original-URL", target), ("X-Rewrite-URL", target)
        ),
        "capital letters": replace(request, target=target.upper()),
        "percent encoding": replace(request, target=encoded),
        "X-Forwarded-For": request.with_headers(*local),
        "X-HTTP-Method-Override": request.with_headers(("X-HTTP-Method-Override", "GET")),
        "semicolon": replace(request, target=f"{target};{health}"),
        "health in the query": replace(request, target=f"{target}?{health}"),
    }


def _is_it(service: Service, instance: Instance, request: Request, reply: Reply) -> bool:
    """Return whether an answer is that of the guarded route, and not of the public one that was named beside it."""
    if request.method == "POST":
        return _predicted(service, reply)
    (health,) = instance.ask([Request(target=service.adapter.routes.health or "/health")], caller=Caller.NOBODY)
    return reply.body != health.body


def _oracle(service: Service, instance: Instance) -> bool | None:
    """Return whether a key that is nearly right is told apart from one that is not, by status or by words."""
    key = instance.keys.full
    if key is None or len(key) < 8 or {".", " "} & set(key):
        return None  # a token has a form of its own, which may be found wanting
    good = service.adapter.one(service.rows[0])
    half = len(key) // 2
    wrong = [secrets.token_urlsafe(len(key))[: len(key)] for _ in range(2)]
    near = [key[:half] + wrong[0][half:], key[:-1] + ("A" if key[-1] != "A" else "B")]
    requests = [good.with_headers((instance.keys.header, each)) for each in (*wrong, *near)]
    one, other, *nearly = (_said(reply) for reply in instance.ask(requests, caller=Caller.NOBODY, timeout=10.0))
    steady = {name for name, value in one.items() if other.get(name) == value}
    return any(each.keys() != one.keys() or any(each[name] != one[name] for name in steady) for each in nearly)


def _said(reply: Reply) -> dict[str, object]:
    """Return the members of a refusal, its status among them."""
    body = reply.json()
    members = dict(body) if isinstance(body, Mapping) else {"body": reply.body}
    return {**members, "the status itself": reply.status}


def _predicted(service: Service, reply: Reply) -> bool:
    if not reply.ok:
        return False
    for read in (service.adapter.read_one, service.adapter.read_many):
        try:
            read(reply)
        except Unreadable:
            continue
        return True
    return False
