"""Keys that are missing, in the wrong place, or not good for what is asked; a service that is not open by accident; web pages as attackers."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path

from tests.attacks.service.attack import Chapter, Outcome, expect
from tests.attacks.service.client import Answer, one_answer
from tests.attacks.service.moves import check_refusal
from tests.attacks.service.own import Workshop, configuration
from tests.attacks.service.starts import refused_start
from tests.attacks.service.target import Target

KINDS = auth = Chapter("auth")
PUBLIC = {"/health", "/health/live", "/health/ready", "/ping", "/v2/health/live", "/v2/health/ready"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ADMINISTRATION = (
    *("/admin", "/admin/swap", "/admin/models", "/admin/rollback", "/admin/export", "/admin/erase", "/admin/shutdown"),
    *("/swap", "/rollback", "/export", "/erase", "/shutdown", "/reload", "/activate", "/config", "/debug", "/env"),
    *("/v2/repository/models/churn/load", "/v2/repository/models/churn/unload", "/actuator"),
)

K01 = auth(
    "K01",
    ("No key on any route", "鍵なしで全ルートを要求"),
    (
        "401 everywhere but for liveness and readiness; metrics and documents follow the policy",
        "死活・準備完了を除き 401。メトリクスと文書は方針どおり",
    ),
)
K04 = auth(
    "K04",
    ("Key in the wrong place", "誤った場所の鍵"),
    ("refused; it stands in no line of the log", "拒否。ログのどの行にも残らない"),
)
K10 = auth(
    "K10",
    ("Rights", "権限"),
    ("a key that may only predict gets 403 from everything else", "予測用の鍵では、それ以外はすべて 403"),
)
K11 = auth(
    "K11",
    ("Administration is not public", "管理機能は公開されない"),
    (
        "loopback alone unless there are keys; what administers asks for the key of an administrator",
        "鍵がなければループバックのみ。管理機能には管理者の鍵が必要",
    ),
)
K15 = auth(
    "K15",
    ("Browser as the attacker", "ブラウザーを踏み台にする攻撃"),
    (
        "no CORS by default; names of hosts are checked; what changes something needs the key",
        "CORS は既定で無効。ホスト名を検査。状態を変えるルートには鍵が必要",
    ),
)
XK1 = auth(
    "X-K1",
    ("Keys on one connection", "1つの接続での鍵の使い分け"),
    ("each request is judged by its own key", "リクエストごとにその鍵で判定"),
)


def documented(target: Target) -> list[tuple[str, str]]:
    """Return the methods and paths that the service documents, names of models filled in."""
    paths = target.ask("/openapi.json").json()["paths"]
    return [(method.upper(), path) for path, ways in paths.items() for method in ways if method.upper() in METHODS]


def answers_without(target: Target, **headers: str) -> Iterator[tuple[str, str, Answer]]:
    """Ask every documented route in every way without our key, and give the answers."""
    for path in sorted({path for _, path in documented(target)}):
        for method in METHODS:
            body = None if method in {"GET", "HEAD", "OPTIONS", "DELETE"} else b"{}"
            yield method, path, target.ask(path, body, method=method, bare=True, headers=headers)


def _no_key(target: Target) -> Outcome:
    asked = 0
    for method, path, answer in answers_without(target):
        asked += 1
        if path in PUBLIC and method in {"GET", "HEAD"}:
            expect(answer.status in {200, 503}, f"{method} {path}: {answer.status}")
            continue
        expect(answer.status in {401, 405, 501}, f"{method} {path}: {answer.status} without a key")
        if answer.status == 401:
            expect(answer.headers.get("www-authenticate", "").startswith("Bearer"), f"{path}: no challenge")
            if method != "HEAD":
                check_refusal(answer, target)
    for path in ("/metrics", "/docs", "/openapi.json", "/model/info"):
        expect(target.ask(path, bare=True).status == 401, f"{path} is open")
    return Outcome(seen="401", figures={"requests": asked})


def _unknown_routes(target: Target) -> Outcome:
    for path in (
        *ADMINISTRATION,
        "/static/x.js",
        "/docs/",
        "//metrics",
        "/metrics/",
        "/./metrics",
        "/health/../metrics",
    ):
        status = target.ask(path, bare=True).status
        expect(status in {400, 401, 404}, f"{path}: {status} without a key")
    return Outcome(seen="400, 401, 404")


K01.add("every-route", _no_key, needs=("ours", "key"))
K01.add("other-paths", _unknown_routes, needs=("key", "guarded"))


@K01.attack("old-protocol", needs=("key", "guarded"))
def _old_protocol(target: Target) -> Outcome:
    for line in (f"GET {target.guarded} HTTP/1.0", f"GET http://{target.host}:{target.port}{target.guarded} HTTP/1.1"):
        received = target.raw(line.encode() + b"\r\n" + target.host_field + b"\r\nConnection: close\r\n\r\n")
        expect(received.statuses in ([401], [400]), f"{line}: {received.statuses}")
    return Outcome(seen="401")


def places(key: str, path: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Return where a key may be put that is no place for one: the target, and header fields."""
    return {
        "query": (f"{path}?key={key}&api_key={key}&x-api-key={key}&access_token={key}", {}),
        "cookie": (path, {"cookie": f"x-api-key={key}; token={key}"}),
        "basic": (path, {"authorization": f"Basic {key}"}),
        "bare-authorization": (path, {"authorization": key}),
        "another-scheme": (path, {"authorization": f"Token {key}"}),
        "underscores": (path, {"x_api_key": key}),
        "proxy": (path, {"proxy-authorization": f"Bearer {key}"}),
        "another-field": (path, {"api-key": key, "x-auth-token": key, "x-access-token": key}),
        "empty-bearer": (path, {"authorization": "Bearer"}),
        "in-path": (f"{path}/{key}", {}),
        "user-of-host": (path, {"host": f"{key}@localhost"}),
        "request-id": (path, {"x-request-id": key[:60]}),
    }


