"""Bodies that are no good input: not JSON, not a row, not a number that can be kept; and some that are."""

from __future__ import annotations

import itertools
import json
import random
import struct
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.attacks.service.attack import Chapter, Kind, NotApplicable, Outcome, expect, within
from tests.attacks.service.moves import Refused, check_refusal, told
from tests.attacks.service.target import Question, Target

KINDS = judged = Chapter("input")
Place = str | tuple[str | int, ...]


def token(role: str, written: str | bytes) -> Callable[[Question], bytes]:
    """Return what makes a body in which a value is written so, as it is."""
    return lambda question: question.token(role, written if isinstance(written, bytes) else written.encode())


def cell(role: str, value: object) -> Callable[[Question], bytes]:
    """Return what makes a body with another value."""
    return lambda question: question.replaced(role, value)


def refused(kind: Kind, variant: str, body: Callable[[Question], bytes], role: str = "", **more: Any) -> None:
    """Add a body that is refused on every route that has such a place."""
    needs = ("body", f"role:{role}") if role else ("body",)
    options = {name: more.pop(name) for name in ("on", "slow", "seconds") if name in more}
    kind.add(variant, Refused(body=body, role=role, **more), needs=needs, **options)


@dataclass(frozen=True, kw_only=True)
class Served:
    """A body that is served or refused in order, and never anything else.

    Attributes:
        body: Makes the body for a route.
        role: What the body of a route must have.
        statuses: What the answers may be.
        ours: What those of our own service may be; empty: the same.
        limit: Milliseconds within which each answer must be there; 0: not looked at.

    """

    body: Callable[[Question], bytes]
    role: str
    statuses: tuple[int, ...] = (200, 422)
    ours: tuple[int, ...] = ()
    limit: float = 0.0

    def __call__(self, target: Target) -> Outcome:
        """Send it to every route."""
        seen: dict[str, None] = {}
        longest = 0.0
        wanted = self.ours if self.ours and target.ours else self.statuses
        for question in target.asking(self.role):
            answer = target.send(question, self.body(question))
            expect(answer.status in wanted, f"{question.name}: {answer.status}, not one of {wanted}")
            if answer.status >= 400:
                check_refusal(answer, target)
            seen[f"{answer.status} {answer.code}".strip()] = None
            longest = max(longest, answer.milliseconds)
        figures = {"ms": within(longest, self.limit, "the answer")} if self.limit else {}
        return Outcome(seen=", ".join(seen), figures=figures)


def served(kind: Kind, variant: str, body: Callable[[Question], bytes], role: str, **more: Any) -> None:
    """Add a body that is served or refused in order; the parameters are those of :class:`Served`."""
    kind.add(variant, Served(body=body, role=role, **more), needs=("body", f"role:{role}"))


# JSON

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

X_J03 = judged(
    "X-J03",
    ("Numbers that no float holds", "浮動小数点で表せない大きさの数"),
    ("422 (or 400); never infinity into the model", "422（または 400）。無限大をモデルに渡さない"),
)
for name, written in {
    "1e400": "1e400",
    "-1e400": "-1e400",
    "1e99999": "1e99999",
    "1e999999999999": "1e999999999999",
    "1e+2147483648": "1e+2147483648",
    "400-digits": "9" * 400,
    "400-digits-point": "9" * 400 + ".0",
    "1.8e308": "1.8e308",
    "0.1e310": "0.1e310",
    "halfway": "1.797693134862315808e308",
}.items():
    refused(
        X_J03,
        name,
        token("number", written),
        "number",
        codes=("not_finite", "malformed_json"),
        names=False,
        limit=200.0,
    )
for name, written in {
    "zero-exponent": "0e400",
    "tiny": "1e-400",
    "minus-tiny": "-1e-99999",
    "long-zero": "0e999999999999",
}.items():
    served(X_J03, name, token("number", written), "number", statuses=(200, 400, 422), limit=200.0)

J04 = judged(
    "J04",
    ("Numbers hidden in strings", "文字列に隠した数値"),
    ("422; never coerced", "422。数値に変換しない"),
)
for name, value in {
    "number": "40",
    "point": "1.5",
    "nan": "nan",
    "NaN": "NaN",
    "inf": "inf",
    "infinity": "-Infinity",
    "blank-before": " 1",
    "newline-after": "1\n",
    "exponent": "1e3",
    "arabic": "١",
    "full-width": "４０",
    "empty": "",
    "null": "null",
    "true": "true",
    "hex": "0x10",
    "underscore": "1_0",
    "superscript": "²",
}.items():
    refused(J04, name, cell("number", value), "number", statuses=(422,), codes=("wrong_type",), names=True)
    refused(
        J04, "integer-" + name, cell("integer", value), "integer", statuses=(422,), codes=("wrong_type",), names=True
    )
for value in ("true", "false", "1", "yes", "True", ""):
    refused(
        J04,
        "boolean-" + (value or "empty"),
        cell("boolean", value),
        "boolean",
        statuses=(422,),
        codes=("wrong_type",),
        names=True,
    )

J05 = judged(
    "J05",
    ("Huge integers", "巨大な整数"),
    ("4xx in under 50 ms; another client does not notice", "50 ms 以内に 4xx。他の利用者に影響なし"),
)


def huge(digits: str, role: str) -> Callable[[Target], Outcome]:
    ask = Refused(body=token(role, digits), role=role, statuses=(400, 413, 422), limit=50.0)

    def run(target: Target) -> Outcome:
        before = target.predicted()
        with target.bystander(every=0.01) as other:
            outcome = None
            for question in target.asking(role):
                answer = target.send(question, token(role, digits)(question))
                expect(answer.status in ask.statuses, f"{question.name}: {answer.status}")
                check_refusal(answer, target)
                longest = within(answer.milliseconds, ask.limit, f"{question.name}: the answer")
                outcome = Outcome(seen=f"{answer.status} {answer.code}", figures={"ms": longest})
        assert outcome is not None
        expect(not other.failures, f"another client got {other.failures[:3]}")
        expect(not target.ours or target.predicted() == before + other.served, "something was predicted")
        within(other.longest, 100.0, "another client")
        return Outcome(seen=outcome.seen, figures={**outcome.figures, "bystander_ms": other.longest})

    return run


for name, digits in {"5000": "9" * 5_000, "1000000": "1" * 1_000_000, "minus-1000000": "-" + "7" * 1_000_000}.items():
    J05.add(f"{name}-digits", huge(digits, "number"), needs=("body", "role:number"))
    J05.add(f"integer-{name}-digits", huge(digits, "integer"), needs=("body", "role:integer"))
J05.add("1000000-digits-point", huge("1" * 1_000_000 + ".5", "number"), needs=("body", "role:number"))

J06 = judged(
    "J06",
    ("Integers that lose precision", "精度が失われる整数"),
    ("exact, or 422; never silently another number", "正確に扱うか 422。黙って別の数にしない"),
)
for number in (2**53 + 1, -(2**53) - 1, 2**63, -(2**63) - 1, 2**64, 2**64 + 1, 10**30):
    name = {2**53 + 1: "2^53+1", 2**63: "2^63", 2**64: "2^64", 2**64 + 1: "2^64+1", 10**30: "10^30"}.get(
        number, str(number)
    )
    refused(
        J06,
        f"integer-{name}",
        token("integer", str(number)),
        "integer",
        codes=("not_exact", "out_of_range", "wrong_type"),
        names=True,
    )
for name, number in {"2^53+1": 2**53 + 1, "-2^53-1": -(2**53) - 1, "2^63+1": 2**63 + 1}.items():
    refused(
        J06, f"number-{name}", token("number", str(number)), "number", codes=("not_exact", "out_of_range"), names=True
    )
