"""Batches: their edges, one bad row, mixed forms, and that they answer as single rows do."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from tests.attacks.service.attack import Chapter, NotApplicable, Outcome, expect, within
from tests.attacks.service.moves import (
    check_refusal,
)
from tests.attacks.service.target import Question, Target

KINDS = judged = Chapter("input")


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


X_J34 = judged(
    "X-J34",
    ("Refusals, counted and told", "拒否の集計と説明"),
    (
        "each is counted once by its code, and told in the language of the caller",
        "コードごとに1回ずつ数え、呼び出し元の言語で伝える",
    ),
)


@X_J34.attack("counted", needs=("ours", "metrics", "role:number"))
def _counted(target: Target) -> Outcome:
    process, question = target.process, target.question
    assert process is not None
    rejected = process.metric("ml_predictions_total", status="rejected")
    problems = process.metric("ml_problems_total", code="wrong_type")
    for _ in range(5):
        expect(target.send(question, question.replaced("number", "x")).status == 422, "it is not refused")
    more = process.metric("ml_predictions_total", status="rejected") - rejected
    told_of = process.metric("ml_problems_total", code="wrong_type") - problems
    expect((more, told_of) == (5, 5), f"{more:.0f} were counted, {told_of:.0f} by their code")
    return Outcome(seen="5 of 5")


@X_J34.attack("in-japanese", needs=("ours", "role:number"))
def _in_japanese(target: Target) -> Outcome:
    question = target.question
    answer = target.send(
        question, question.replaced("number", "x"), headers={"accept-language": "ja-JP,ja;q=0.9"}
    ).json()
    expect((answer["title"], answer["code"]) == ("値の型が違います", "wrong_type"), f"{answer}")
    return Outcome(seen=answer["title"])
