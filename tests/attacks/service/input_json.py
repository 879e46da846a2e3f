"""Bodies that are no JSON, or are made to cost time: by depth, by width, by broken letters."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.attacks.service.attack import Chapter
from tests.attacks.service.moves import (
    bare,
    refused,
    token,
)

KINDS = judged = Chapter("input")


J01 = judged(
    "J01",
    ("Not JSON", "JSON でない本文"),
    ("400 (or 422) with a problem body, at once", "すぐに 400（または 422）の problem 本文"),
)
for name, spoil in {
    "cut-off": lambda body: body[:-1],
    "half": lambda body: body[: len(body) // 2],
    "one-byte": lambda body: body[:1],
    "trailing-data": lambda body: body + b" x",
    "trailing-object": lambda body: body + b"{}",
    "trailing-nul": lambda body: body + b"\0",
    "leading-nul": lambda body: b"\0" + body,
    "twice": lambda body: body + b"\n" + body[:-1],
    "single-quotes": lambda body: body.replace(b'"', b"'"),
    "no-quotes": lambda body: body.replace(b'"', b""),
    "line-comment": lambda body: b"// hello\n" + body,
    "block-comment": lambda body: b"/* hello */" + body,
    "hash-comment": lambda body: b"# hello\n" + body,
    "leading-comma": lambda body: body[:1] + b"," + body[1:],
    "equals": lambda body: body.replace(b":", b"=", 1),
    "arrow": lambda body: body.replace(b":", b"=>", 1),
    "extra-brace": lambda body: body + b"}",
    "raw-newline-in-key": lambda body: body.replace(b'"', b'"\n', 1),
    "yaml": lambda body: b"features:\n  - 1\n",
    "xml": lambda body: b"<features>1</features>",
    "python": lambda body: b"{'features': None, 'x': True}",
    "javascript": lambda body: b")]}',\n" + body,
    "form": lambda body: b"features=1&features=2",
    "vertical-tab": lambda body: b"\x0b" + body,
    "no-break-space": lambda body: "\u00a0".encode() + body,
    "line-separator": lambda body: "\u2028".encode() + body,
}.items():
    refused(J01, name, lambda q, spoil=spoil: spoil(q.body), codes=("malformed_json",))  # type: ignore[misc]
for name, written in {
    "trailing-comma": "1,",
    "leading-zero": "01",
    "minus-zero-one": "-01",
    "hex": "0x10",
    "octal": "0o17",
    "binary": "0b1",
    "plus": "+1",
    "point-first": ".5",
    "point-last": "1.",
    "no-exponent": "1e",
    "half-exponent": "1e+",
    "two-points": "1.2.3",
    "underscore": "1_000",
    "comma": "1,5e0x",
    "minus": "-",
    "blank": "1 2",
    "upper-true": "True",
    "none": "None",
    "undefined": "undefined",
    "full-width": "１",
    "arabic": "١",
    "suffix": "1f",
    "big": "1n",
    "fraction": "1/2",
    "percent": "1%",
}.items():
    if name != "trailing-comma":
        refused(J01, "number-" + name, token("number", written), "number", codes=("malformed_json",))
refused(J01, "trailing-comma", lambda q: q.body[:-1] + b"," + q.body[-1:], codes=("malformed_json",))


J02 = judged(
    "J02",
    ("NaN and Infinity as literals", "NaN・Infinity リテラル"),
    ("400 or 422; never read as numbers", "400 か 422。数値としては読まない"),
)
for name, written in {
    "nan": "NaN",
    "infinity": "Infinity",
    "minus-infinity": "-Infinity",
    "lower-nan": "nan",
    "lower-inf": "inf",
    "minus-inf": "-inf",
    "minus-nan": "-NaN",
    "hash": "1.#INF",
}.items():
    refused(J02, name, token("number", written), "number", codes=("malformed_json",))


J07 = judged(
    "J07",
    ("Depth bomb", "入れ子爆弾"),
    ("4xx in under 100 ms, by the same worker", "100 ms 以内に 4xx。ワーカーは落ちない"),
)
for name, written in {
    "arrays": "[" * 100_000,
    "arrays-closed": "[" * 100_000 + "]" * 100_000,
    "objects": '{"a":' * 100_000,
    "objects-closed": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "mixed": '[{"a":' * 50_000,
    "1000-closed": "[" * 1_000 + "]" * 1_000,
    "500000": "[" * 500_000,
}.items():
    refused(J07, name, token("number", written), "number", statuses=(400, 413, 422), limit=100.0)
    refused(J07, "top-" + name, lambda q, written=written: written.encode(), statuses=(400, 413, 422), limit=100.0)  # type: ignore[misc]


X_J08 = judged(
    "X-J08",
    ("Wide bodies", "横に広い本文"),
    ("4xx in under 200 ms; answer under 4 KiB", "200 ms 以内に 4xx。応答は 4 KiB 未満"),
)
WIDE: dict[str, Callable[[], Any]] = {
    "100000-numbers": lambda: list(range(100_000)),
    "100000-nulls": lambda: [None] * 100_000,
    "20000-lists": lambda: [[]] * 20_000,
    "long-string": lambda: "x" * 1_000_000,
    "long-escapes": lambda: "\u0001" * 150_000,
}
for name, make in WIDE.items():
    wide = json.dumps(make()).encode()
    refused(X_J08, name, token("number", wide), "number", statuses=(400, 413, 422), limit=200.0)
    refused(X_J08, "top-" + name, bare(wide), statuses=(400, 413, 422), limit=200.0)


J15 = judged(
    "J15",
    ("Broken text encoding", "壊れた文字符号化"),
    ("400 (or 422); never guessed", "400（または 422）。推測して読まない"),
)
for name, spoil in {
    "bom": lambda body: b"\xef\xbb\xbf" + body,
    "utf-16": lambda body: body.decode().encode("utf-16"),
    "utf-16-be": lambda body: body.decode().encode("utf-16-be"),
    "utf-32": lambda body: body.decode().encode("utf-32"),
    "utf-7": lambda body: body.replace(b'"', b"+ACI-"),
    "byte-ff": lambda body: body.replace(b'"', b'"\xff', 1),
    "continuation": lambda body: body.replace(b'"', b'"\x80', 1),
    "overlong": lambda body: body.replace(b'"', b'"\xc0\xaf', 1),
    "cut-in-a-character": lambda body: body.replace(b'"', b'"\xe4\xba', 1),
    "surrogate-bytes": lambda body: body.replace(b'"', b'"\xed\xa0\x80', 1),
    "beyond": lambda body: body.replace(b'"', b'"\xf4\x90\x80\x80', 1),
    "gzip": lambda body: __import__("gzip").compress(body),
}.items():
    refused(J15, name, lambda q, spoil=spoil: spoil(q.body), codes=("malformed_json",))  # type: ignore[misc]
for name, raw in {
    "lone-surrogate": b'"\\ud800"',
    "low-surrogate": b'"\\udc00"',
    "surrogates-reversed": b'"\\udc00\\ud800"',
    "half-escape": b'"\\ud8"',
    "no-hex": b'"\\uzzzz"',
    "unknown-escape": b'"\\x41"',
    "raw-control": b'"a\x01b"',
    "raw-newline": b'"a\nb"',
    "byte": b'"\xff"',
    "latin-1": b'"K\xfcche"',
    "shift-jis": b'"\x8b\x9e\x93s"',
}.items():
    refused(J15, "word-" + name, token("word", raw), "word", codes=("malformed_json",))
    refused(J15, "number-" + name, token("number", raw), "number", codes=("malformed_json",))


J16 = judged("J16", ("Wrong top level", "最上位の型の誤り"), ("400 or 422", "400 か 422"))
for name, body in {
    "null": b"null",
    "number": b"3",
    "string": b'"x"',
    "true": b"true",
    "empty-object": b"{}",
    "list": b"[]",
    "list-of-null": b"[null]",
    "list-of-lists": b"[[]]",
    "list-of-objects": b"[{}]",
    "list-of-numbers": b"[1, 2, 3]",
    "features-null": b'{"features": null}',
    "features-number": b'{"features": 3}',
    "features-string": b'{"features": "1,2,3"}',
    "features-empty": b'{"features": []}',
    "features-true": b'{"features": true}',
    "inputs-null": b'{"inputs": null}',
    "inputs-empty": b'{"inputs": []}',
    "instances-null": b'{"instances": null}',
    "instances-empty": b'{"instances": []}',
    "two-forms": b'{"instances": [[1]], "inputs": [[1]]}',
    "split-null": b'{"dataframe_split": null}',
    "split-empty": b'{"dataframe_split": {}}',
    "split-no-data": b'{"dataframe_split": {"columns": ["age"]}}',
    "split-no-columns": b'{"dataframe_split": {"data": [[1]]}}',
    "records-null": b'{"dataframe_records": null}',
    "records-empty": b'{"dataframe_records": []}',
}.items():
    refused(J16, name, lambda q, body=body: body, statuses=(400, 422))  # type: ignore[misc]