for name, written in {"2^53+1": "9007199254740993.0", "2^53+1-exponent": "9007199254740993e0"}.items():
    served(J06, f"integer-as-float-{name}", token("integer", written), "integer")

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
for name, make in {
    "100000-numbers": lambda: list(range(100_000)),
    "100000-nulls": lambda: [None] * 100_000,
    "20000-lists": lambda: [[]] * 20_000,
    "long-string": lambda: "x" * 1_000_000,
    "long-escapes": lambda: "\u0001" * 150_000,
}.items():
    refused(
        X_J08, name, lambda q, make=make: q.replaced("number", make()), "number", statuses=(400, 413, 422), limit=200.0
    )  # type: ignore[misc]
    refused(
        X_J08, "top-" + name, lambda q, make=make: json.dumps(make()).encode(), statuses=(400, 413, 422), limit=200.0
    )  # type: ignore[misc]

# Names

J09 = judged(
    "J09",
    ("Duplicate keys", "重複したキー"),
    (
        "400 on every route (or last-wins, documented, on every route alike)",
        "全ルートで 400（または文書化された後勝ちを全ルートで統一）",
    ),
)


def twice(question: Question, value: bytes | None = None, *, escaped: bool = False) -> bytes:
    """Return a body in which the first key of the object that holds the number, or of the whole, stands twice."""
    body = question.body
    place = body.find(b'{"') + 1
    end = body.find(b'":', place) + 1
    name = body[place:end]
    again = b'"\\u%04x%b' % (name[1], name[2:]) if escaped else name
    return body[:place] + again + b": " + (value or b"null") + b", " + body[place:]


def same_value_twice(question: Question) -> bytes:
    """Return a body in which the feature of the number stands twice with one value."""
    name = str(question.roles["number"][-1])
    if not isinstance(question.roles["number"][-1], str):
        return twice(question, b"[]")
    key = json.dumps(name).encode() + b": "
    value = json.dumps(question.given("number")).encode()
    return question.body.replace(key, key + value + b", " + key, 1)


refused(J09, "outer", twice, codes=("duplicate_key",))
refused(J09, "outer-escaped", lambda q: twice(q, escaped=True), codes=("duplicate_key",))
refused(J09, "feature", same_value_twice, "number", codes=("duplicate_key",))
refused(
    J09,
    "feature-escaped",
    lambda q: same_value_twice(q).replace(b'"age"', b'"\\u0061ge"', 1),
    "closed",
    codes=("duplicate_key",),
)
refused(
    J09,
    "body-twice",
    lambda q: q.body[:-1] + b", " + q.body[1:],
    codes=("duplicate_key",),
    only=("predict", "invocations", "records", "infer", "feedback", "lines"),
)

X_J10 = judged(
    "X-J10",
    ("Keys that only look like the right ones", "正しいキーに似せたキー"),
    ("422 naming the field; never taken for it", "422 で項目名を示す。同じものとは見なさない"),
)


def renamed(question: Question, name: str) -> bytes:
    """Return a body in which the key of the number is spelled otherwise."""
    last = question.roles["number"][-1]
    body = question.body
    if isinstance(last, str):
        return body.replace(json.dumps(last).encode() + b":", json.dumps(name).encode() + b":", 1)
    # Columns or tensors by name, or the outer key.
    for known in (b'"age"', b'"features"', b'"instances"', b'"inputs"'):
        if known in body:
            return body.replace(known, json.dumps(name).encode(), 1)
    raise NotApplicable("there is no key")


for name, make in {
    "upper": str.upper,
    "title": str.title,
    "blank-after": lambda key: key + " ",
    "blank-before": lambda key: " " + key,
    "cyrillic": lambda key: key.replace("a", "\u0430").replace("e", "\u0435"),
    "full-width": lambda key: "".join(chr(ord(one) + 0xFEE0) for one in key),
    "zero-width": lambda key: key + "\u200b",
    "combining": lambda key: key + "\u0301",
    "nul": lambda key: key + "\0",
    "bom": lambda key: "\ufeff" + key,
    "right-to-left": lambda key: "\u202e" + key[::-1],
    "empty": lambda key: "",
}.items():
    refused(
        X_J10,
        name,
        lambda q, make=make: renamed(q, make("age")),
        "number",
        codes=("unknown_feature", "unknown_field", "missing_field", "missing_feature"),
    )  # type: ignore[misc]

J11 = judged(
    "J11",
    ("Unknown keys", "未知のキー"),
    ("422 naming the field", "422 で項目名を示す"),
)
SPECIAL = (
    "x",
    "__class__",
    "__proto__",
    "constructor",
    "__init__",
    "prototype",
    "$where",
    "features[]",
    "feature",
    "model",
    "id ",
)
OUTER: dict[str, Callable[[Question, str, Any], Any]] = {
    "outer": lambda q, name, value: (
        [{**q.good[0], name: value}] if isinstance(q.good, list) else {**q.good, name: value}
    ),
}
for key in SPECIAL:
    refused(
        J11,
        "outer-" + key.strip("_$[] "),
        lambda q, key=key: json.dumps(OUTER["outer"](q, key, 1)).encode(),  # type: ignore[misc]
        statuses=(422,),
        codes=("unknown_field", "unknown_feature", "wrong_type", "missing_field"),
    )
for key in SPECIAL[:6]:
    refused(
        J11,
        "feature-" + key.strip("_$[] "),
        lambda q, key=key: (
            q.replaced((*q.roles["number"][:-1], key), 1)
            if isinstance(q.roles["number"][-1], str)
            else json.dumps(OUTER["outer"](q, key, 1)).encode()
        ),  # type: ignore[misc]
        "number",
        statuses=(422,),
        codes=("unknown_feature", "unknown_field", "missing_field"),
    )


@J11.attack("named", needs=("ours", "role:closed"))
def _named(target: Target) -> Outcome:
    """The name of the unknown feature is said, since it is no value."""
    question = target.question
    answer = target.send(question, question.replaced(("features", "constructor"), 1))
    expect((answer.code, answer.json().get("field")) == ("unknown_feature", "constructor"), f"{answer.body[:200]!r}")
    answer = target.send(question, json.dumps({**question.good, "__class__": 1}).encode())
    expect((answer.code, answer.json().get("field")) == ("unknown_field", "__class__"), f"{answer.body[:200]!r}")
    answer = target.send(
        question, json.dumps({"features": dict.fromkeys(list(question.good["features"])[1:], 1)}).encode()
    )
    expect((answer.code, answer.json().get("field")) == ("missing_feature", "age"), f"{answer.body[:200]!r}")
    answer = target.send(question, b"{}")
    expect((answer.code, answer.json().get("field")) == ("missing_field", "features"), f"{answer.body[:200]!r}")
    return Outcome(seen="named")


J12 = judged(
    "J12",
    ("Key flood", "キーの洪水"),
    ("4xx in under 100 ms; answer under 4 KiB", "100 ms 以内に 4xx。応答は 4 KiB 未満"),
)
for name, keys in {
    "100000-keys": lambda: {f"k{n}": n for n in range(100_000)},
    "100000-colliding": lambda: {f"k{n * 2**20}": n for n in range(100_000)},
    "1-mib-key": lambda: {"x" * 1_000_000: 1},
    "long-keys": lambda: {"x" * 1_000 + str(n): 1 for n in range(1_000)},
    "deep-keys": lambda: {"features": {"features": {"features": {}}}},
}.items():
    refused(
        J12,
        name,
        lambda q, keys=keys: json.dumps({**(q.good if isinstance(q.good, dict) else {}), **keys()}).encode(),  # type: ignore[misc]
        statuses=(400, 413, 422),
        limit=100.0,
    )
    refused(
        J12,
        "feature-" + name,
        lambda q, keys=keys: q.replaced(q.roles["number"][:-1], keys()),  # type: ignore[misc]
        "number",
        statuses=(400, 413, 422),
        limit=100.0,
    )

# Values

