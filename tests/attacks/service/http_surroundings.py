"""What surrounds a request: other protocols on the port, ranges, correlation headers, paths that lead elsewhere."""

from __future__ import annotations

import re

from tests.attacks.service.attack import Chapter, Outcome, expect, within
from tests.attacks.service.client import Client, read_all
from tests.attacks.service.moves import (
    Flood,
    Sent,
    take,
    told,
)
from tests.attacks.service.target import Target

KINDS = http = Chapter("http")


H25 = http(
    "H25",
    ("Range with thousands of ranges", "数千個の範囲を指定した Range"),
    (
        "200, 206 or 416 (431 when the field alone is too large) within 200 ms; another client does not notice",
        "200 ms 以内に 200・206・416（フィールド自体が大きすぎれば 431）。他の利用者に影響なし",
    ),
)
for name, count in {"1500": 1500, "10000": 10_000}.items():
    line = b"Range: bytes=" + b",".join(b"%d-%d" % (n, n) for n in range(0, 2 * count, 2))
    for where in ("/docs", "/openapi.json"):
        H25.add(
            f"{name}-{where[1:5]}",
            Flood(
                data=lambda t, line=line, where=where: t.get(line, b"Connection: close", path=where),  # type: ignore[misc]
                statuses={200, 206, 404, 416, 400, 431},
                seconds=0.2,
            ),
            needs=("alive",),
            on="tight",
        )
take(
    H25,
    "overlapping",
    lambda t: t.get(b"Range: bytes=" + b",".join([b"0-"] * 1000), path="/docs"),
    {200, 206, 404, 416},
)
take(H25, "nonsense", lambda t: t.get(b"Range: bytes=-0,9-1,a-b,%d-" % 2**70, path="/docs"), {200, 206, 400, 404, 416})


H26 = http(
    "H26",
    ("TLS bytes on the plain port and plain bytes on the TLS port", "平文ポートへの TLS、TLS ポートへの平文"),
    ("closed within 2 s, no traceback in the log", "2 秒以内に切断。ログにトレースバックなし"),
)
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(64))


def _closed_soon(variant: str, data: bytes, *, tls: bool = False) -> None:
    def run(target: Target) -> Outcome:
        where = Client(url=target.tls.replace("https:", "http:")) if tls else target
        with where.connect() as connection:
            connection.sendall(data)
            received = read_all(connection, wait=4)
        expect(received.closed, "the connection stays open")
        expect(
            all(400 <= status <= 505 and status != 500 for status in received.statuses),
            f"the answers are {received.statuses}",
        )
        return Outcome(seen=told(received), figures={"ms": within(received.milliseconds, 2000, "the end")})

    H26.add(variant, run, needs=("tls",) if tls else ("alive",), on="secured" if tls else "tight")


