"""Requests that HTTP forbids, or that two readers would read in two ways (RFC 9110, RFC 9112)."""

from __future__ import annotations

import re

from tests.attacks.service.attack import Chapter, Outcome, expect, within
from tests.attacks.service.client import Client, read_all
from tests.attacks.service.moves import INNER, Bytes, Flood, Sent, chunked, chunks, fields, framed, growth, told
from tests.attacks.service.target import Target

KINDS = http = Chapter("http")
CHUNKED = b"Transfer-Encoding: chunked"


def _refused(kind: object, variant: str, data: Bytes, statuses: set[int] | None = None, **more: object) -> None:
    """Add a request that is refused, after which the connection ends."""
    sent = Sent(data=data, statuses=statuses or {400}, closes=True, **more)  # type: ignore[arg-type]
    kind.add(variant, sent, needs=("body",), on="tight")  # type: ignore[attr-defined]


def _taken(kind: object, variant: str, data: Bytes, statuses: set[int] | None = None, **more: object) -> None:
    """Add a request that is answered once, and with which nothing is wrong or must be found."""
    sent = Sent(data=data, statuses=statuses or {200}, **more)  # type: ignore[arg-type]
    kind.add(variant, sent, needs=("body",), on="tight")  # type: ignore[attr-defined]


# Where a message ends

H01 = http(
    "H01",
    ("Content-Length and Transfer-Encoding together", "Content-Length と Transfer-Encoding の併用"),
    ("400, closed; what stands in the body is never answered", "400 で切断。本文中のリクエストには応答しない"),
)
for name, length in {"cl-whole": 5 + len(INNER), "cl-4": 4, "cl-0": 0}.items():
    both = (b"Content-Length: %d" % length, CHUNKED)
    _refused(H01, name, framed(*both, body=chunks(), after=INNER))
    _refused(H01, name + "-te-first", framed(*both[::-1], body=chunks(), after=INNER))
_refused(H01, "good-chunks", lambda t: t.post(CHUNKED, body=chunks(t.question.body)) + INNER)
_refused(
    H01,
    "te-identity",
    framed(b"Content-Length: 4", b"Transfer-Encoding: identity", body=b"1234", after=INNER),
    {400, 501},
)

H02 = http(
    "H02",
    ("Unknown transfer coding", "未知の転送コーディング"),
    ("400 or 501, closed; the body is not read as a request", "400 か 501 で切断。本文をリクエストとして読まない"),
)
for name, coding in {
    "xchunked": b"xchunked",
    "x-chunked": b"x-chunked",
    "identity": b"identity",
    "cow": b"cow",
    "quoted": b'"chunked"',
    "parameter": b"chunked;q=1",
    "empty": b"",
    "chunke": b"chunke",
    "two-words": b"chunked chunked",
}.items():
    _refused(H02, name, chunked(coding=b"Transfer-Encoding: " + coding, after=INNER), {400, 501})

H03 = http(
    "H03",
    ("chunked is not the last coding, or not the only one", "chunked が最後でない、または唯一でない"),
    ("400 or 501, closed", "400 か 501 で切断"),
)
for name, coding in {
    "identity": b"chunked, identity",
    "gzip-after": b"chunked, gzip",
    "gzip-before": b"gzip, chunked",
    "twice": b"chunked, chunked",
    "comma": b", chunked",
}.items():
    _refused(H03, name, chunked(coding=b"Transfer-Encoding: " + coding, after=INNER), {400, 501})

H04 = http(
    "H04",
    ("Two Content-Length header fields", "Content-Length が2つ"),
    ("400, closed", "400 で切断"),
)
_refused(H04, "n-and-1", fields(b"Content-Length: 1"))
_refused(H04, "n-and-0", fields(b"Content-Length: 0"))
_refused(H04, "list", framed(b"Content-Length: 5, 5", body=b"12345", after=INNER))
_refused(H04, "list-different", framed(b"Content-Length: 5, 6", body=b"12345", after=INNER))
_refused(H04, "same-twice", lambda t: t.post(b"Content-Length: %d" % len(t.question.body)), {400, 200})

