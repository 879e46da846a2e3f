"""Where a message ends: requests that two readers would cut in two ways (RFC 9112, 6 and 7)."""

from __future__ import annotations

from tests.attacks.service.attack import Chapter
from tests.attacks.service.moves import (
    CHUNKED,
    INNER,
    chunked,
    chunks,
    fields,
    framed,
    refuse,
    take,
)

KINDS = http = Chapter("http")


H01 = http(
    "H01",
    ("Content-Length and Transfer-Encoding together", "Content-Length と Transfer-Encoding の併用"),
    ("400, closed; what stands in the body is never answered", "400 で切断。本文中のリクエストには応答しない"),
)
for name, length in {"cl-whole": 5 + len(INNER), "cl-4": 4, "cl-0": 0}.items():
    both = (b"Content-Length: %d" % length, CHUNKED)
    refuse(H01, name, framed(*both, body=chunks(), after=INNER))
    refuse(H01, name + "-te-first", framed(*both[::-1], body=chunks(), after=INNER))
refuse(H01, "good-chunks", lambda t: t.post(CHUNKED, body=chunks(t.question.body)) + INNER)
refuse(
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
    refuse(H02, name, chunked(coding=b"Transfer-Encoding: " + coding, after=INNER), {400, 501})


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
    refuse(H03, name, chunked(coding=b"Transfer-Encoding: " + coding, after=INNER), {400, 501})


H04 = http(
    "H04",
    ("Two Content-Length header fields", "Content-Length が2つ"),
    ("400, closed", "400 で切断"),
)
refuse(H04, "n-and-1", fields(b"Content-Length: 1"))
refuse(H04, "n-and-0", fields(b"Content-Length: 0"))
refuse(H04, "list", framed(b"Content-Length: 5, 5", body=b"12345", after=INNER))
refuse(H04, "list-different", framed(b"Content-Length: 5, 6", body=b"12345", after=INNER))
refuse(H04, "same-twice", lambda t: t.post(b"Content-Length: %d" % len(t.question.body)), {400, 200})


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
    refuse(H05, name, framed(b"Content-Length: " + value, body=b"x" * 36), {400, 413})
for name, number in {"2^40": 2**40, "2^60": 2**60, "2^63-1": 2**63 - 1, "2^63": 2**63}.items():
    refuse(H05, name, framed(b"Content-Length: %d" % number, body=b"x" * 36), {413, 400})
take(
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
    refuse(X_H06, name, chunked(coding=line, after=INNER), {400, 501})
for name, line in {
    "upper-case": b"TRANSFER-ENCODING: CHUNKED",
    "tab": b"Transfer-Encoding:\tchunked",
    "no-blank": b"Transfer-Encoding:chunked",
}.items():
    take(X_H06, name, chunked(coding=line))
refuse(
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
    refuse(H07, name, framed(CHUNKED, body=body, after=INNER), {400, 413})


H08 = http(
    "H08",
    ("Chunk data not ended by CRLF", "CRLF で終わらないチャンク"),
    ("400, closed; nothing after it is read as a request", "400 で切断。後続をリクエストとして読まない"),
)
for name, end in {"xx": b"XX", "lf": b"\n", "cr": b"\r", "cr-x": b"\rX", "none": b"", "lf-cr": b"\n\r"}.items():
    refuse(
        H08,
        name,
        lambda t, end=end: (  # type: ignore[misc]
            t.head(CHUNKED) + b"%x\r\n%b" % (len(t.question.body), t.question.body) + end + b"0\r\n\r\n" + INNER
        ),
    )
for name, line in {"size-lf": b"1f\n", "size-cr": b"1f\r", "size-cr-x": b"1f\rX"}.items():
    refuse(H08, name, framed(CHUNKED, body=line + b"x" * 31 + b"\r\n0\r\n\r\n", after=INNER))
for name, last in {"last-lf": b"0\n\n", "last-xx": b"0XX"}.items():
    refuse(H08, name, lambda t, last=last: t.head(CHUNKED) + chunks(t.question.body)[:-5] + last + INNER)  # type: ignore[misc]


X_H09 = http(
    "X-H09",
    ("Chunk extensions", "チャンク拡張"),
    (
        "ignored when they are short; 400, 413 or closed when they are not, or hide a line",
        "短ければ無視。長い場合や改行を隠す場合は 400・413 で切断",
    ),
)
take(
    X_H09, "short", lambda t: t.head(CHUNKED) + b"%x;a=b\r\n%b\r\n0;c\r\n\r\n" % (len(t.question.body), t.question.body)
)
refuse(X_H09, "2-mb", framed(CHUNKED, body=b"1;" + b"a" * 2_000_000), {400, 413})
refuse(X_H09, "each-of-many", framed(CHUNKED, body=(b"1;" + b"a" * 1000 + b"\r\n \r\n") * 3000), {400, 413})
refuse(X_H09, "line-feed", framed(CHUNKED, body=b"1;a\nx\r\n0\r\n\r\n", after=INNER))
refuse(X_H09, "carriage-return", framed(CHUNKED, body=b"1;a\rb\r\nx\r\n0\r\n\r\n", after=INNER))
refuse(X_H09, "nul", framed(CHUNKED, body=b"1;a\0\r\nx\r\n0\r\n\r\n", after=INNER))
refuse(X_H09, "quoted-lines", framed(CHUNKED, body=b'1;a="\r\nx"\r\n0\r\n\r\n', after=INNER))