J13 = judged(
    "J13",
    ("Wrong types", "誤った型"),
    ("422 naming row and column", "422 で行と列を示す"),
)
WRONG: dict[str, dict[str, Any]] = {
    "number": {
        "null": None,
        "true": True,
        "list": [1.0],
        "empty-list": [],
        "object": {},
        "string": "x",
        "list-of-list": [[1.0]],
    },
    "integer": {
        "null": None,
        "true": True,
        "false": False,
        "list": [1],
        "object": {"a": 1},
        "string": "x",
        "fraction": 2.5,
        "small-fraction": 1e-300,
    },
    "boolean": {"null": None, "zero": 0, "one": 1, "list": [True], "object": {}, "string": "x", "float": 1.0},
    "word": {"number": 3, "true": True, "list": ["Kyoto"], "object": {"a": "Kyoto"}, "float": 1.5},
    "closed": {"null": None, "number": 3, "true": True, "list": ["basic"], "object": {}},
}
for role, values in WRONG.items():
    for name, value in values.items():
        codes = ("null_not_allowed",) if value is None else ("wrong_type",)
        refused(J13, f"{role}-{name}", cell(role, value), role, statuses=(422,), codes=codes, names=True)
J13.add(
    "empty-string",
    Refused(body=cell("closed", ""), role="closed", statuses=(422,), codes=("unseen_category",), names=True),
    needs=("role:closed",),
)
refused(
    J13,
    "too-long",
    cell("word", "x" * 20_000),
    "word",
    statuses=(422,),
    codes=("too_long", "unseen_category"),
    names=True,
)

J14 = judged("J14", ("Wrong count of features", "特徴量の個数の誤り"), ("422", "422"))


def _counted(change: Callable[[list[Any]], list[Any]]) -> Callable[[Question], bytes]:
    """Return what makes a body whose row is a list of another length."""

    def make(question: Question) -> bytes:
        path = question.roles["number"][:-1]
        row = question.given(path)
        values = list(row.values()) if isinstance(row, dict) else list(row)
        return question.replaced(path, change(values))

    return make


for name, change in {
    "none": lambda row: [],
    "one": lambda row: row[:1],
    "one-fewer": lambda row: row[:-1],
    "one-more": lambda row: [*row, row[-1]],
    "twice": lambda row: row * 2,
    "1000": lambda row: row[:1] * 1000,
    "nested": lambda row: [row],
}.items():
    # Tensors of one feature each have no row of their own: J24 is about their shapes.
    refused(
        J14,
        name,
        _counted(change),
        "number",
        statuses=(400, 422),
        only=("predict", "batch", "invocations", "records", "lines"),
    )
