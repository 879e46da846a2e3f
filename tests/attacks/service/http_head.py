"""The head of a request: lines, names, hosts, targets, and how long they may be (RFC 9110, RFC 9112)."""

from __future__ import annotations

from tests.attacks.service.attack import Chapter
from tests.attacks.service.moves import (
    INNER,
    Flood,
    Sent,
    chunked,
    fields,
    refuse,
    take,
)

KINDS = http = Chapter("http")


H10 = http("H10", ("Space before the colon", "コロンの前の空白"), ("400", "400"))
refuse(H10, "content-length", lambda t: t.head(b"Content-Length : %d" % len(t.question.body)) + t.question.body)
refuse(H10, "transfer-encoding", chunked(coding=b"Transfer-Encoding : chunked", after=INNER))
refuse(H10, "host", lambda t: t.post().replace(b"Host:", b"Host :"))
refuse(H10, "other", fields(b"X-Tag : 36"))
refuse(H10, "tab", fields(b"X-Tag\t: 36"))
refuse(H10, "first-line", lambda t: t.post().replace(b"Host:", b" Host:"))


H11 = http("H11", ("Folded header line", "折り返されたヘッダー行"), ("400", "400"))
for name, lines in {
    "blank": (b"X-A: b\r\n c",),
    "tab": (b"X-A: b\r\n\tc",),
    "last": (b"X-A: b\r\n ",),
    "hides-a-field": (b"X-A: b\r\n Content-Length: 1",),
}.items():
    refuse(H11, name, fields(*lines))


H12 = http("H12", ("Control characters in a header value", "ヘッダー値の制御文字"), ("400", "400"))
for name, line in {
    "nul": b"X-A: a\0b",
    "cr": b"X-A: a\rX-B: b",
    "lf": b"X-A: a\nX-B: b",
    "cr-at-the-end": b"X-A: a\r",
    "nul-first": b"X-A: \0",
    "backspace": b"X-A: a\x08b",
    "escape": b"X-A: a\x1b[31m",
    "delete": b"X-A: a\x7f",
}.items():
    refuse(H12, name, fields(line))


H13 = http(
    "H13",
    ("No Host, two Hosts, or none that can be", "Host がない、2つある、または不正"),
    ("400; HTTP/1.0 may do without", "400。HTTP/1.0 では省略可"),
)
refuse(H13, "none", lambda t: t.get().replace(t.host_field + b"\r\n", b""))
refuse(H13, "none-post", lambda t: t.post().replace(t.host_field + b"\r\n", b""))
refuse(H13, "same-twice", lambda t: t.get(t.host_field))
refuse(H13, "different", lambda t: t.get(b"Host: evil.example"))
for name, host in {
    "empty": b"",
    "list": b"localhost, evil.example",
    "user": b"user@localhost",
    "port-word": b"localhost:http",
    "blank": b"local host",
    "scheme": b"http://localhost",
    "bracket": b"[::1",
    "comma-port": b"localhost:80,81",
    "raw": b"loc\xffalhost",
}.items():
    refuse(H13, name, lambda t, host=host: t.get().replace(t.host_field, b"Host: " + host))  # type: ignore[misc]
take(H13, "http-1.0", lambda t: t.get().replace(b"HTTP/1.1", b"HTTP/1.0").replace(t.host_field + b"\r\n", b""))


H14 = http(
    "H14",
    ("Fields that rewrite the URL, on a guarded route", "保護されたルートで URL を書き換えるヘッダー"),
    ("401 or 400; never 200 without a key", "401 か 400。鍵なしで 200 を返さない"),
)
for name, host in {
    "query": b"x/health?y=",
    "fragment": b"x#/",
    "path": b"localhost/health",
    "back": b"x\\health",
}.items():
    H14.add(
        name,
        Sent(
            data=lambda t, host=host: t.get(path=t.guarded, bare=True).replace(t.host_field, b"Host: " + host),  # type: ignore[misc]
            statuses={400, 401, 403},
        ),
        needs=("guarded",),
    )
for name, line in {
    "x-original-url": b"X-Original-URL: /health",
    "x-rewrite-url": b"X-Rewrite-URL: /health",
    "x-forwarded-prefix": b"X-Forwarded-Prefix: /health",
    "x-forwarded-uri": b"X-Forwarded-Uri: /health",
    "x-http-method-override": b"X-HTTP-Method-Override: HEAD",
    "x-forwarded-host": b"X-Forwarded-Host: localhost/health",
    "forwarded": b'Forwarded: for=127.0.0.1;host="localhost/health"',
}.items():
    H14.add(
        name,
        Sent(data=lambda t, line=line: t.get(line, path=t.guarded, bare=True), statuses={400, 401, 403}),  # type: ignore[misc]
        needs=("guarded",),
    )
for name, path in {
    "dots": "/health/..{}",
    "double-slash": "/{}",
    "dot": "/.{}",
    "semicolon": "{};/health",
    "trailing-slash": "{}/",
    "encoded": "/%2e{}",
    "encoded-slash": "/health%2f..{}",
    "question": "{}?/health",
    "absolute": "http://localhost{}",
    "absolute-user": "http://localhost@evil.example{}",
    "upper-case": "{}",
    "null": "{}%00/health",
}.items():
    H14.add(
        "path-" + name,
        Sent(
            data=lambda t, path=path, name=name: t.get(  # type: ignore[misc]
                path=path.format(t.guarded.upper() if name == "upper-case" else t.guarded), bare=True
            ),
            statuses={400, 401, 403, 404},
        ),
        needs=("guarded",),
    )