H05 = http(
    "H05",
    ("Content-Length is not a plain number", "Content-Length が普通の数字でない"),
    (
        "400 (413 for a number), closed; no memory is taken for what is announced",
        "400（数なら 413）で切断。宣言されたサイズのメモリを確保しない",
    ),
)
for name, value in {
    "plus": b"+36",
    "minus": b"-1",
    "hex": b"0x24",
    "blank-inside": b"3 6",
    "empty": b"",
    "point": b"36.0",
    "exponent": b"1e2",
    "underscore": b"3_6",
    "full-width": "３６".encode(),
    "arabic": "٣٦".encode(),
    "word": b"many",
    "2^64": b"%d" % 2**64,
    "2^70": b"%d" % 2**70,
    "2^64+36": b"%d" % (2**64 + 36),
    "5000-digits": b"9" * 5000,
}.items():
    _refused(H05, name, framed(b"Content-Length: " + value, body=b"x" * 36), {400, 413})
for name, number in {"2^40": 2**40, "2^60": 2**60, "2^63-1": 2**63 - 1, "2^63": 2**63}.items():
    _refused(H05, name, framed(b"Content-Length: %d" % number, body=b"x" * 36), {413, 400})
_taken(
    H05,
    "leading-zeros",
    lambda t: t.head(b"Content-Length: 000%d" % len(t.question.body)) + t.question.body,
    {200, 400},
)

X_H06 = http(
    "X-H06",
    ("Transfer-Encoding spelled so that two readers differ", "読み手によって解釈が分かれる Transfer-Encoding"),
    ("400 or 501, closed; legal spellings are read", "400 か 501 で切断。正しい表記は受け付ける"),
)
for name, line in {
    "nbsp": b"Transfer-Encoding: chunked\xa0",
    "vertical-tab": b"Transfer-Encoding: \x0bchunked",
    "form-feed": b"Transfer-Encoding: chunked\x0c",
    "nul": b"Transfer-Encoding: chunked\0",
    "delete": b"Transfer-Encoding: chunked\x7f",
    "twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "twice-different": b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    "twice-then-cow": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow",
    "folded": b"Transfer-Encoding:\r\n chunked",
    "look-alike": "Transfer-Encoding: \u0441hunked".encode(),
}.items():
    _refused(X_H06, name, chunked(coding=line, after=INNER), {400, 501})
for name, line in {
    "upper-case": b"TRANSFER-ENCODING: CHUNKED",
    "tab": b"Transfer-Encoding:\tchunked",
    "no-blank": b"Transfer-Encoding:chunked",
}.items():
    _taken(X_H06, name, chunked(coding=line))
_refused(
    X_H06,
    "http-1.0",
    lambda t: t.head(CHUNKED).replace(b"HTTP/1.1", b"HTTP/1.0") + chunks(t.question.body) + INNER,
    {400, 501},
)

H07 = http("H07", ("Malformed chunk sizes", "不正なチャンクサイズ"), ("400, closed", "400 で切断"))
for name, size in {
    "0x1f": b"0x1f",
    "minus": b"-1",
    "plus": b"+1",
    "empty": b"",
    "20-digits": b"f" * 20,
    "17-digits": b"1" + b"0" * 15 + b"1",
    "no-hex": b"g",
    "underscore": b"1_f",
    "blank-before": b" 1f",
    "blank-inside": b"1 f",
    "full-width": "１".encode(),
    "point": b"1.0",
    "nul": b"1f\0",
}.items():
    body = size + b"\r\n" + b"x" * 31 + b"\r\n0\r\n\r\n"
    _refused(H07, name, framed(CHUNKED, body=body, after=INNER), {400, 413})

H08 = http(
    "H08",
    ("Chunk data not ended by CRLF", "CRLF で終わらないチャンク"),
    ("400, closed; nothing after it is read as a request", "400 で切断。後続をリクエストとして読まない"),
)
for name, end in {"xx": b"XX", "lf": b"\n", "cr": b"\r", "cr-x": b"\rX", "none": b"", "lf-cr": b"\n\r"}.items():
    _refused(
        H08,
        name,
        lambda t, end=end: (  # type: ignore[misc]
            t.head(CHUNKED) + b"%x\r\n%b" % (len(t.question.body), t.question.body) + end + b"0\r\n\r\n" + INNER
        ),
    )