refused(J14, "no-object-keys", lambda q: q.replaced(q.roles["number"][:-1], {}), "number", statuses=(422,))

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
for name, written in {
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
    refused(J15, "word-" + name, token("word", written), "word", codes=("malformed_json",))
    refused(J15, "number-" + name, token("number", written), "number", codes=("malformed_json",))

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

# Batches

J17 = judged(
    "J17",
    ("Batch edges", "バッチの境界"),
    (
        "422 for none, 200 for the most, 413 or 422 for more without computing",
        "0行は 422、上限は 200、それ以上は計算せずに 413 か 422",
    ),
)


def many(question: Question, count: int) -> bytes:
    """Return a body of so many rows, all the same."""
    assert question.row is not None
    path = question.row[:-1]
    return question.replaced(path, [question.given(question.row)] * count)


@J17.attack("none-most-more", needs=("limit:rows", "ours"), on="tight", seconds=60.0)
def _edges(target: Target) -> Outcome:
    most = int(target.limits["rows"])
    for question in (one for one in target.questions.values() if one.row is not None):
        for count, status, code in ((0, 422, "no_rows"), (most, 200, ""), (most + 1, 413, "too_many_rows")):
            before = target.predicted()
            answer = target.send(question, many(question, count))
            expect(
                (answer.status, answer.code) == (status, code),
                f"{question.name}, {count} rows: {answer.status} {answer.code}",
            )
            made = target.predicted() - before
            expect(made == (count if status == 200 else 0), f"{question.name}, {count} rows: {made:.0f} were predicted")
    return Outcome(seen="422 no_rows, 200, 413 too_many_rows")


@J17.attack("tensors", needs=("limit:rows", "route:infer", "ours"), on="tight")
def _edges_of_tensors(target: Target) -> Outcome:
    question, most = target.questions["infer"], int(target.limits["rows"])
    seen = []
    for count, statuses in ((0, {400, 422}), (most, {200}), (most + 1, {413})):
        tensor = {**question.good["inputs"][0], "shape": [count, 4], "data": [1.0] * 4 * count}
        answer = target.send(question, json.dumps({"inputs": [tensor]}).encode())
        expect(answer.status in statuses, f"{count} rows: {answer.status} {answer.code}")
        seen.append(f"{answer.status} {answer.code}".strip())
    return Outcome(seen=", ".join(seen))


@J17.attack("lines-and-csv", needs=("limit:rows", "ours", "route:batch"), on="tight")
def _edges_of_tables(target: Target) -> Outcome:
    most = int(target.limits["rows"])
    for media_type, line in (("text/csv", b"5,3,1.5,0.2\n"), ("application/jsonlines", b"[5,3,1.5,0.2]\n")):
        for path in ("/predict/batch", "/invocations"):
            for count, status in ((0, 422), (most, 200), (most + 1, 413)):
                answer = target.ask(path, line * count, headers={"content-type": media_type})
                expect(answer.status == status, f"{media_type}, {count} rows: {answer.status} {answer.code}")
    return Outcome(seen="422, 200, 413")


@J17.attack("1000000-rows", needs=("ours", "route:batch"), seconds=60.0)
def _a_million(target: Target) -> Outcome:
    """A million rows that pass the limit on bytes are refused without being computed, and nobody waits for it."""
    seen: dict[str, None] = {}
    longest = 0.0
    before = target.predicted()
    with target.bystander() as other:
        for path, media_type, body in (
            ("/predict/batch", "application/json", b"[" + b"{}," * 999_999 + b"{}]"),
            ("/invocations", "application/json", b'{"instances":[' + b"[]," * 999_999 + b"[]]}"),
            ("/invocations", "text/csv", b"1,2\n" * 1_000_000),
            ("/predict/batch", "application/jsonlines", b"{}\n" * 1_000_000),
        ):
            answer = target.ask(path, body, headers={"content-type": media_type})
            # Of CSV only so many lines are read that there are too many; whichever fault is found first is told.
            codes = {"too_many_rows", "wrong_count"} if media_type == "text/csv" else {"too_many_rows"}
            expect(answer.code in codes, f"{path} {media_type}: {answer.status} {answer.code}")
            check_refusal(answer, target)
            seen[f"{answer.status} {answer.code}"] = None
            longest = max(longest, answer.milliseconds)
    expect(not other.failures, f"another client got {other.failures[:3]}")
    expect(target.predicted() - before == other.served, "something was predicted")
    return Outcome(
        seen=", ".join(seen),
        figures={"ms": round(longest, 1), "bystander_ms": within(other.longest, 500.0, "another client")},
    )


J18 = judged(
    "J18",
    ("One bad row in a batch", "バッチ中の1行だけの誤り"),
    (
        "the whole batch 422 naming the row; nothing predicted or kept",
        "バッチ全体を 422 とし行を示す。予測も記録もしない",
    ),
)


def bad_row(rows: int, bad: int, role: str, written: bytes, codes: tuple[str, ...]) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        before = target.counted()
        seen: dict[str, None] = {}
        for question in target.asking(role):
            if question.row is None:
                continue
            good = question.given(question.row)
            step = question.roles[role][len(question.row) :]
            # A batch has its row one object deeper than a table.
            row = json.loads(json.dumps(good))
            inner = row
            for one in step[:-1]:
                inner = inner[one]
            inner[step[-1]] = "@@"
            body = question.replaced(question.row[:-1], [good] * bad + [row] + [good] * (rows - bad - 1))
            answer = target.send(question, body.replace(b'"@@"', written))
            expect(answer.status in {400, 422}, f"{question.name}: {answer.status}")
            check_refusal(answer, target)
            if target.ours:
                expect(answer.code in codes, f"{question.name}: the code is {answer.code}")
                if answer.status == 422:
                    expect(answer.json().get("row") == bad, f"{question.name}: the row is {answer.json().get('row')}")
                    expect(answer.json().get("field"), f"{question.name}: no field is named")
            seen[f"{answer.status} {answer.code}".strip()] = None
        after = target.counted()
        expect(before == after, f"something was predicted or kept: {before}, then {after}")
        if not seen:
            raise NotApplicable("there is no route for several rows")
        return Outcome(seen=", ".join(seen))

    return run


J18.add("57-of-100-nan", bad_row(100, 57, "number", b"NaN", ("malformed_json",)), needs=("body", "role:number"))
J18.add("57-of-100-null", bad_row(100, 57, "number", b"null", ("null_not_allowed",)), needs=("body", "role:number"))
J18.add("57-of-100-string", bad_row(100, 57, "number", b'"old"', ("wrong_type",)), needs=("body", "role:number"))
J18.add("57-of-100-huge", bad_row(100, 57, "number", b"1e400", ("not_finite",)), needs=("body", "role:number"))
J18.add("last-out-of-range", bad_row(100, 99, "ranged", b"9", ("out_of_range",)), needs=("role:ranged",))
J18.add("400-of-600-unseen", bad_row(600, 400, "closed", b'"none"', ("unseen_category",)), needs=("role:closed",))
J18.add("first", bad_row(100, 0, "integer", b"2.5", ("wrong_type",)), needs=("role:integer",))
J18.add("2000-of-3000", bad_row(3000, 2000, "ranged", b"9", ("out_of_range",)), needs=("role:ranged",))


@J18.attack("other-forms", needs=("ours", "role:closed"))
def _bad_rows_of_tables(target: Target) -> Outcome:
    """The same in CSV and JSON Lines, and in tensors of a hundred rows."""
    before = target.counted()
    person = target.question.good["features"]
    line = ",".join("" if one is None else json.dumps(one).strip('"') for one in person.values())
    bad = line.replace("40.0", "old")
    texts = {
        "text/csv": "\n".join([line] * 57 + [bad] + [line] * 42),
        "application/jsonlines": "\n".join(
            json.dumps({**person, "age": "old"} if row == 57 else person) for row in range(100)
        ),
    }
    for media_type, text in texts.items():
        for path in ("/predict/batch", "/invocations"):
            answer = target.ask(path, text.encode(), headers={"content-type": media_type})
            told_of = (answer.status, answer.code, answer.json().get("row"), answer.json().get("field"))
            expect(told_of == (422, "wrong_type", 57, "age"), f"{media_type}: {told_of}")
    inputs = [{**one, "shape": [100], "data": one["data"] * 100} for one in target.questions["infer"].good["inputs"]]
    inputs[2]["data"] = [2] * 57 + [9] + [2] * 42
    answer = target.send(target.questions["infer"], json.dumps({"inputs": inputs}).encode())
    told_of = (answer.status, answer.code, answer.json().get("row"), answer.json().get("field"))
    expect(told_of == (422, "out_of_range", 57, "children"), f"tensors: {told_of}")
    expect(target.counted() == before, "something was predicted or kept")
    return Outcome(seen="422 wrong_type, 422 out_of_range")


X_J19 = judged(
    "X-J19",
    ("Mixed forms in one batch", "1つのバッチに混在する形式"),
    ("each row is read by the same rules, or the batch refused", "全行を同じ規則で読むか、バッチを拒否"),
)


@X_J19.attack("lists-and-objects", needs=("ours", "role:closed"))
def _mixed_forms(target: Target) -> Outcome:
    person = target.question.good["features"]
    rows = [person, list(person.values()), dict(reversed(list(person.items())))]
    answers = target.ask("/predict/batch", json.dumps([{"features": row} for row in rows]).encode()).json()[
        "predictions"
    ]
    expect(answers[0] == answers[1] == answers[2], f"the answers differ: {answers}")
    answer = target.ask("/invocations", json.dumps({"instances": rows}).encode())
    expect(answer.status in {200, 422}, f"instances: {answer.status}")
    for row, code in ((3, "wrong_type"), (None, "wrong_type"), ([], "wrong_count"), ({}, "missing_feature")):
        answer = target.ask("/predict/batch", json.dumps([{"features": person}, {"features": row}]).encode())
        expect(
            (answer.status, answer.code, answer.json().get("row")) == (422, code, 1), f"{row}: {answer.body[:200]!r}"
        )
        answer = target.ask("/predict/batch", json.dumps([{"features": person}, row]).encode())
        expect(answer.status == 422 and answer.json().get("row") == 1, f"{row}: {answer.body[:200]!r}")
    return Outcome(seen="200, 422")


J20 = judged(
    "J20",
    ("Out of range, and a category never seen", "範囲外の値と未知のカテゴリ"),
    (
        "refused, or flagged in the answer and the metrics; never silent",
        "拒否するか、応答とメトリクスで知らせる。黙って通さない",
    ),
)


def strange(role: str, value: object, flag: str) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        process = target.process
        assert process is not None
        question = target.question
        before = process.metric("ml_prediction_flags_total")
        answer = target.send(question, question.replaced(role, value))
        if answer.status == 422:
            expect(answer.code in {"out_of_range", "unseen_category"}, f"the code is {answer.code}")
            return Outcome(seen=f"{answer.status} {answer.code}")
        expect(answer.status == 200, f"the answer is {answer.status}")
        flags = answer.json()["flags"]
        expect([one for one in flags if one.startswith(flag)], f"the flags are {flags}")
        expect(process.metric("ml_prediction_flags_total") == before + 1, "it is not counted")
        batch = target.send(target.questions["batch"], target.questions["batch"].replaced(role, value)).json()
        expect(batch["predictions"][0]["flags"] == flags, "the batch does not flag it")
        return Outcome(seen=f"200 {flags[0]}")

    return run


J20.add("ranged", strange("ranged", 7, "out_of_range"), needs=("ours", "metrics", "role:ranged"))
J20.add("number", strange("number", 400.0, "out_of_range"), needs=("ours", "metrics", "role:closed"))
J20.add("number-below", strange("number", -400.0, "out_of_range"), needs=("ours", "metrics", "role:closed"))
J20.add("word", strange("word", "Sapporo", "unseen_category"), needs=("ours", "metrics", "role:word"))
J20.add("closed", strange("closed", "gold", "unseen_category"), needs=("ours", "metrics", "role:closed"))

X_J21 = judged(
    "X-J21",
    ("Categories that only look like known ones", "既知のカテゴリに似せた値"),
    ("never taken for the known one: refused or flagged", "既知の値とは見なさず、拒否するか知らせる"),
)
for name, make in {
    "upper": str.upper,
    "title": str.title,
    "blank-after": lambda one: one + " ",
    "blank-before": lambda one: " " + one,
    "newline": lambda one: one + "\n",
    "nul": lambda one: one + "\0",
    "full-width": lambda one: "".join(chr(ord(each) + 0xFEE0) for each in one),
    "cyrillic": lambda one: one.replace("a", "\u0430").replace("o", "\u043e"),
    "zero-width": lambda one: one[:2] + "\u200b" + one[2:],
    "combining": lambda one: unicodedata.normalize("NFD", one + "\u0301"),
    "soft-hyphen": lambda one: one[:2] + "\u00ad" + one[2:],
}.items():
    X_J21.add(
        name,
        Refused(
            body=lambda q, make=make: q.replaced("closed", make("basic")),
            role="closed",
            statuses=(422,),
            codes=("unseen_category",),
            names=True,
        ),
        needs=("role:closed",),
    )  # type: ignore[misc]
    if name == "title":
        continue  # which the other one is already
    X_J21.add(
        "flagged-" + name, strange("word", make("Kyoto"), "unseen_category"), needs=("ours", "metrics", "role:closed")
    )

J22 = judged(
    "J22",
    ("Dates", "日時"),
    ("422, or read as documented; never a silent shift", "422、または文書どおりに読む。黙ってずらさない"),
)
for name, value in {
    "no-zone": "2024-01-31T09:30:00",
    "30-february": "2024-02-30T00:00:00Z",
    "29-february": "2023-02-29T00:00:00Z",
    "month-13": "2024-13-01T00:00:00Z",
    "year-0": "0000-01-01T00:00:00Z",
    "year-10000": "10000-01-01T00:00:00Z",
    "year-minus": "-2024-01-01T00:00:00Z",
    "date-only": "2024-01-31",
    "hour-24": "2024-01-31T24:00:00Z",
    "minute-60": "2024-01-31T09:60:00Z",
    "second-61": "2024-01-31T23:59:61Z",
    "offset-25": "2024-01-31T09:30:00+25:00",
    "zone-name": "2024-03-31T02:30:00 Europe/Berlin",
    "dst-gap-bracket": "2024-03-31T02:30:00[Europe/Berlin]",
    "american": "01/31/2024",
    "words": "yesterday",
    "empty": "",
    "epoch-words": "1706659200",
    "week": "2024-W05-3T00:00:00Z",
    "ordinal": "2024-031T00:00:00Z",
    "full-width": "２０２４-01-31T00:00:00Z",
    "trailing": "2024-01-31T00:00:00Z ",
    "newline": "2024-01-31T00:00:00Z\n",
    "long": "2024-01-31T00:00:00." + "1" * 100_000 + "Z",
}.items():
    refused(J22, name, cell("moment", value), "moment", statuses=(422,), codes=("invalid_datetime",), on="dates")
for name, value in {
    "epoch-s": 1706659200,
    "epoch-ms": 1706659200000,
    "epoch-float": 1706659200.5,
    "null": None,
    "true": True,
    "list": [2024, 1, 31],
}.items():
    refused(
        J22,
        name,
        cell("moment", value),
        "moment",
        statuses=(422,),
        codes=("wrong_type", "null_not_allowed"),
        on="dates",
    )
for name, value in {
    "before-year-1": "0001-01-01T00:00:00+14:00",
    "after-year-9999": "9999-12-31T23:59:59-14:00",
    "year-1": "0001-01-01T00:00:00Z",
    "year-9999": "9999-12-31T23:59:59.999999Z",
    "year-1500": "1500-01-01T00:00:00Z",
    "year-2300": "2300-01-01T00:00:00Z",
    "leap-second": "2024-06-30T23:59:60Z",
    "nanoseconds": "2024-01-31T00:00:00.123456789Z",
    "lower-case": "2024-01-31t00:00:00z",
    "minus-zero": "2024-01-31T00:00:00-00:00",
}.items():
    J22.add(name, Served(body=cell("moment", value), role="moment"), needs=("role:moment",), on="dates")


@J22.attack("same-moment", needs=("role:moment",), on="dates")
def _same_moment(target: Target) -> Outcome:
    """One moment, said in several zones, is one value; an hour more is another."""
    for question in target.asking("moment"):
        answers = []
        for written in (
            "2024-01-31T00:00:00Z",
            "2024-01-31T09:00:00+09:00",
            "2024-01-30T19:00:00-05:00",
            "2024-01-31T00:00:00.000Z",
        ):
            answer = target.send(question, question.replaced("moment", written))
            expect(answer.status == 200, f"{question.name}: {answer.status}")
            answers.append(_without_ids(answer.json()))
        expect(all(one == answers[0] for one in answers), f"{question.name}: the answers differ: {answers}")
        other = target.send(question, question.replaced("moment", "2024-02-01T00:00:00Z"))
        expect(_without_ids(other.json()) != answers[0], f"{question.name}: another day is the same")
    return Outcome(seen="the same")


J23 = judged(
    "J23",
    ("Overflow of 32-bit floats", "32 ビット浮動小数のオーバーフロー"),
    ("422 or flagged; never infinity into the model", "422、または知らせる。無限大をモデルに渡さない"),
)
for name, written in {
    "1e300": "1e300",
    "-1e300": "-1e300",
    "1e39": "1e39",
    "3.5e38": "3.5e38",
    "max-float64": "1.7976931348623157e308",
    "whole": str(10**39),
}.items():
    J23.add(
        name,
        Refused(
            body=token("number", written),
            role="number",
            statuses=(422,),
            codes=("not_finite", "out_of_range", "not_exact"),
            names=True,
        ),
        needs=("body", "role:number"),
    )
J23.add(
    "on-a-forest",
    Refused(body=token("number", "1e300"), role="number", statuses=(422,), codes=("not_finite",)),
    needs=("ours", "role:number"),
    on="tight",
)

# Tensors

J24 = judged(
    "J24",
    ("Shapes of tensors", "テンソルの形"),
    ("400 or 422 (413 for too many rows) without allocating", "400 か 422（行数超過は 413）。メモリを確保しない"),
)
X_J25 = judged(
    "X-J25",
    ("Binary tensors that lie", "偽りのバイナリテンソル"),
    ("400 or 422 without allocating", "400 か 422。メモリを確保しない"),
)


def shaped(
    shape: Any,
    data: Any = None,
    *,
    datatype: Any = "FP64",
    statuses: tuple[int, ...] = (400, 413, 422),
    raw: bool = False,
) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        question = target.questions["infer"]
        tensor = {
            "name": "features",
            "shape": "@@" if raw else shape,
            "datatype": datatype,
            "data": [5.0, 3.0, 1.5, 0.2] if data is None else data,
        }
        body = json.dumps({"inputs": [tensor]}).encode()
        if raw:
            body = body.replace(b'"@@"', shape)
        before = target.process.rss() if target.process else 0
        answer = target.send(question, body)
        expect(answer.status in statuses, f"{answer.status}, not one of {statuses}")
        if answer.status >= 400:
            check_refusal(answer, target)
        grown = (target.process.rss() - before) / 2**20 if target.process else 0.0
        expect(grown < 8, f"memory grew by {grown:.1f} MiB")
        return Outcome(
            seen=f"{answer.status} {answer.code}".strip(),
            figures={"ms": within(answer.milliseconds, 100.0, "the answer")},
        )

    return run


for name, shape in {
    "minus": [-1, 4],
    "minus-both": [-1, -4],
    "1e9": [10**9, 10**9],
    "1e9-rows": [10**9, 4],
    "product-wraps": [2**32, 2**32],
    "product-wraps-to-4": [2**62 + 1, 4],
    "2^63": [2**63, 4],
    "2^64+1": [2**64 + 1, 4],
    "too-few": [2, 4],
    "other-width": [1, 3],
    "turned": [4, 1],
    "empty": [],
    "flat": [4],
    "zero": [0, 4],
    "zero-wide": [1, 0],
    "three": [1, 1, 4],
    "many": [1] * 1000 + [4],
    "null": None,
    "number": 4,
    "string": "1,4",
    "object": {"0": 1},
    "of-null": [None, 4],
    "of-string": ["1", 4],
    "of-true": [True, 4],
    "of-list": [[1], 4],
}.items():
    J24.add(name, shaped(shape), needs=("route:infer",), on="tight")
for name, written in {
    "1.5": b"[1.5, 4]",
    "1e400": b"[1e400, 4]",
    "nan": b"[NaN, 4]",
    "10^400": b"[" + b"9" * 400 + b", 4]",
}.items():
    J24.add(name, shaped(written, raw=True), needs=("route:infer",), on="tight")
J24.add("1.0", shaped(b"[1.0, 4]", raw=True, statuses=(200, 400, 422)), needs=("route:infer",), on="tight")
for name, data in {
    "fewer": [5.0, 3.0],
    "more": [5.0] * 9,
    "nested": [[5.0, 3.0], [1.5, 0.2]],
    "deep": [[[5.0, 3.0, 1.5, 0.2]]],
    "none": [],
    "null": "null",
    "string": "5.0",
    "words": ["5"] * 4,
    "object": {},
    "ragged": [[5.0, 3.0, 1.5], [0.2]],
}.items():
    statuses = (200, 400, 422) if name in {"ragged", "nested"} else (400, 422)
    J24.add("data-" + name, shaped([1, 4], data, statuses=statuses), needs=("route:infer",), on="tight")
for name, datatype in {
    "unknown": "FP65",
    "empty": "",
    "null": None,
    "number": 64,
    "lower": "fp64",
    "bytes": "BYTES",
    "bool": "BOOL",
    "long": "F" * 100_000,
}.items():
    J24.add("datatype-" + name, shaped([1, 4], datatype=datatype), needs=("route:infer",), on="tight")
for datatype, value in {
    "INT8": 300,
    "UINT8": -1,
    "INT32": 2**31,
    "UINT64": 2**64,
    "INT64": 2**63,
    "FP32": 10**39,
    "FP16": 10**6,
}.items():
    J24.add(
        "out-of-" + datatype,
        shaped(
            [1, 4], [value, 3, 1, 0], datatype=datatype, statuses=(200, 400, 422) if datatype == "FP16" else (400, 422)
        ),
        needs=("route:infer",),
        on="tight",
    )


def binary(
    data: bytes,
    *,
    shape: Any = None,
    datatype: str = "FP64",
    size: Any = None,
    statuses: tuple[int, ...] = (400, 413, 422),
    more: dict[str, Any] | None = None,
    prefix: int = 0,
) -> Callable[[Target], Outcome]:
    """Send a tensor in the binary form, and the length of its JSON part in the head."""

    def run(target: Target) -> Outcome:
        question = target.questions["infer"]
        parameters = {"binary_data_size": len(data) if size is None else size, **(more or {})}
        tensor = {"name": "features", "shape": shape or [1, 4], "datatype": datatype, "parameters": parameters}
        text = json.dumps({"inputs": [tensor]}).encode()
        before = target.process.rss() if target.process else 0
        headers = {
            "content-type": "application/octet-stream",
            "inference-header-content-length": str(len(text) + prefix),
        }
        answer = target.send(question, text + data, headers=headers)
        expect(answer.status in statuses, f"{answer.status} {answer.code}, not one of {statuses}")
        if answer.status >= 400:
            check_refusal(answer, target)
        grown = (target.process.rss() - before) / 2**20 if target.process else 0.0
        expect(grown < 8, f"memory grew by {grown:.1f} MiB")
        return Outcome(
            seen=f"{answer.status} {answer.code}".strip(),
            figures={"ms": within(answer.milliseconds, 100.0, "the answer")},
        )

    return run


FLOATS = struct.pack("<4d", 5.0, 3.0, 1.5, 0.2)
for name, run in {
    "good": binary(FLOATS, statuses=(200,)),
    "nan": binary(struct.pack("<4d", float("nan"), 3.0, 1.5, 0.2)),
    "infinity": binary(struct.pack("<4d", float("inf"), 3.0, 1.5, 0.2)),
    "minus-infinity": binary(struct.pack("<4f", float("-inf"), 3.0, 1.5, 0.2), datatype="FP32"),
    "1e300": binary(struct.pack("<4d", 1e300, 3.0, 1.5, 0.2)),
    "half-infinity": binary(struct.pack("<4e", float("inf"), 3.0, 1.5, 0.2), datatype="FP16"),
    "fewer": binary(FLOATS[:-8]),
    "more": binary(FLOATS + b"\0" * 8),
    "half-a-number": binary(FLOATS[:-3]),
    "none": binary(b""),
    "size-larger": binary(FLOATS, size=10**6),
    "size-2^63": binary(FLOATS, size=2**63),
    "size-minus": binary(FLOATS, size=-32),
    "size-smaller": binary(FLOATS, size=8),
    "size-float": binary(FLOATS, size=32.5),
    "size-true": binary(FLOATS, size=True),
    "size-string": binary(FLOATS, size="32"),
    "size-null": binary(FLOATS, more={"binary_data_size": None}),
    "and-data-too": binary(FLOATS, more={"classification": 1}),
    "shape-larger": binary(FLOATS, shape=[10**9, 4]),
    "shape-wraps": binary(FLOATS, shape=[2**62 + 1, 4]),
    "shape-minus": binary(FLOATS, shape=[-1, -4]),
    "prefix-longer": binary(FLOATS, prefix=1000),
    "prefix-one-more": binary(FLOATS, prefix=1),
    "prefix-one-less": binary(FLOATS, prefix=-1),
    "bytes-length-larger": binary(struct.pack("<I", 2**31) + b"abc", datatype="BYTES"),
    "bytes-length-max": binary(struct.pack("<I", 2**32 - 1) + b"abc", datatype="BYTES"),
    "bytes-cut": binary(b"\x01\0", datatype="BYTES"),
    "bytes-many-empty": binary(b"\0" * 40_000, datatype="BYTES"),
    "bool-2": binary(b"\2\0\1\0", datatype="BOOL"),
    "shared-memory": binary(b"", size=0, more={"shared_memory_region": "x", "shared_memory_byte_size": 32}),
    "shared-memory-path": binary(FLOATS, more={"shared_memory_region": "/dev/shm/x", "shared_memory_offset": -1}),
}.items():
    X_J25.add(name, run, needs=("route:infer",), on="tight")


@X_J25.attack("overlapping-tensors", needs=("route:infer", "role:closed"))
def _overlapping(target: Target) -> Outcome:
    """Tensors that share one piece of data, or claim it twice."""
    question = target.questions["infer"]
    inputs = [{**one, "data": None, "parameters": {"binary_data_size": 8}} for one in question.good["inputs"]]
    for one in inputs:
        del one["data"]
    text = json.dumps({"inputs": inputs}).encode()
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(text))}
    answer = target.send(question, text + b"\0" * 8, headers=headers)
    expect(answer.status in {400, 422}, f"the answer is {answer.status}")
    check_refusal(answer, target)
    return Outcome(seen=f"{answer.status} {answer.code}")


