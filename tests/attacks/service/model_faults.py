"""Models that raise, answer what cannot be, hang, or die."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

from tests.attacks.service.attack import Chapter, Outcome, expect, within
from tests.attacks.service.client import Answer
from tests.attacks.service.moves import check_refusal
from tests.attacks.service.native import DEADLINE_SECONDS, module
from tests.attacks.service.target import Question, Target

KINDS = model = Chapter("model")
SECOND = 1_000.0
SECONDS_OF_BOOK = 0.7
"""After which everything that was answered stands in the book."""
SPARED = ("log",)
"""The log says that a process died, which is no fault of the service."""

M01 = model(
    "M01",
    ("Model raises", "モデルが例外を送出"),
    (
        "500 problem body without its words; counted; the next request is fine",
        "文言を含まない 500。計数され、次のリクエストは正常",
    ),
)
M02 = model(
    "M02",
    ("Model answers NaN or infinity", "モデルが NaN や無限大を返す"),
    (
        "500 invalid_output for that request; never NaN in JSON; counted",
        "そのリクエストは 500 invalid_output。JSON に NaN は出ない。計数される",
    ),
)
M03 = model(
    "M03",
    ("Model answers too few rows", "モデルの返す行が足りない"),
    ("500; never an answer at the wrong row", "500。行がずれた答えは返さない"),
)
XM04 = model(
    "X-M4",
    ("Model answers too much, or something else", "モデルが余分な行や別の形を返す"),
    (
        "500, or the right answer where it can be told; never shifted rows; memory bounded",
        "500、または判別できれば正しい答え。行はずれず、メモリも有界",
    ),
)
M05 = model(
    "M05",
    ("Impossible probabilities", "あり得ない確率"),
    (
        "500 invalid_output; counted, so that the alert on failed predictions fires",
        "500 invalid_output。計数され、失敗の警報の対象になる",
    ),
)
M06 = model(
    "M06",
    ("Model hangs", "モデルが止まる"),
    (
        "504 within the deadline and 1 s; its place is free again; others are answered within 1 s",
        "期限＋1秒以内に 504。枠は回復し、他は 1 秒以内に応答",
    ),
)
XM07 = model(
    "X-M7",
    ("Model hangs where no signal reaches it", "シグナルの届かない所で止まる"),
    ("as any that hangs", "ほかの停止と同じ扱い"),
)
M08 = model(
    "M08",
    ("Model ends its process", "モデルが自分のプロセスを落とす"),
    (
        "502, 503 or 500 for that request; a new process within 5 s, ready again",
        "そのリクエストは 502・503・500。5 秒以内に新しいプロセスで復帰",
    ),
)


def wicked(question: Question, act: str) -> bytes:
    """Return a body that makes the model do something."""
    return question.replaced("what", float(module("wicked").CODES[act]))


def errors(target: Target) -> float:
    assert target.process is not None
    return target.process.metric("ml_predictions_total", status="error")


def check_secret(answer: Answer, target: Target, before: int) -> None:
    """Say that neither the answer nor the log tells what the model said."""
    assert target.process is not None
    for words in (b"hunter2", b"secret-4711", b"wicked.py", b"Traceback"):
        expect(words not in answer.body, f"the answer holds {words!r}")
        expect(
            not [line for line in target.process.lines()[before:] if words.decode() in line], f"the log holds {words!r}"
        )


def _fails(
    act: str, statuses: tuple[int, ...], codes: tuple[str, ...], *, routes: tuple[str, ...] = ()
) -> Callable[[Target], Outcome]:
    """Return the attack that makes the model do something on every route, and expects a refusal that tells nothing."""

    def run(target: Target) -> Outcome:
        assert target.process is not None
        lines = len(target.process.lines())
        seen: dict[str, None] = {}
        for question in target.questions.values():
            if routes and question.name not in routes:
                continue
            counted = errors(target)
            answer = target.send(question, wicked(question, act))
            expect(answer.status in statuses, f"{question.name}: {answer.status} {answer.code}")
            expect(answer.code in codes, f"{question.name}: the code is {answer.code}")
            expect(b"NaN" not in answer.body and b"Infinity" not in answer.body, "the answer holds NaN")
            check_refusal(answer, target)
            check_secret(answer, target, lines)
            rows = len(question.good) if question.name == "batch" else 2 if question.name == "invocations" else 1
            expect(
                errors(target) == counted + rows, f"{question.name}: {errors(target) - counted} of {rows} are counted"
            )
            expect(target.send(question).status == 200, f"{question.name}: the next request fails")
            seen[f"{answer.status} {answer.code}"] = None
        return Outcome(seen=", ".join(seen))

    return run


RAISES = (
    *("raise", "raise-a-long-text", "raise-lines", "raise-without-words", "raise-key", "raise-memory", "raise-stop"),
    *("raise-timeout", "raise-oserror", "recurse"),
)
ENDS_BY_RAISING = ("raise-keyboard", "raise-exit", "raise-exit-0", "raise-base")
for act in RAISES:
    M01.add(act, _fails(act, (500,), ("model_failed",)), on="wicked", spares=SPARED)
for act in ENDS_BY_RAISING:
    M01.add(
        act,
        _fails(act, (500, 503), ("model_failed", "model_died"), routes=("predict", "batch")),
        on="wicked",
        spares=SPARED,
    )
for act in ("nan", "nan-in-one-row", "infinity", "minus-infinity", "not-numbers"):
    M02.add(act, _fails(act, (500,), ("invalid_output",)), on="wicked")
for act in ("too-few-rows", "no-rows"):
    M03.add(act, _fails(act, (500,), ("invalid_output", "model_failed")), on="wicked")
for act in (
    "too-many-rows",
    "one-row-more",
    "one-column",
    "three-columns",
    "three-dimensions",
    "no-dimension",
    "none",
    "generator",
):
    XM04.add(act, _fails(act, (500,), ("invalid_output", "model_failed")), on="wicked")
for act in ("objects-of-ours", "dictionary", "far-too-many-rows"):
    XM04.add(act, _fails(act, (500, 503), ("invalid_output", "model_failed", "model_died")), on="wicked", spares=SPARED)
for act in ("negative", "above-one", "sum-of-two", "sum-of-zero", "sum-a-little-off"):
    M05.add(act, _fails(act, (500,), ("invalid_output",)), on="wicked")


@M02.attack("no-bare-nan-anywhere", on="wicked")
def _strict(target: Target) -> Outcome:
    import msgspec

    for question in target.questions.values():
        for act in ("nan", "nan-in-one-row", "infinity"):
            msgspec.json.decode(target.send(question, wicked(question, act)).body)
    return Outcome(seen="strict JSON")


for act in ("strings", "objects", "complex", "booleans", "integers", "list"):

    @XM04.attack(act, on="wicked")
    def _another_type(target: Target, act: str = act) -> Outcome:
        """Whatever type the right answer comes in: it is the right one, or none."""
        question = target.question
        right = target.send(question).json()["prediction"]
        answer = target.send(question, wicked(question, act))
        expect(answer.status in {200, 500}, f"{answer.status} {answer.code}")
        expect(answer.status == 500 or answer.json()["prediction"] == right, "another answer")
        return Outcome(seen=f"{answer.status} {answer.code}".strip())


@M03.attack("never-at-the-wrong-row", on="wicked")
def _rows_stay(target: Target) -> Outcome:
    """Callers who share a batch with one whose answers are too few get their own, or none."""
    wrong: list[str] = []

    def ask(number: int) -> None:
        value = float(number % 7 - 3) + 0.5
        for _ in range(10):
            answer = target.send(target.question, target.question.replaced("number", value))
            if answer.status == 200 and answer.json()["prediction"] != (value > 0):
                wrong.append(f"{value}: {answer.body!r}")
            elif answer.status not in {200, 500, 503, 504}:  # refused for want of time is not crossed
                wrong.append(str(answer.status))

    def spoil() -> None:
        for _ in range(20):
            target.send(target.question, wicked(target.question, "too-few-rows"))

    run_together([*(partial(ask, number) for number in range(8)), spoil])
    expect(not wrong, f"{wrong[:3]}")
    return Outcome(seen="80 right answers beside 20 short ones")


def run_together(works: list[Callable[[], None]]) -> None:
    """Run functions in threads of their own, and wait for all."""
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


# It hangs


def _hangs(act: str, *, times: int = 1) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        hung: list[tuple[float, Answer]] = []

        def hang(number: int) -> None:
            body = target.question.at("what", float(module("wicked").CODES[act]))
            body["features"][1] = float(number)  # rows of their own
            import json

            began = time.monotonic()
            answer = target.send(target.question, json.dumps(body).encode())
            hung.append((time.monotonic() - began, answer))

        threads = [threading.Thread(target=hang, args=(number,), daemon=True) for number in range(times)]
        with target.bystander(every=0.05) as other:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        expect(len(hung) == times, f"{times - len(hung)} never end")
        for seconds, answer in hung:
            expect((answer.status, answer.code) == (504, "deadline_exceeded"), f"{answer.status} {answer.code}")
            within(seconds * SECOND, (DEADLINE_SECONDS + 1.0) * SECOND, "the end")
            check_refusal(answer, target)
        expect(not other.failures, f"another client got {other.failures[:3]}")
        within(other.longest, SECOND, "another client")
        for _ in range(6):  # every process has its turn
            expect(target.send(target.question).status == 200, "a place is not free again")
        longest = max(seconds for seconds, _ in hung)
        return Outcome(seen="504", figures={"seconds": round(longest, 2), "bystander_ms": other.longest})

    return run


M06.add("sleep", _hangs("hang"), on="wicked", spares=SPARED)
M06.add("spin", _hangs("spin"), on="wicked", spares=SPARED)
M06.add("two-at-once", _hangs("hang", times=2), on="wicked", spares=SPARED)
XM07.add("in-c", _hangs("hang-in-c"), on="wicked", spares=SPARED)
XM07.add("signals-ignored", _hangs("hang-and-ignore-signals"), on="wicked", spares=SPARED)
XM07.add("stopped", _hangs("stop-itself"), on="wicked", spares=SPARED)


@XM07.attack("garbage-on-the-wire", on="wicked", spares=SPARED)
def _garbled(target: Target) -> Outcome:
    with target.bystander(every=0.05) as other:
        began = time.monotonic()
        answer = target.send(target.question, wicked(target.question, "garble-the-wire"))
        seconds = time.monotonic() - began
    expect(answer.status in {500, 503, 504}, f"{answer.status}")
    within(seconds * SECOND, (DEADLINE_SECONDS + 2.0) * SECOND, "the end")
    expect(not other.failures, f"another client got {other.failures[:3]}")
    within(other.longest, SECOND, "another client")
    return Outcome(seen=f"{answer.status} {answer.code}", figures={"seconds": round(seconds, 2)})


# It ends


def _dies(act: str) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        assert target.process is not None
        restarts = target.process.metric("ml_model_restarts_total")
        began = time.monotonic()
        answer = target.send(target.question, wicked(target.question, act))
        expect(answer.status in {500, 502, 503}, f"{answer.status} {answer.code}")
        within((time.monotonic() - began) * SECOND, SECOND, "the answer")
        check_refusal(answer, target)
        while target.process.metric("ml_model_restarts_total") < restarts + 1:
            within((time.monotonic() - began) * SECOND, 5 * SECOND, "a new process")
            time.sleep(0.05)
        for _ in range(6):
            expect(target.send(target.question).status == 200, "the next request fails")
        ready = target.ask("/health/ready").status
        expect(ready == 200, f"ready says {ready}")
        within((time.monotonic() - began) * SECOND, 5 * SECOND, "ready again")
        return Outcome(seen=f"{answer.status} {answer.code}", figures={"seconds": round(time.monotonic() - began, 2)})

    return run


for act in ("die", "die-with-0", "crash", "abort", "kill-itself"):
    M08.add(act, _dies(act), on="wicked", spares=SPARED)


@M01.attack("nothing-is-kept", on="wicked", needs=("ledger-path",), spares=SPARED)
def _not_kept(target: Target) -> Outcome:
    from sekisho.ledger.predictions import PredictionBook

    def kept() -> int:
        time.sleep(SECONDS_OF_BOOK)
        with PredictionBook(target.more["ledger-path"]) as book:
            return book.count()

    before = kept()
    for act in ("raise", "raise-exit", "nan", "too-few-rows", "too-many-rows", "above-one", "die", "objects-of-ours"):
        for question in target.questions.values():
            expect(target.send(question, wicked(question, act)).status >= 500, f"{act} is answered")
    target.send(target.question)
    expect(kept() == before + 1, f"{kept() - before} rows are kept, not 1")
    return Outcome(seen="nothing")


@M08.attack("with-its-nursery", on="wicked", spares=SPARED, slow=True, seconds=90.0)
def _with_nursery(target: Target) -> Outcome:
    """The process that all others are forks of is killed: they end with it, and a new one is started."""
    began = time.monotonic()
    answer = target.send(target.question, wicked(target.question, "end-its-parent"))
    expect(answer.status in {500, 502, 503}, f"{answer.status} {answer.code}")
    while target.send(target.question).status != 200:
        expect(time.monotonic() - began < 60, "no answer for a minute")
        time.sleep(0.05)
    return Outcome(seen=f"{answer.status} {answer.code}", figures={"seconds": round(time.monotonic() - began, 2)})