def _misplaced(variant: str):  # type: ignore[no-untyped-def]
    def run(target: Target) -> Outcome:
        key = next(iter(target.keys.values()))
        path, headers = places(key, target.guarded)[variant]
        answer = target.ask(path, bare=True, headers=headers)
        expect(answer.status in {400, 401, 404}, f"{answer.status}")
        expect(key.encode() not in answer.body, "the key comes back")
        return Outcome(seen=str(answer.status))

    return run


for name in places("k", "/"):
    K04.add(name, _misplaced(name), needs=("key", "guarded", "ours"))


@K04.attack("body", needs=("ours", "key"))
def _in_body(target: Target) -> Outcome:
    key = next(iter(target.keys.values()))
    body = json.dumps({**target.question.good, "key": key, "api_key": key}).encode()
    expect(target.ask(target.question.path, body, bare=True).status == 401, "a key in the body is taken")
    return Outcome(seen="401")


@K04.attack("trailer", needs=("ours", "key"))
def _in_trailer(target: Target) -> Outcome:
    key = next(iter(target.keys.values()))
    body = b"%x\r\n%b\r\n0\r\nX-API-Key: %b\r\n\r\n" % (len(target.question.body), target.question.body, key.encode())
    head = f"POST {target.question.path} HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    received = target.raw(head.encode() + target.host_field + b"\r\n\r\n" + body, wait=1.0)
    expect(received.statuses in ([401], [400], []), f"{received.statuses}")
    return Outcome(seen=str(received.statuses))


@K04.attack("never-in-the-log", needs=("ours", "key", "log"))
def _not_logged(target: Target) -> Outcome:
    for key in target.keys.values():
        for path, headers in places(key, target.guarded).values():
            target.ask(path, bare=True, headers=headers)
            target.ask(path, headers={**headers, "x-request-id": "after"})
    assert target.process is not None
    written = "".join(target.process.lines())
    for key in target.keys.values():
        expect(key not in written and key[3:20] not in written, "a key stands in the log")
    return Outcome(seen="in no line")


@K10.attack("every-route", needs=("ours", "key"))
def _rights(target: Target) -> Outcome:
    refused = 0
    for holder, allowed in (("predict", {"predict", None}), ("metrics", {"metrics", None})):
        key = {"x-api-key": target.keys[holder]}
        for method, path in documented(target):
            if path in PUBLIC:
                continue
            needed = _scope(path)
            body = None if method in {"GET", "HEAD", "DELETE"} else b"{}"
            answer = target.ask(path, body, method=method, bare=True, headers=key)
            if needed in allowed:
                expect(answer.status not in {401, 403}, f"{holder}: {method} {path}: {answer.status}")
            else:
                refused += 1
                expect(answer.status == 403, f"{holder}: {method} {path}: {answer.status}")
    return Outcome(seen="403", figures={"refused": refused})


def _scope(path: str) -> str | None:
    """Return what a key must be good for at a documented path."""
    if path == "/metrics":
        return "metrics"
    if path.endswith(("/activate", "/reload", "/rollback")):
        return "admin"
    if re.search(r"/(predict|predict/batch|invocations|feedback|infer)$", path):
        return "predict"
    known = re.fullmatch(
        r"/v2(/models/[^/]+(/versions/[^/]+)?(/ready)?|/repository/index)?|/docs|/openapi\.json|/model/info|/models(/.*)?",
        path,
    )
    return None if known else "admin"


@K10.attack("administration", needs=("ours", "key"))
def _administration(target: Target) -> Outcome:
    key = {"x-api-key": target.keys["predict"]}
    for path in ADMINISTRATION:
        for method in ("GET", "POST", "PUT", "DELETE"):
            body = None if method in {"GET", "DELETE"} else b"{}"
            status = target.ask(path, body, method=method, bare=True, headers=key).status
            expect(status in {403, 404, 405}, f"{method} {path}: {status}")
    return Outcome(seen="403, 404, 405")