X_H15 = http(
    "X-H15",
    ("Request targets of other forms", "通常とは異なる形のリクエスト先"),
    ("the absolute form is read, everything else refused", "絶対形式は読み、それ以外は拒否"),
)
take(X_H15, "absolute", lambda t: t.get(path=f"http://{t.host}:{t.port}{t.alive}"))
take(X_H15, "absolute-upper", lambda t: t.get(path=f"HTTP://{t.host}:{t.port}{t.alive}"))
for name, target in {
    "user": "http://user@{}{}",
    "password": "http://user:secret@{}{}",
    "no-host": "http://{1}",
    "fragment": "http://{}{}#x",
    "ftp": "ftp://{}{}",
    "file": "file:///etc/passwd",
    "authority": "{}",
    "star": "*",
    "relative": "health",
    "dot": ".{1}",
    "blank": "{1} x",
    "plain-fragment": "{1}#x",
    "bracket": "http://[::1{1}",
    "back": "\\health",
    "empty": "",
}.items():
    refuse(
        X_H15,
        name,
        lambda t, target=target: t.get().replace(  # type: ignore[misc]
            f"GET {t.alive} ".encode(), b"GET %b " % target.format(f"{t.host}:{t.port}", t.alive).encode()
        ),
        {400, 404, 405},
    )
for name, byte in {
    "nul": b"\0",
    "escape": b"\x1b",
    "tab": b"\t",
    "latin": b"\xe9",
    "delete": b"\x7f",
    "cr": b"\r",
}.items():
    refuse(
        X_H15,
        "byte-" + name,
        lambda t, byte=byte: t.get().replace(f"GET {t.alive} ".encode(), b"GET %b%bx " % (t.alive.encode(), byte)),  # type: ignore[misc]
        {400, 404},
    )
refuse(
    X_H15, "other-host", lambda t: t.get(path=f"http://evil.example{t.guarded or '/model/info'}"), {400, 401, 404, 421}
)
take(X_H15, "two-blanks", lambda t: t.get().replace(b"GET ", b"GET  "), {200, 400})
refuse(X_H15, "tab-between", lambda t: t.get().replace(b"GET ", b"GET\t"), {400, 501})


H16 = http(
    "H16",
    ("Header flood", "ヘッダーの洪水"),
    (
        "431 or 400 within 1 s; another client waits for at most 250 ms",
        "1 秒以内に 431 か 400。他の利用者の待ちは 250 ms 以下",
    ),
)

H17 = http(
    "H17",
    ("1 MiB request target", "1 MiB のリクエスト先"),
    (
        "414, 431 or 400 within 1 s; another client waits for at most 250 ms",
        "1 秒以内に 414・431・400。他の利用者の待ちは 250 ms 以下",
    ),
)
LONG = b"a" * 2**20
for name, flood in {
    "one": fields(b"X-A: " + LONG),
    "one-name": fields(LONG + b": x"),
    "10000-small": fields(*(b"X-%d: a" % n for n in range(10_000))),
    "10000-same": fields(*[b"X: a"] * 10_000),
    "10000-empty": fields(*[b"X:"] * 10_000),
    "no-end": lambda t: t.get()[:-2] + b"X-A: " + LONG,
    "no-colon": lambda t: t.get()[:-2] + LONG,
    "cookies": fields(b"Cookie: " + b"; ".join(b"c%d=1" % n for n in range(10_000))),
}.items():
    H16.add(name, Flood(data=flood, statuses={400, 431}), needs=("body",), on="tight")
for name, flood in {
    "query": lambda t: t.post(target=f"{t.question.path}?{LONG.decode()}"),
    "path": lambda t: t.get(path=f"/{LONG.decode()}"),
    "slashes": lambda t: t.get(path="/" * 2**20),
    "no-end": lambda t: b"GET /" + LONG,
    "absolute": lambda t: t.get(path=f"http://{LONG.decode()}/"),
    "method": lambda t: LONG + b" / HTTP/1.1\r\n",
    "version": lambda t: b"GET / HTTP/1." + b"1" * 2**20,
}.items():
    H17.add(name, Flood(data=flood, statuses={400, 414, 431, 501, 505}), needs=("body",), on="tight")


H18 = http(
    "H18",
    ("Underscore for dash in header names", "ヘッダー名のハイフンを下線に"),
    ("never read as the dashed header; 400 or ignored", "ハイフンの名前とは読まない。400 か無視"),
)
take(H18, "transfer-encoding", fields(b"Transfer_Encoding: chunked"), {200, 400})
take(H18, "content-length", fields(b"Content_Length: 1"), {200, 400})
refuse(
    H18,
    "content-length-alone",
    lambda t: t.head(b"Content_Length: %d" % len(t.question.body)) + t.question.body,
    {400, 411, 415, 422, 501},
    answers=0,
)
H18.add(
    "key",
    Sent(
        data=lambda t: t.get(
            *(f"{name.replace('-', '_')}: {value}".encode() for name, value in t.headers.items()),
            path=t.guarded,
            bare=True,
        ),
        statuses={400, 401, 403},
    ),
    needs=("guarded", "key"),
)


X_H19 = http("X-H19", ("Header names that cannot be", "あり得ないヘッダー名"), ("400", "400"))
for name, line in {
    "empty": b": x",
    "no-colon": b"X-A",
    "blank": b"X A: b",
    "parenthesis": b"X(A): b",
    "bracket": b"[X]: b",
    "at": b"X@A: b",
    "quote": b'"X": b',
    "slash": b"X/A: b",
    "nul": b"X\0A: b",
    "delete": b"X\x7fA: b",
    "latin": b"X\xe9A: b",
    "utf-8": "X-鍵: b".encode(),
    "escape": b"X\x1bA: b",
}.items():
    refuse(X_H19, name, fields(line))
