"""Versions, methods, and what belongs to one message and what to the next."""

from __future__ import annotations

import socket
import time

from tests.attacks.service.attack import Chapter, Outcome, expect
from tests.attacks.service.client import one_answer, read_all
from tests.attacks.service.moves import (
    CHUNKED,
    INNER,
    Bytes,
    Flood,
    chunked,
    chunks,
    fields,
    growth,
    refuse,
    take,
    told,
)
from tests.attacks.service.target import Target

KINDS = http = Chapter("http")


H20 = http("H20", ("Wrong protocol version", "誤ったプロトコルバージョン"), ("400 or 505, closed", "400 か 505 で切断"))
for name, version in {
    "9.9": b"HTTP/9.9",
    "2.0": b"HTTP/2.0",
    "3": b"HTTP/3",
    "1": b"HTTP/1",
    "1.10": b"HTTP/1.10",
    "01.1": b"HTTP/01.1",
    "lower": b"http/1.1",
    "https": b"HTTPS/1.1",
    "rtsp": b"RTSP/1.0",
    "ice": b"ICE/1.0",
    "minus": b"HTTP/-1.1",
    "word": b"HTTP/x.y",
    "comma": b"HTTP/1,1",
    "blank": b"HTTP/1.1 ",
}.items():
    refuse(H20, name, lambda t, version=version: t.get().replace(b"HTTP/1.1", version), {400, 505})  # type: ignore[misc]