def _listens_on(running_port: int) -> set[str]:
    """Return the addresses, in hexadecimal, on which somebody listens at a port."""
    lines = [
        line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return {
        line[1].split(":")[0] for line in lines if line[3] == "0A" and int(line[1].split(":")[1], 16) == running_port
    }


@K11.attack("loopback-by-default", needs=("ours", "process"), on="tight")
def _loopback(target: Target) -> Outcome:
    found = _listens_on(target.port)
    expect(found == {"0100007F"}, f"it listens on {found}")
    return Outcome(seen="127.0.0.1 alone")


@configuration("workshop")
def _workshop(workshop: Workshop) -> Iterator[Target]:
    """No service: where attacks start their own, which may not come to be."""
    target = Target(url="http://127.0.0.1:9", ours=True)
    target.more["workshop"] = workshop
    yield target


for host in ("0.0.0.0", "::", "example.org"):

    @K11.attack(f"open-on-{host}", on="workshop", spares=("service",))
    def _open(target: Target, host: str = host) -> Outcome:
        line = refused_start(target.more["workshop"].iris, host=host, says="loopback")
        return Outcome(seen=line[:100])


@K15.attack("foreign-origin", needs=("ours", "body"), on="tight")
def _foreign_origin(target: Target) -> Outcome:
    origins = (
        "http://evil.example",
        "null",
        f"http://localhost.evil.example:{target.port}",
        f"https://{target.host}.evil",
    )
    for origin in origins:
        asks = {
            "origin": origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "x-api-key",
        }
        preflight = target.ask(target.question.path, method="OPTIONS", headers=asks)
        expect(preflight.status in {400, 403, 405}, f"the preflight gets {preflight.status}")
        answer = target.send(target.question, headers={"origin": origin})
        for got in (preflight, answer):
            expect(not [name for name in got.headers if name.startswith("access-control")], f"CORS for {origin}")
    return Outcome(seen="no access-control field")


@K15.attack("rebound-name", needs=("ours", "alive"), on="tight")
def _rebound(target: Target) -> Outcome:
    for host in (
        "rebound.example",
        "rebound.example:80",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
        "2130706433",
        "0",
    ):
        for path in (target.alive, target.question.path):
            head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
            received = target.raw(head.encode())
            expect(received.statuses == [400], f"{host}: {received.statuses}")
    return Outcome(seen="400")


@K15.attack("simple-post", needs=("ours", "body"), on="tight")
def _simple_post(target: Target) -> Outcome:
    before = target.counted()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        headers = {"origin": "http://evil.example", "content-type": kind}
        answer = target.ask(target.question.path, target.question.body, headers=headers)
        expect(answer.status in {400, 415}, f"{kind}: {answer.status}")
    expect(target.counted() == before, "something was predicted")
    return Outcome(seen="415")


@K15.attack("delete", needs=("ours",), on="usual")
def _delete(target: Target) -> Outcome:
    for method in ("DELETE", "PUT", "PATCH", "POST"):
        for _, path in documented(target):
            if path in PUBLIC and method != "POST":
                status = target.ask(path, method=method, bare=True).status
                expect(status == 405, f"{method} {path}: {status}")
                continue
            answer = target.ask(path, b"{}", method=method, bare=True, headers={"origin": "http://evil.example"})
            expect(answer.status in {401, 405}, f"{method} {path}: {answer.status} without a key")
    return Outcome(seen="401, 405")


@XK1.attack("one-after-the-other", needs=("ours", "key"))
def _one_after_the_other(target: Target) -> Outcome:
    connection = http.client.HTTPConnection(target.host, target.port, timeout=10)
    seen = []
    try:
        for key in ("admin", "", "predict", "nobody", "metrics", "admin"):
            secret = target.keys.get(key, key)
            connection.request("GET", "/metrics", headers={"x-api-key": secret} if secret else {})
            reply = connection.getresponse()
            reply.read()
            seen.append(reply.status)
    finally:
        connection.close()
    expect(seen in ([200, 401, 403, 401, 200, 200], [200, 401, 403, 429, 200, 200]), f"{seen}")
    return Outcome(seen=str(seen))


@XK1.attack("pipelined", needs=("ours", "key"))
def _pipelined(target: Target) -> Outcome:
    good = target.get(path=target.guarded)
    bare = target.get(path=target.guarded, bare=True)
    received = target.raw(good + bare + good + bare, wait=1.0)
    expect(received.statuses == [200, 401, 200, 401], f"{received.statuses}")
    return Outcome(seen=str(received.statuses))


@XK1.attack("same-bytes-after-another", needs=("ours", "key"))
def _same_bytes(target: Target) -> Outcome:
    bare = target.get(path=target.guarded, bare=True)
    with target.connect() as connection:
        for data, status in ((target.get(path=target.guarded), 200), (bare, 401), (bare, 401)):
            connection.sendall(data)
            answer = one_answer(connection)
            expect(answer.status == status, f"{answer.status}, not {status}")
    return Outcome(seen="200, 401, 401")
