"""Keys that stand twice, are unknown, or only look like the right ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from tests.attacks.service.attack import Chapter, NotApplicable, Outcome, expect
from tests.attacks.service.moves import (
    refused,
)
from tests.attacks.service.target import Question, Target

KINDS = judged = Chapter("input")


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


def called(name: str) -> Callable[[Question], bytes]:
    """Return what makes a body in which the key of the number is spelled otherwise."""
    return lambda question: renamed(question, name)


SPELLED: dict[str, Callable[[str], str]] = {
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
}
for name, make in SPELLED.items():
    refused(
        X_J10,
        name,
        called(make("age")),
        "number",
        codes=("unknown_feature", "unknown_field", "missing_field", "missing_feature"),
    )


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
FLOODS: dict[str, Callable[[], dict[str, Any]]] = {
    "100000-keys": lambda: {f"k{n}": n for n in range(100_000)},
    "1-mib-key": lambda: {"x" * 1_000_000: 1},
    "long-keys": lambda: {"x" * 1_000 + str(n): 1 for n in range(1_000)},
    "deep-keys": lambda: {"features": {"features": {"features": {}}}},
}


@cache
def flooded(name: str) -> bytes:
    """Return an object of many keys, or of long ones, in JSON."""
    return json.dumps(FLOODS[name]()).encode()


def beside(name: str) -> Callable[[Question], bytes]:
    """Return what makes the good body with more keys, or nothing but these where it is a list."""
    return lambda q: q.body[:-1] + b", " + flooded(name)[1:] if isinstance(q.good, dict) else flooded(name)


def instead(name: str) -> Callable[[Question], bytes]:
    """Return what makes a body whose row, or tensor, is an object of such keys."""
    return lambda q: q.token(q.roles["number"][:-1], flooded(name))


for name in FLOODS:
    refused(J12, name, beside(name), statuses=(400, 413, 422), limit=100.0)
    refused(J12, "feature-" + name, instead(name), "number", statuses=(400, 413, 422), limit=100.0)