for name, line in {"size-lf": b"1f\n", "size-cr": b"1f\r", "size-cr-x": b"1f\rX"}.items():
    _refused(H08, name, framed(CHUNKED, body=line + b"x" * 31 + b"\r\n0\r\n\r\n", after=INNER))
for name, last in {"last-lf": b"0\n\n", "last-xx": b"0XX"}.items():
    _refused(H08, name, lambda t, last=last: t.head(CHUNKED) + chunks(t.question.body)[:-5] + last + INNER)  # type: ignore[misc]

X_H09 = http(
    "X-H09",
    ("Chunk extensions", "チャンク拡張"),
    (
        "ignored when they are short; 400, 413 or closed when they are not, or hide a line",
        "短ければ無視。長い場合や改行を隠す場合は 400・413 で切断",
    ),
)
_taken(
    X_H09, "short", lambda t: t.head(CHUNKED) + b"%x;a=b\r\n%b\r\n0;c\r\n\r\n" % (len(t.question.body), t.question.body)
)
_refused(X_H09, "2-mb", framed(CHUNKED, body=b"1;" + b"a" * 2_000_000), {400, 413})
_refused(X_H09, "each-of-many", framed(CHUNKED, body=(b"1;" + b"a" * 1000 + b"\r\n \r\n") * 3000), {400, 413})
_refused(X_H09, "line-feed", framed(CHUNKED, body=b"1;a\nx\r\n0\r\n\r\n", after=INNER))
_refused(X_H09, "carriage-return", framed(CHUNKED, body=b"1;a\rb\r\nx\r\n0\r\n\r\n", after=INNER))
_refused(X_H09, "nul", framed(CHUNKED, body=b"1;a\0\r\nx\r\n0\r\n\r\n", after=INNER))
_refused(X_H09, "quoted-lines", framed(CHUNKED, body=b'1;a="\r\nx"\r\n0\r\n\r\n', after=INNER))

# The lines of the head

H10 = http("H10", ("Space before the colon", "コロンの前の空白"), ("400", "400"))
_refused(H10, "content-length", lambda t: t.head(b"Content-Length : %d" % len(t.question.body)) + t.question.body)
_refused(H10, "transfer-encoding", chunked(coding=b"Transfer-Encoding : chunked", after=INNER))
_refused(H10, "host", lambda t: t.post().replace(b"Host:", b"Host :"))
_refused(H10, "other", fields(b"X-Tag : 36"))
_refused(H10, "tab", fields(b"X-Tag\t: 36"))
_refused(H10, "first-line", lambda t: t.post().replace(b"Host:", b" Host:"))

H11 = http("H11", ("Folded header line", "折り返されたヘッダー行"), ("400", "400"))
for name, lines in {
    "blank": (b"X-A: b\r\n c",),
    "tab": (b"X-A: b\r\n\tc",),
    "last": (b"X-A: b\r\n ",),
    "hides-a-field": (b"X-A: b\r\n Content-Length: 1",),
}.items():
    _refused(H11, name, fields(*lines))

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
    _refused(H12, name, fields(line))

H13 = http(
    "H13",
    ("No Host, two Hosts, or none that can be", "Host がない、2つある、または不正"),
    ("400; HTTP/1.0 may do without", "400。HTTP/1.0 では省略可"),
)
_refused(H13, "none", lambda t: t.get().replace(t.host_field + b"\r\n", b""))
_refused(H13, "none-post", lambda t: t.post().replace(t.host_field + b"\r\n", b""))
_refused(H13, "same-twice", lambda t: t.get(t.host_field))
_refused(H13, "different", lambda t: t.get(b"Host: evil.example"))
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
    _refused(H13, name, lambda t, host=host: t.get().replace(t.host_field, b"Host: " + host))  # type: ignore[misc]