# What is the same must stay the same

J26 = judged(
    "J26",
    ("Batch equals single", "バッチと単発の一致"),
    (
        "the same labels, probabilities within one unit of a 32-bit float, in every grouping and order",
        "どの区切り方・順序でも同じラベル、確率は 32 ビット浮動小数の1単位以内",
    ),
)
UNIT = 2.0**-22
"""Two steps of a 32-bit float just below one; sums of another order differ by no more."""


@J26.attack("1000-rows", needs=("ours", "route:batch"), on="usual", seconds=60.0)
def _same(target: Target) -> Outcome:
    chance = random.Random(26)
    rows = [
        {
            "age": chance.uniform(18, 89),
            "income": chance.choice([None, chance.lognormvariate(10, 1)]),
            "children": chance.randrange(6),
            "city": chance.choice(["Kyoto", "Osaka", "Nara", None]),
            "employed": chance.random() < 0.5,
            "plan": chance.choice(["basic", "plus"]),
        }
        for _ in range(1000)
    ]
    singles = []
    with target.connect() as connection:
        from tests.attacks.service.client import one_answer

        for row in rows:
            connection.sendall(target.post(body=json.dumps({"features": row}).encode()))
            singles.append(one_answer(connection).json())
    largest = 0.0
    for size in (1, 7, 100, 1000):
        for order in (list(range(1000)), chance.sample(range(1000), 1000)):
            taken = order[:100] if size == 1 else order
            for at in range(0, len(taken), size):
                places = taken[at : at + size]
                body = json.dumps([{"features": rows[place]} for place in places]).encode()
                answers = target.ask("/predict/batch", body).json()["predictions"]
                for place, answer in zip(places, answers, strict=True):
                    expect(answer["prediction"] == singles[place]["prediction"], f"row {place} has another label")
                    for label, probability in answer["probabilities"].items():
                        largest = max(largest, abs(probability - singles[place]["probabilities"][label]))
    expect(largest <= UNIT, f"probabilities differ by {largest}")
    return Outcome(seen="the same", figures={"largest_difference": largest})


