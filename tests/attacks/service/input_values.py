"""Values of the wrong type, out of range, never seen, and moments that do not exist."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from typing import Any

from tests.attacks.service.attack import Chapter, Outcome, expect
from tests.attacks.service.moves import (
    Refused,
    Served,
    cell,
    refused,
    without_ids,
)
from tests.attacks.service.target import Question, Target

KINDS = judged = Chapter("input")


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
ALIKE: dict[str, Callable[[str], str]] = {
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
}
for name, make in ALIKE.items():
    X_J21.add(
        name,
        Refused(
            body=cell("closed", make("basic")),
            role="closed",
            statuses=(422,),
            codes=("unseen_category",),
            names=True,
        ),
        needs=("role:closed",),
    )
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
    "100000-digits": "2024-01-31T00:00:00." + "1" * 100_000 + "Z",
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
            answers.append(without_ids(answer.json()))
        expect(all(one == answers[0] for one in answers), f"{question.name}: the answers differ: {answers}")
        other = target.send(question, question.replaced("moment", "2024-02-01T00:00:00Z"))
        expect(without_ids(other.json()) != answers[0], f"{question.name}: another day is the same")
    return Outcome(seen="the same")


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
