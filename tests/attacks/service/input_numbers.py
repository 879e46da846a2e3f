"""Numbers that cannot be kept as they are, and strange ones that can."""

from __future__ import annotations

from collections.abc import Callable

from tests.attacks.service.attack import Chapter, Outcome, expect, within
from tests.attacks.service.moves import (
    Refused,
    cell,
    check_refusal,
    refused,
    served,
    token,
    without_ids,
)
from tests.attacks.service.target import Target

KINDS = judged = Chapter("input")


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
            told_of = [without_ids(answer.json()) for answer in answers]
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
        told_of = [without_ids(answer.json()) for answer in answers]
        expect(all(one == told_of[0] for one in told_of), f"{question.name}: the answers differ")
    return Outcome(seen="200")


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