# What is told

J27 = judged(
    "J27",
    ("Input echoed in errors", "エラーへの入力値の混入"),
    ("neither the answer nor any log has the value", "応答にもログにも値を含めない"),
)
SECRET = "SECRET-4111111111111111"


def _echo(secret: str, *roles: str) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        lines = len(target.process.lines()) if target.process else 0
        for role in roles:
            for question in target.asking(role):
                for body in (
                    question.replaced(role, secret),
                    question.replaced(role, [secret]),
                    question.replaced(role, {secret: secret}),
                ):
                    answer = target.send(question, body, headers={"accept-language": "ja"})
                    raw = json.dumps(secret).encode()[1:-1]
                    kept = answer.status == 200 and b"unseen_category" in answer.body
                    expect(kept or raw not in answer.body, f"{question.name}: the answer {answer.status} has it")
                    expect(secret.encode() not in answer.body, f"{question.name}: the answer {answer.status} has it")
        if target.process is not None:
            expect(not [line for line in target.process.lines()[lines:] if secret in line], "the log has it")
        return Outcome(seen="not said")

    return run


J27.add("secret", _echo(SECRET, "number", "integer", "boolean", "word", "closed"), needs=("body", "role:number"))
J27.add("markup", _echo("<script>alert(1)</script>", "number", "closed"), needs=("body", "role:number"))
J27.add("template", _echo("{{7*7}}${jndi:ldap://x}%0a", "number", "closed"), needs=("body", "role:number"))