_taken(H13, "http-1.0", lambda t: t.get().replace(b"HTTP/1.1", b"HTTP/1.0").replace(t.host_field + b"\r\n", b""))

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
_taken(X_H15, "absolute", lambda t: t.get(path=f"http://{t.host}:{t.port}{t.alive}"))
_taken(X_H15, "absolute-upper", lambda t: t.get(path=f"HTTP://{t.host}:{t.port}{t.alive}"))
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
    _refused(
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
    _refused(
        X_H15,
        "byte-" + name,
        lambda t, byte=byte: t.get().replace(f"GET {t.alive} ".encode(), b"GET %b%bx " % (t.alive.encode(), byte)),  # type: ignore[misc]
        {400, 404},
    )
_refused(
    X_H15, "other-host", lambda t: t.get(path=f"http://evil.example{t.guarded or '/model/info'}"), {400, 401, 404, 421}
)
_taken(X_H15, "two-blanks", lambda t: t.get().replace(b"GET ", b"GET  "), {200, 400})
_refused(X_H15, "tab-between", lambda t: t.get().replace(b"GET ", b"GET\t"), {400, 501})

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
MIB = b"a" * 2**20
for name, flood in {
    "one": fields(b"X-A: " + MIB),
    "one-name": fields(MIB + b": x"),
    "10000-small": fields(*(b"X-%d: a" % n for n in range(10_000))),
    "10000-same": fields(*[b"X: a"] * 10_000),
    "10000-empty": fields(*[b"X:"] * 10_000),
    "no-end": lambda t: t.get()[:-2] + b"X-A: " + MIB,
    "no-colon": lambda t: t.get()[:-2] + MIB,
    "cookies": fields(b"Cookie: " + b"; ".join(b"c%d=1" % n for n in range(10_000))),
}.items():
    H16.add(name, Flood(data=flood, statuses={400, 431}), needs=("body",), on="tight")
for name, flood in {
    "query": lambda t: t.post(target=f"{t.question.path}?{MIB.decode()}"),
    "path": lambda t: t.get(path=f"/{MIB.decode()}"),
    "slashes": lambda t: t.get(path="/" * 2**20),
    "no-end": lambda t: b"GET /" + MIB,
    "absolute": lambda t: t.get(path=f"http://{MIB.decode()}/"),
    "method": lambda t: MIB + b" / HTTP/1.1\r\n",
    "version": lambda t: b"GET / HTTP/1." + b"1" * 2**20,
}.items():
    H17.add(name, Flood(data=flood, statuses={400, 414, 431, 501, 505}), needs=("body",), on="tight")

H18 = http(
    "H18",
    ("Underscore for dash in header names", "ヘッダー名のハイフンを下線に"),
    ("never read as the dashed header; 400 or ignored", "ハイフンの名前とは読まない。400 か無視"),
)
_taken(H18, "transfer-encoding", fields(b"Transfer_Encoding: chunked"), {200, 400})
_taken(H18, "content-length", fields(b"Content_Length: 1"), {200, 400})
_refused(
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
    _refused(X_H19, name, fields(line))

# Versions and methods

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
    _refused(H20, name, lambda t, version=version: t.get().replace(b"HTTP/1.1", version), {400, 505})  # type: ignore[misc]
_refused(H20, "0.9", lambda t: f"GET {t.alive}\r\n\r\n".encode(), {400, 505})
_refused(H20, "none", lambda t: f"GET {t.alive}\r\n".encode() + t.host_field + b"\r\n\r\n", {400, 505})
_refused(H20, "h2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 405, 505})
_refused(H20, "h2-frames", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" * 3, {400, 405, 505})

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
    _taken(H21, name, lambda t, method=method: t.get(ECHO, method=method), {405, 501}, absent=b"4f1d2c")  # type: ignore[misc]
    _taken(
        H21, f"{name}-with-body", lambda t, method=method: t.post(ECHO).replace(b"POST", method.encode(), 1), {405, 501}
    )  # type: ignore[misc]
_taken(H21, "get-where-post", lambda t: t.get(ECHO, path=t.question.path), {405}, absent=b"4f1d2c")
_taken(H21, "post-where-get", lambda t: t.post(ECHO, target=t.alive), {405})
_taken(H21, "options-star", lambda t: t.get(path="*", method="OPTIONS"), {200, 204, 400, 405, 501})
_taken(H21, "options", lambda t: t.get(path=t.question.path, method="OPTIONS"), {200, 204, 405, 501})
_taken(H21, "lower-case", lambda t: t.post().replace(b"POST", b"post", 1), {400, 405, 501})
_taken(H21, "mixed-case", lambda t: t.post().replace(b"POST", b"Post", 1), {400, 405, 501})
_taken(H21, "connect", lambda t: b"CONNECT localhost:1 HTTP/1.1\r\n" + t.host_field + b"\r\n\r\n", {400, 404, 405, 501})
_taken(
    H21,
    "connect-tunnel",
    lambda t: b"CONNECT localhost:1 HTTP/1.1\r\n" + t.host_field + b"\r\n\r\n" + INNER,
    {400, 404, 405, 501},
)
_refused(H21, "method-nul", lambda t: t.get().replace(b"GET", b"G\0T", 1), {400, 405, 501})
_refused(H21, "method-latin", lambda t: t.get().replace(b"GET", b"G\xc9T", 1), {400, 405, 501})
_refused(H21, "no-method", lambda t: t.get().replace(b"GET ", b" ", 1), {400, 405, 501})

# What belongs to one message, and what to the next

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


_taken(X_H22, "after-close", lambda t: t.get(b"Connection: close") + t.get() * 5)
_taken(X_H22, "after-http-1.0", lambda t: t.get().replace(b"HTTP/1.1", b"HTTP/1.0") + t.get() * 5)
_taken(X_H22, "blank-lines-before", lambda t: b"\r\n\r\n" + t.get(), {200, 400})
_taken(X_H22, "get-with-a-body", lambda t: t.get(b"Content-Length: %d" % len(INNER)) + INNER, {200, 400, 413})
_taken(X_H22, "get-with-chunks", lambda t: t.get(CHUNKED) + chunks(INNER), {200, 400, 413})
_refused(X_H22, "leftover", lambda t: t.post() + b"{}" * 8, {200, 400, 501}, answers=2)
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
    _taken(H23, name, chunked(trailers=lines), {200, 400}, absent=b"from-a-trailer")
for name, lines in {
    "folded": b"X-A: b\r\n c\r\n",
    "no-colon": b"X-A\r\n",
    "nul": b"X-A: \0\r\n",
    "blank-name": b"X-A : b\r\n",
}.items():
    _refused(H23, name, chunked(trailers=lines, after=INNER))
_refused(H23, "5000", chunked(trailers=b"".join(b"X-%d: a\r\n" % n for n in range(5000))), {400, 431})
_refused(H23, "1-mib", chunked(trailers=b"X: " + b"a" * 2**20 + b"\r\n"), {400, 413, 431})


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
_taken(
    H25,
    "overlapping",
    lambda t: t.get(b"Range: bytes=" + b",".join([b"0-"] * 1000), path="/docs"),
    {200, 206, 404, 416},
)
_taken(
    H25, "nonsense", lambda t: t.get(b"Range: bytes=-0,9-1,a-b,%d-" % 2**70, path="/docs"), {200, 206, 400, 404, 416}
)

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

# What is said about a request

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

X_UPGRADE = http(
    "X-H30",
    ("Upgrades that are not offered", "提供していないプロトコルへの切り替え"),
    ("answered as HTTP/1.1, or refused; never 101", "HTTP/1.1 として応答するか拒否。101 は返さない"),
)
for name, lines in {
    "websocket": (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: x", b"Sec-WebSocket-Version: 13"),
    "h2c": (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
    "tls": (b"Connection: Upgrade", b"Upgrade: TLS/1.2"),
    "garbage": (b"Connection: Upgrade", b"Upgrade: " + b"x" * 1000),
}.items():
    _taken(X_UPGRADE, name, lambda t, lines=lines: t.get(*lines) + INNER, {200, 400, 426, 501})  # type: ignore[misc]
    _taken(X_UPGRADE, f"{name}-post", lambda t, lines=lines: t.post(*lines) + INNER, {200, 400, 426, 501})  # type: ignore[misc]
_taken(X_UPGRADE, "connection-names-a-field", fields(b"Connection: close, Content-Length"), {200, 400})
_taken(X_UPGRADE, "connection-names-the-key", fields(b"Connection: close, X-API-Key, Host"), {200, 400})