refuse(H20, "0.9", lambda t: f"GET {t.alive}\r\n\r\n".encode(), {400, 505})
refuse(H20, "none", lambda t: f"GET {t.alive}\r\n".encode() + t.host_field + b"\r\n\r\n", {400, 505})
refuse(H20, "h2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 405, 505})
refuse(H20, "h2-frames", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" * 3, {400, 405, 505})


def as_method(method: str) -> Bytes:
    """Return what makes the good request with another method."""
    return lambda target: target.post(ECHO).replace(b"POST", method.encode(), 1)


H21 = http(
    "H21",
    ("Unexpected methods", "想定外のメソッド"),
    ("405 or 501 with Allow; TRACE never echoes headers", "405 か 501 と Allow。TRACE でヘッダーを返さない"),
)
ECHO = b"X-Echo: 4f1d2c"
for name, method in {
    "trace": "TRACE",
    "foo": "FOO",
    "delete": "DELETE",
    "put": "PUT",
    "patch": "PATCH",
    "propfind": "PROPFIND",
}.items():
    take(H21, name, lambda t, method=method: t.get(ECHO, method=method), {405, 501}, absent=b"4f1d2c")  # type: ignore[misc]
    take(H21, f"{name}-with-body", as_method(method), {405, 501})
take(H21, "get-where-post", lambda t: t.get(ECHO, path=t.question.path), {405}, absent=b"4f1d2c")
take(H21, "post-where-get", lambda t: t.post(ECHO, target=t.alive), {405})
take(H21, "options-star", lambda t: t.get(path="*", method="OPTIONS"), {200, 204, 400, 405, 501})
take(H21, "options", lambda t: t.get(path=t.question.path, method="OPTIONS"), {200, 204, 405, 501})
take(H21, "lower-case", lambda t: t.post().replace(b"POST", b"post", 1), {400, 405, 501})
take(H21, "mixed-case", lambda t: t.post().replace(b"POST", b"Post", 1), {400, 405, 501})
take(H21, "connect", lambda t: b"CONNECT localhost:1 HTTP/1.1\r\n" + t.host_field + b"\r\n\r\n", {400, 404, 405, 501})
take(
    H21,
    "connect-tunnel",
    lambda t: b"CONNECT localhost:1 HTTP/1.1\r\n" + t.host_field + b"\r\n\r\n" + INNER,
    {400, 404, 405, 501},
)
refuse(H21, "method-nul", lambda t: t.get().replace(b"GET", b"G\0T", 1), {400, 405, 501})
refuse(H21, "method-latin", lambda t: t.get().replace(b"GET", b"G\xc9T", 1), {400, 405, 501})
refuse(H21, "no-method", lambda t: t.get().replace(b"GET ", b" ", 1), {400, 405, 501})


X_H22 = http(
    "X-H22",
    ("Pipelined requests", "パイプライン化されたリクエスト"),
    (
        "answered in order; after one that cannot be read nothing is answered",
        "順に応答。読めないリクエストの後には何も応答しない",
    ),
)


@X_H22.attack("in-order", needs=("body",), on="tight")
def _in_order(target: Target) -> Outcome:
    names = [f"in-order-{n}".encode() for n in range(40)]
    sent = b"".join(
        target.post(b"X-Request-ID: " + one) if n % 3 else target.get(b"X-Request-ID: " + one)
        for n, one in enumerate(names)
    )
    received = target.raw(sent + target.get(b"Connection: close"))
    expect(received.statuses == [200] * 41, f"the answers are {received.statuses}")
    if target.ours:
        ids = [answer.headers["x-request-id"].encode() for answer in received.answers[:-1]]
        expect(ids == names, "the answers are not in order")
    return Outcome(seen=told(received))


@X_H22.attack("hot-routes-and-others", needs=("body",), on="tight")
def _mixed(target: Target) -> Outcome:
    """Bad and good ones, quick and slow routes: the answers stand where the requests stood."""
    good, bad = target.post(), target.post(body=b"{")
    other = target.get(path="/no-such-route")
    sent = (good + bad + other) * 10
    received = target.raw(sent + target.get(b"Connection: close"))
    first = received.statuses[:3]
    expect(first[0] == 200 and first[1] in {400, 422} and first[2] == 404, f"the answers begin {first}")
    expect(received.statuses == first * 10 + [200], f"the answers are {received.statuses}")
    return Outcome(seen=told(received))


@X_H22.attack("same-head-again", needs=("body",), on="tight")
def _same_head(target: Target) -> Outcome:
    """A head that was seen before, to the byte, makes no difference to what follows it."""
    good = target.post()
    bad = target.post(body=b"[" + b" " * (len(target.question.body) - 2) + b"]")
    statuses = []
    with target.connect() as connection:
        for sent in (good, good, bad, good, bad):
            connection.sendall(sent)
            statuses.append(one_answer(connection).status)
        # In two pieces, and with the next requests behind it.
        connection.sendall(good[:60])
        time.sleep(0.05)
        connection.sendall(good[60:] + good + bad)
        connection.shutdown(socket.SHUT_WR)
        statuses += read_all(connection).statuses
    refusal = statuses[2]
    expect(refusal in {400, 422}, f"a bad body gets {refusal}")
    expected = [200, 200, refusal, 200, refusal, 200, 200, refusal]
    expect(statuses == expected, f"the answers are {statuses}, not {expected}")
    return Outcome(seen=", ".join(map(str, statuses)))


@X_H22.attack("broken-in-the-middle", needs=("body",), on="tight")
def _broken(target: Target) -> Outcome:
    received = target.raw(target.post() * 2 + target.post(b"X-A : b") + target.post() * 3)
    expect(received.statuses == [200, 200, 400], f"the answers are {received.statuses}")
    expect(received.closed, "the connection stays open")
    return Outcome(seen=told(received))


@X_H22.attack("3000-at-once", needs=("alive",), on="tight")
def _far_too_many(target: Target) -> Outcome:
    before = target.process.rss() if target.process else 0
    with target.bystander() as other:
        received = target.raw(target.get() * 3000, wait=3)
    expect(set(received.statuses) <= {200, 429, 503}, f"the answers are {set(received.statuses)}")
    expect(not other.failures, f"another client got {other.failures[:3]}")
    figures = {"answers": len(received.statuses), "bystander_ms": other.longest}
    if target.process is not None:
        figures["rss_mib"] = growth(target, before)
        expect(figures["rss_mib"] < 32, f"memory grew by {figures['rss_mib']} MiB")
    return Outcome(seen=told(received)[-12:], figures=figures)


@X_H22.attack("3000-of-a-slow-route", needs=("ours",), on="tight")
def _more_than_wait(target: Target) -> Outcome:
    """More than may wait for their answers on one connection end it."""
    received = target.raw(target.get(path="/docs") * 3000, wait=3)
    expect(set(received.statuses) <= {200}, f"the answers are {set(received.statuses)}")
    expect(len(received.statuses) < 3000 and received.closed, "the connection stays open")
    return Outcome(seen="closed", figures={"answers": len(received.statuses)})


take(X_H22, "after-close", lambda t: t.get(b"Connection: close") + t.get() * 5)
take(X_H22, "after-http-1.0", lambda t: t.get().replace(b"HTTP/1.1", b"HTTP/1.0") + t.get() * 5)
take(X_H22, "blank-lines-before", lambda t: b"\r\n\r\n" + t.get(), {200, 400})
take(X_H22, "get-with-a-body", lambda t: t.get(b"Content-Length: %d" % len(INNER)) + INNER, {200, 400, 413})
take(X_H22, "get-with-chunks", lambda t: t.get(CHUNKED) + chunks(INNER), {200, 400, 413})
refuse(X_H22, "leftover", lambda t: t.post() + b"{}" * 8, {200, 400, 501}, answers=2)
X_H22.add(
    "blank-lines-for-ever",
    Flood(data=lambda t: b"\r\n" * 2**20, statuses={400, 408, 431}, answers=0, quiet=True),
    needs=("alive",),
    on="tight",
)


H23 = http(
    "H23",
    ("Forbidden trailer fields", "禁止されたトレーラーフィールド"),
    ("ignored or 400; who asks is read in the head alone", "無視か 400。認証はヘッダー部だけを見る"),
)
TRAILERS = {
    "authorization": b"Authorization: Bearer x\r\n",
    "content-length": b"Content-Length: 3\r\n",
    "host": b"Host: evil.example\r\n",
    "transfer-encoding": b"Transfer-Encoding: chunked\r\n",
    "content-type": b"Content-Type: text/plain\r\n",
    "request-id": b"X-Request-ID: from-a-trailer\r\n",
    "all": b"Authorization: Bearer x\r\nContent-Length: 3\r\nHost: evil.example\r\n",
}
for name, lines in TRAILERS.items():
    take(H23, name, chunked(trailers=lines), {200, 400}, absent=b"from-a-trailer")
for name, lines in {
    "folded": b"X-A: b\r\n c\r\n",
    "no-colon": b"X-A\r\n",
    "nul": b"X-A: \0\r\n",
    "blank-name": b"X-A : b\r\n",
}.items():
    refuse(H23, name, chunked(trailers=lines, after=INNER))
refuse(H23, "5000", chunked(trailers=b"".join(b"X-%d: a\r\n" % n for n in range(5000))), {400, 431})
refuse(H23, "1-mib", chunked(trailers=b"X: " + b"a" * 2**20 + b"\r\n"), {400, 413, 431})


@H23.attack("key", needs=("guarded", "key", "body"))
def _key_in_trailer(target: Target) -> Outcome:
    """A key that stands in the trailers alone opens nothing."""
    lines = b"".join(f"{name}: {value}\r\n".encode() for name, value in target.headers.items())
    keyless = Target(url=target.url, questions=target.questions, ours=target.ours)
    data = keyless.head(CHUNKED, b"Trailer: X-API-Key, Authorization") + chunks(keyless.question.body, trailers=lines)
    received = keyless.raw(data, half_close=True)
    expect(received.statuses and set(received.statuses) <= {400, 401, 403}, f"the answers are {received.statuses}")
    return Outcome(seen=told(received))


H24 = http(
    "H24",
    ("Expect: 100-continue with a body that will be refused", "拒否される本文への Expect: 100-continue"),
    ("413, 417 or 401 with no 100 Continue first", "100 Continue を返さずに 413・417・401"),
)


def _no_continue(variant: str, data: object, statuses: set[int], **more: object) -> None:
    def run(target: Target) -> Outcome:
        received = target.raw(data(target), wait=3)  # type: ignore[operator]
        expect(not received.interim, f"{received.interim} came first")
        expect(len(received.statuses) == 1 and received.statuses[0] in statuses, f"the answers are {received.statuses}")
        return Outcome(seen=told(received))

    H24.add(variant, run, **{"needs": ("body", "limit:body_bytes"), "on": "tight", **more})  # type: ignore[arg-type]


EXPECT = b"Expect: 100-continue"
_no_continue("over-the-limit", lambda t: t.head(EXPECT, length=int(t.limits["body_bytes"]) + 1), {413, 417})
_no_continue("far-over-the-limit", lambda t: t.head(EXPECT, length=10**12), {413, 417})
_no_continue("other-type", lambda t: t.head(EXPECT, length=10).replace(b"application/json", b"text/plain"), {415, 417})
_no_continue("no-route", lambda t: t.head(EXPECT, length=10, target="/no-such-route"), {404, 405, 417})
_no_continue(
    "no-key",
    lambda t: Target(url=t.url, questions=t.questions).head(EXPECT, length=10),
    {401},
    needs=("guarded", "body"),
    on="usual",
)
_no_continue("not-a-body", lambda t: t.get(EXPECT, b"Connection: close"), {200, 417})
_no_continue("http-1.0", lambda t: t.post(EXPECT).replace(b"HTTP/1.1", b"HTTP/1.0"), {200, 417})
_no_continue("something-else", lambda t: t.post(b"Expect: 200-ok"), {417})
_no_continue("twice", lambda t: t.post(EXPECT, b"Expect: 200-ok"), {400, 417})


@H24.attack("a-good-one", needs=("body",), on="tight")
def _continue(target: Target) -> Outcome:
    """A body that will be taken is asked for, and then answered."""
    with target.connect() as connection:
        connection.sendall(target.head(EXPECT, b"Connection: close", length=len(target.question.body)))
        first = connection.recv(100)
        expect(first == b"HTTP/1.1 100 Continue\r\n\r\n", f"first came {first!r}")
        connection.sendall(target.question.body)
        received = read_all(connection)
    expect(received.statuses == [200], f"the answers are {received.statuses}")
    return Outcome(seen=f"100, then {told(received)}")


X_UPGRADE = http(
    "X-H30",
    ("Upgrades that are not offered", "提供していないプロトコルへの切り替え"),
    ("answered as HTTP/1.1, or refused; never 101", "HTTP/1.1 として応答するか拒否。101 は返さない"),
)
for name, wishes in {
    "websocket": (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: x", b"Sec-WebSocket-Version: 13"),
    "h2c": (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
    "tls": (b"Connection: Upgrade", b"Upgrade: TLS/1.2"),
    "garbage": (b"Connection: Upgrade", b"Upgrade: " + b"x" * 1000),
}.items():
    take(X_UPGRADE, name, lambda t, wishes=wishes: t.get(*wishes) + INNER, {200, 400, 426, 501})  # type: ignore[misc]
    take(X_UPGRADE, f"{name}-post", lambda t, wishes=wishes: t.post(*wishes) + INNER, {200, 400, 426, 501})  # type: ignore[misc]
take(X_UPGRADE, "connection-names-a-field", fields(b"Connection: close, Content-Length"), {200, 400})
take(X_UPGRADE, "connection-names-the-key", fields(b"Connection: close, X-API-Key, Host"), {200, 400})