@J27.attack("elsewhere", needs=("body",))
def _elsewhere(target: Target) -> Outcome:
    """In a query, a path, a table, a body that is not JSON, and a feedback."""
    lines = len(target.process.lines()) if target.process else 0
    question = target.question
    answers = [
        target.ask(f"{question.path}?{SECRET}={SECRET}", question.body),
        target.ask(f"/{SECRET}"),
        target.ask(question.path, f'{{"features": {SECRET}'.encode()),
        target.ask(question.path, SECRET.encode(), headers={"content-type": f"text/{SECRET.lower()}"}),
        target.ask("/invocations", f"{SECRET},1\n".encode(), headers={"content-type": "text/csv"}),
        target.ask("/feedback", json.dumps({"request_id": SECRET, "outcome": SECRET}).encode()),
        target.ask(f"/v2/models/{SECRET}/infer", b"{}"),
    ]
    for answer in answers:
        expect(SECRET.encode() not in answer.body, f"the answer {answer.status} has it: {answer.body[:200]!r}")
    if target.process is not None:
        expect(not [line for line in target.process.lines()[lines:] if SECRET in line], "the log has it")
    return Outcome(seen=", ".join(str(answer.status) for answer in answers))


J28 = judged(
    "J28",
    ("Strange but legal numbers", "変わっているが正しい数値"),
    ("served or 422, in under 50 ms; -0.0 equals 0.0", "50 ms 以内に応答か 422。-0.0 は 0.0 と同じ"),
)
for name, written in {
    "1e-400": "1e-400",
    "-0.0": "-0.0",
    "-0": "-0",
    "5e-324": "5e-324",
    "100000-zeros": "0." + "0" * 100_000 + "1",
    "1E+00002": "4E+00001",
    "100000-zeros-exponent": "4e" + "0" * 100_000 + "1",
    "100000-digits": "4" + "0." + "1" * 100_000,
    "whole": "40",
    "long": "40.000000000000000000001",
    "trailing-zeros": "40." + "0" * 1_000,
    "0e0": "0e0",
    "0E-0": "0E-0",
}.items():
    served(
        J28,
        name,
        token("number", written),
        "number",
        limit=50.0,
        ours=(200,) if name != "100000-zeros-exponent" else (200, 422, 400),
    )


@J28.attack("minus-zero-is-zero", needs=("body", "role:number"))
def _minus_zero(target: Target) -> Outcome:
    for question in target.asking("number"):
        answers = [
            target.send(question, question.token("number", written)) for written in (b"0.0", b"-0.0", b"-0", b"0e5")
        ]
        expect(
            len({answer.status for answer in answers}) == 1, f"{question.name}: {[answer.status for answer in answers]}"
        )
        if answers[0].status == 200:
            told_of = [_without_ids(answer.json()) for answer in answers]
            expect(told_of[0] == told_of[1] == told_of[2] == told_of[3], f"{question.name}: the answers differ")
    return Outcome(seen=str(answers[0].status))


@J28.attack("whole-with-a-point", needs=("body", "role:integer"))
def _pointed(target: Target) -> Outcome:
    """A whole number may be written with a point or an exponent."""
    for question in target.asking("integer"):
        answers = [
            target.send(question, question.token("integer", written)) for written in (b"3", b"3.0", b"3e0", b"30e-1")
        ]
        expect(
            {answer.status for answer in answers} == {200}, f"{question.name}: {[answer.status for answer in answers]}"
        )
        told_of = [_without_ids(answer.json()) for answer in answers]
        expect(all(one == told_of[0] for one in told_of), f"{question.name}: the answers differ")
    return Outcome(seen="200")


def _without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _without_ids(inner) for name, inner in value.items() if name not in {"request_id", "timestamp", "id"}
        }
    return [_without_ids(inner) for inner in value] if isinstance(value, list) else value


X_J30 = judged(
    "X-J30",
    ("Numbers on the border between whole and not", "整数と小数の境界の数"),
    ("the same on every route: exact, or 422", "全ルートで同じ扱い。正確に扱うか 422"),
)
for name, written in {
    "2^53": str(2**53),
    "-2^53": str(-(2**53)),
    "2^63-1": str(2**63 - 1),
    "-2^63": str(-(2**63)),
    "2^53-point": f"{2**53}.0",
    "2^63-point": "9223372036854775808.0",
    "half": "2.5",
    "almost-3": "2.9999999999999999",
    "1e18": "1e18",
    "1e19": "1e19",
    "-0.0": "-0.0",
    "1e-320": "1e-320",
}.items():

    def _alike(target: Target, written: str = written) -> Outcome:
        statuses: dict[str, int] = {}
        for question in target.asking("integer"):
            answer = target.send(question, question.token("integer", written.encode()))
            statuses[question.name] = answer.status
            expect(answer.status in {200, 400, 422}, f"{question.name}: {answer.status}")
        expect(len(set(statuses.values())) == 1, f"the routes differ: {statuses}")
        return Outcome(seen=str(answer.status))

    X_J30.add(name, _alike, needs=("body", "role:integer"))

# Tables