_closed_soon("hello", HELLO)
_closed_soon("alert", b"\x15\x03\x01\x00\x02\x02\x28")
_closed_soon("ssh", b"SSH-2.0-OpenSSH_9.2\r\n")
_closed_soon("smtp", b"EHLO example.com\r\n\r\n")
_closed_soon("redis", b"*1\r\n$4\r\nPING\r\n")
_closed_soon("postgres", b"\0\0\0\x08\x04\xd2\x16\x2f")
_closed_soon("rdp", b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0")
_closed_soon("zeros", b"\0" * 4096)
_closed_soon("random", bytes((n * 131 + 7) % 256 for n in range(4096)))
_closed_soon("plain-on-tls", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", tls=True)
_closed_soon("zeros-on-tls", b"\0" * 4096, tls=True)


H27 = http(
    "H27",
    ("Request id that splits the answer", "応答を分割するリクエスト ID"),
    ("a new id is made; no further response header", "新しい ID を作る。余計な応答ヘッダーは付かない"),
)

H28 = http(
    "H28",
    ("Absurd correlation headers", "異常な相関ヘッダー"),
    (
        "replaced or dropped, served or 431; a line of the log stays under 4 KiB",
        "置き換えるか捨てて応答、または 431。ログは1行 4 KiB 未満",
    ),
)
_NEW = re.compile(r"[0-9a-f-]{10,64}")


def _replaced(given: bytes, statuses: set[int]) -> object:
    def run(target: Target) -> Outcome:
        received = target.raw(target.get(b"X-Request-ID: " + given, b"Connection: close"))
        expect(len(received.statuses) == 1 and received.statuses[0] in statuses, f"the answers are {received.statuses}")
        (answer,) = received.answers
        expect("set-cookie" not in answer.headers and "x" not in answer.headers, "there is another header field")
        said = answer.headers.get("x-request-id", "")
        expect(said.encode("latin-1", "replace") != given or not said, "the id came back")
        if target.ours:
            expect(_NEW.fullmatch(said), f"the new id is {said!r}")
        return Outcome(seen=told(received))

    return run


def _split_in_two(target: Target) -> Outcome:
    received = target.raw(target.get(b"X-Request-ID: a\r\nX: y", b"Connection: close"))
    expect(received.statuses == [200], f"the answers are {received.statuses}")
    expect("x" not in received.answers[0].headers, "there is another header field")
    return Outcome(seen=told(received))


for name, given in {
    "percent": b"a%0d%0aSet-Cookie: x",
    "cr-lf": b"a\r\nX: y",
    "cr": b"a\rSet-Cookie: x",
    "lf": b"a\nSet-Cookie: x",
    "vertical-tab": b"a\x0bb",
    "blank": b"a b",
    "empty": b"",
    "markup": b"<script>",
    "quote": b'a"b',
    "latin": b"a\x85b",
    "utf-8-line": "a\u2028b".encode(),
    "unicode-cr": "a\u560d\u560aSet-Cookie: x".encode(),
}.items():
    # A line break of ours makes another header field of it, which does no harm: the id is then "a".
    H27.add(name, _replaced(given, {200, 400}) if name != "cr-lf" else _split_in_two, needs=("alive",), on="tight")  # type: ignore[arg-type]
for name, given in {"5000": b"x" * 5000, "emoji": "😀".encode(), "1-mib": b"x" * 2**20, "65536": b"x" * 65_536}.items():
    H28.add("id-" + name, _replaced(given, {200, 400, 431}), needs=("alive",), on="tight")  # type: ignore[arg-type]
for name, line in {
    "traceparent-garbage": b"traceparent: garbage",
    "traceparent-long": b"traceparent: 00-" + b"a" * 8000,
    "traceparent-zeros": b"traceparent: 00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01",
    "traceparent-version": b"traceparent: ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "traceparent-twice": b"traceparent: a\r\ntraceparent: b",
    "tracestate": b"tracestate: " + b",".join(b"k%d=v" % n for n in range(1000)),
    "baggage-1000": b"baggage: " + b",".join(b"k%d=v" % n for n in range(1000)),
    "baggage-10000": b"baggage: " + b",".join(b"k%d=v" % n for n in range(10_000)),
    "id-twice": b"X-Request-ID: a\r\nX-Request-ID: b",
    "correlation": b"X-Correlation-ID: " + b"x" * 8000,
    "agent": b"User-Agent: " + b"x" * 12_000,
    "b3": b"b3: " + b"-" * 5000,
}.items():
    H28.add(
        name,
        Sent(data=lambda t, line=line: t.get(line, b"Connection: close"), statuses={200, 400, 431}, absent=b"k999"),  # type: ignore[misc]
        needs=("alive",),
        on="tight",
    )


H29 = http(
    "H29",
    ("Path traversal", "パストラバーサル"),
    ("404 or 400; no file outside is opened", "404 か 400。外のファイルは開かない"),
)
for name, path in {
    "dots": "/docs/..%2f..%2fetc/passwd",
    "plain": "/docs/../../etc/passwd",
    "twice": "/docs/%252e%252e/%252e%252e/etc/passwd",
    "back": "/docs/..\\..\\etc\\passwd",
    "back-encoded": "/docs/..%5c..%5cetc%5cpasswd",
    "models": "/models/..%2f..%2fetc/passwd",
    "v2": "/v2/models/..%2f..%2fetc%2fpasswd",
    "v2-infer": "/v2/models/..%2f..%2fetc/infer",
    "v2-dots": "/v2/models/../../../etc/passwd",
    "v2-versions": "/v2/models/iris/versions/..%2f..%2f1",
    "absolute": "//etc/passwd",
    "nul": "/docs%00/etc/passwd",
    "nul-end": "/etc/passwd%00.html",
    "overlong": "/docs/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
    "half": "/docs/%2",
    "no-hex": "/docs/%zz",
    "four-dots": "/docs/....//....//etc/passwd",
    "semicolon": "/docs/..;/..;/etc/passwd",
    "file": "/file:///etc/passwd",
    "unicode": "/docs/%u002e%u002e/etc/passwd",
    "proc": "/docs/..%2f..%2fproc/self/environ",
    "drive": "/docs/C:%5cwindows%5cwin.ini",
    "key-file": "/../keys",
    "openapi": "/openapi.json/..%2f..%2fetc/passwd",
    "metrics": "/metrics/..%2f..%2fetc/passwd",
}.items():
    H29.add(
        name,
        Sent(
            data=lambda t, path=path: t.get(b"Connection: close", path=path),  # type: ignore[misc]
            statuses={400, 404, 405},
            absent=b"root:",
        ),
        needs=("alive",),
        on="tight",
    )