X_J31 = judged(
    "X-J31",
    ("CSV and JSON Lines that do not fit", "合わない CSV・JSON Lines"),
    ("refused by the same rules and codes as JSON", "JSON と同じ規則とコードで拒否"),
)
for name, (body, codes) in {
    "empty": (b"", ("no_rows",)),
    "blank-lines": (b"\n\n\n", ("no_rows",)),
    "fewer": (b"1,2,3\n", ("wrong_count",)),
    "more": (b"1,2,3,4,5\n", ("wrong_count",)),
    "nan": (b"1,2,3,nan\n", ("wrong_type",)),
    "inf": (b"1,2,3,inf\n", ("wrong_type",)),
    "underscore": (b"1,2,3,1_000\n", ("wrong_type",)),
    "null": (b"1,2,3,\n", ("null_not_allowed",)),
    "quote": (b'1,2,3,"4\n', ("malformed_csv",)),
    "byte": (b"1,2,3,\xff\n", ("malformed_csv",)),
    "1e999": (b"1,2,3,1e999\n", ("not_finite",)),
    "1e300": (b"1,2,3,1e300\n", ("not_finite",)),
    "hex": (b"1,2,3,0x10\n", ("wrong_type",)),
    "blank": (b"1,2,3, 4\n", ("wrong_type",)),
    "full-width": ("1,2,3,４\n".encode(), ("wrong_type",)),
    "semicolons": (b"1;2;3;4\n", ("wrong_count",)),
    "tabs": (b"1\t2\t3\t4\n", ("wrong_count",)),
    "formula": (b"=1+1,2,3,4\n", ("wrong_type",)),
    "nul": (b"1,2,3,\0\n", ("malformed_csv", "wrong_type")),
    "utf-16": ("1,2,3,4\n".encode("utf-16"), ("malformed_csv",)),
    "long-cell": (b"1,2,3," + b"4" * 60_000 + b"\n", ("wrong_type", "not_finite", "malformed_csv")),
    "many-cells": (b"1," * 30_000 + b"\n", ("wrong_count",)),
    "second-line": (b"1,2,3,4\n1,2,3\n", ("wrong_count",)),
    "quoted-line": (b'1,2,3,"4\n5"\n', ("wrong_type",)),
}.items():

    def _csv(target: Target, body: bytes = body, codes: tuple[str, ...] = codes) -> Outcome:
        before = target.predicted()
        for path in ("/predict/batch", "/invocations"):
            answer = target.ask(path, body, headers={"content-type": "text/csv"})
            expect(answer.status in {400, 422}, f"{path}: {answer.status}")
            expect(answer.code in codes, f"{path}: the code is {answer.code}")
            check_refusal(answer, target)
        expect(target.predicted() == before, "something was predicted")
        return Outcome(seen=f"{answer.status} {answer.code}")

    X_J31.add("csv-" + name, _csv, needs=("ours", "route:batch"), on="tight")
for name, (body, codes) in {
    "empty": (b"", ("no_rows",)),
    "blank-lines": (b"\n \n\n", ("no_rows",)),
    "not-json": (b"[1,2,3,4]\nx\n", ("malformed_json",)),
    "cut": (b"[1,2,3,4]\n[1,2\n", ("malformed_json",)),
    "list": (b"[[1,2,3,4],[1,2,3,4]]\n", ("wrong_count", "wrong_type")),
    "number": (b"1\n2\n", ("wrong_type",)),
    "null": (b"null\n", ("wrong_type",)),
    "nan": (b"[1,2,3,NaN]\n", ("malformed_json",)),
    "twice": (b'{"features":[1,2,3,4],"features":[1,2,3,4]}\n', ("duplicate_key",)),
    "deep": (b"[" * 30_000 + b"\n", ("malformed_json",)),
    "two-a-line": (b"[1,2,3,4][1,2,3,4]\n", ("malformed_json",)),
    "carriage-return": (b"[1,2,3,4]\r[1,2,3]\r", ("malformed_json",)),
    "bom": (b"\xef\xbb\xbf[1,2,3,4]\n", ("malformed_json",)),
    "second": (b"[1,2,3,4]\n[1,2,3]\n", ("wrong_count",)),
    "1e300": (b"[1,2,3,1e300]\n", ("not_finite",)),
}.items():

    def _lines(target: Target, body: bytes = body, codes: tuple[str, ...] = codes) -> Outcome:
        for path, media_type in itertools.product(
            ("/predict/batch", "/invocations"), ("application/jsonlines", "application/x-ndjson")
        ):
            answer = target.ask(path, body, headers={"content-type": media_type})
            expect(answer.status in {400, 422}, f"{path}: {answer.status}")
            expect(answer.code in codes, f"{path}: the code is {answer.code}")
            check_refusal(answer, target)
        return Outcome(seen=f"{answer.status} {answer.code}")

    X_J31.add("lines-" + name, _lines, needs=("ours", "route:batch"), on="tight")
INVOCATIONS: dict[str, tuple[Any, str]] = {
    "nothing": ({}, "missing_field"),
    "two": ({"instances": [[5, 3, 1, 0.2]], "inputs": [[5, 3, 1, 0.2]]}, "missing_field"),
    "unknown": ({"rows": []}, "unknown_field"),
    "number": ({"instances": 3}, "wrong_type"),
    "list-of-numbers": ({"instances": [3]}, "wrong_type"),
    "fewer": ({"instances": [[1, 2]]}, "wrong_count"),
    "no-columns": ({"dataframe_split": {"data": [[1, 2, 3, 4]]}}, "missing_field"),
    "other-columns": ({"dataframe_split": {"columns": ["a"], "data": [[1]]}}, "unknown_feature"),
    "column-twice": ({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 1]]}}, "duplicate_key"),
    "ragged": ({"dataframe_split": {"columns": ["a", "b"], "data": [[1]]}}, "wrong_count"),
    "uneven": ({"inputs": {"a": [1], "b": [1, 2]}}, "wrong_count"),
    "text": ("text", "wrong_type"),
    "bare-number": ([3], "wrong_type"),
}
for name, (given, code) in INVOCATIONS.items():

    def _table(target: Target, given: Any = given, code: str = code) -> Outcome:
        answer = target.ask("/invocations", json.dumps(given).encode())
        expect(answer.code == code, f"the code is {answer.code}")
        check_refusal(answer, target)
        return Outcome(seen=f"{answer.status} {answer.code}")

    X_J31.add("invocations-" + name, _table, needs=("ours", "route:invocations"), on="tight")

X_J32 = judged(
    "X-J32",
    ("Feedback that does not fit", "合わないフィードバック"),
    ("4xx with a code; nothing is kept", "4xx とコード。何も記録しない"),
)
for name, given in {
    "no-id": {"outcome": "stays"},
    "no-outcome": {"request_id": "a"},
    "empty-id": {"request_id": "", "outcome": "stays"},
    "long-id": {"request_id": "a" * 129, "outcome": "stays"},
    "id-newline": {"request_id": "a\n", "outcome": "stays"},
    "id-quote": {"request_id": "a'; DROP TABLE outcomes_1; --", "outcome": "stays"},
    "id-number": {"request_id": 1, "outcome": "stays"},
    "other-class": {"request_id": "a", "outcome": "goes"},
    "number-for-class": {"request_id": "a", "outcome": 1},
    "true-for-class": {"request_id": "a", "outcome": True},
    "null": {"request_id": "a", "outcome": None},
    "list": {"request_id": "a", "outcome": ["stays"]},
    "object": {"request_id": "a", "outcome": {"churn": "stays"}},
    "row-minus": {"request_id": "a", "outcome": "stays", "row": -1},
    "row-huge": {"request_id": "a", "outcome": "stays", "row": 2**31},
    "row-2^70": {"request_id": "a", "outcome": "stays", "row": 2**70},
    "row-fraction": {"request_id": "a", "outcome": "stays", "row": 1.5},
    "row-true": {"request_id": "a", "outcome": "stays", "row": True},
    "row-null": {"request_id": "a", "outcome": "stays", "row": None},
    "unknown": {"request_id": "a", "outcome": "stays", "x": 1},
}.items():

    def _feedback(target: Target, given: Any = given) -> Outcome:
        answer = target.ask("/feedback", json.dumps(given).encode())
        expect(answer.status == 422, f"the answer is {answer.status} {answer.code}")
        check_refusal(answer, target)
        return Outcome(seen=f"{answer.status} {answer.code}")

    X_J32.add(name, _feedback, needs=("ours", "route:feedback"))


# The whole of it

X_J33 = judged(
    "X-J33",
    ("The book after all of this", "ここまでの攻撃の後の台帳"),
    ("it holds what was predicted, and nothing else", "予測したものだけが載っている"),
)


@X_J33.attack("as-many-as-were-predicted", needs=("ours", "ledger", "metrics"))
def _book(target: Target) -> Outcome:
    counted = target.counted()
    expect(counted["booked"] == counted["predictions"], f"{counted}")
    return Outcome(seen="as many", figures=counted)


__all__ = ["KINDS", "told"]
