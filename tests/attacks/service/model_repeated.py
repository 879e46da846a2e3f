"""Poison among good requests, again and again; answers that must not get to other callers; what one request leaves to the next."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

from tests.attacks.service.attack import Chapter, Outcome, expect
from tests.attacks.service.client import parse_answers
from tests.attacks.service.model_faults import SPARED, run_together, wicked
from tests.attacks.service.native import module, served
from tests.attacks.service.own import LIMITS, Workshop, configuration, target_of
from tests.attacks.service.target import Question, Target

KINDS = model = Chapter("model")
POISONED = 50

M09 = model(
    "M09",
    ("Poison again and again", "毒入りリクエストの繰り返し"),
    (
        "over 99 % of the good traffic is answered; rows that end the process again and again have to wait",
        "正常な通信の 99 % 超が応答を得る。プロセスを繰り返し落とす行は待たされる",
    ),
)
M12 = model(
    "M12",
    ("Answers crossed between callers", "呼び出し元の間の答えの取り違え"),
    (
        "none of 100,000, by 64 callers whose rows carry their id through the model",
        "64 の呼び出し元の 10 万件で 0 件。行が ID をモデルに運ぶ",
    ),
)
XM13 = model(
    "X-M13",
    ("What one request leaves to the next", "リクエスト間で残るもの"),
    ("nothing: the next answer is what it always was", "何も残らず、次の答えは常に同じ"),
)


def _poisoned(act: str, *, same: bool) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        assert target.process is not None
        good: Counter[int] = Counter()
        stop = threading.Event()

        def ask() -> None:
            while not stop.is_set():
                good[target.send(target.question).status] += 1
                time.sleep(0.002)

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        restarts = target.process.metric("ml_model_restarts_total")
        poison: Counter[str] = Counter()
        for number in range(POISONED):
            body = json.loads(wicked(target.question, act))
            body["features"][1] = 0.25 if same else number + 0.25
            answer = target.send(target.question, json.dumps(body).encode())
            poison[f"{answer.status} {answer.code}"] += 1
            time.sleep(0.01)
        time.sleep(0.3)
        ends = time.monotonic() + 20.0
        while sum(good.values()) <= 100 and time.monotonic() < ends:
            time.sleep(0.1)
        stop.set()
        for thread in threads:
            thread.join(20)
        share = good[200] / max(1, sum(good.values()))
        expect(sum(good.values()) > 100, f"{sum(good.values())} good requests are too few to tell")
        expect(share > 0.99, f"{share:.2%} of the good traffic: {good}")
        expect(set(poison) <= {"503 model_died", "503 rows_quarantined", "500 model_failed"}, f"{poison}")
        died = target.process.metric("ml_model_restarts_total") - restarts
        if same:
            expect(poison["503 rows_quarantined"] > POISONED / 2, f"the same rows are let in again and again: {poison}")
            expect(died < POISONED / 2, f"{died:.0f} processes were ended")
        return Outcome(
            seen=str(dict(poison)), figures={"good": sum(good.values()), "share": round(share, 4), "ended": died}
        )

    return run


M09.add("the-same-rows", _poisoned("die", same=True), on="wicked", spares=SPARED, seconds=60.0)
M09.add("ever-other-rows", _poisoned("crash", same=False), on="wicked", spares=SPARED, seconds=60.0)


@M09.attack("waits-and-is-let-in-again", on="wicked", spares=SPARED, seconds=60.0)
def _let_in(target: Target) -> Outcome:
    """Who is refused hears how long to wait; after that they are let in once more."""
    body = json.loads(wicked(target.question, "kill-itself"))
    body["features"][1] = 7.125
    data = json.dumps(body).encode()
    for _ in range(3):
        expect(target.send(target.question, data).code == "model_died", "it is refused too early")
    refused = target.send(target.question, data)
    expect((refused.status, refused.code) == (503, "rows_quarantined"), f"{refused.status} {refused.code}")
    expect(refused.milliseconds < 200, "the refusal takes long")
    expect(1 <= int(refused.headers["retry-after"]) <= 60, f"{refused.headers}")
    ja = target.send(target.question, data, headers={"accept-language": "ja"}).json()
    expect(ja["title"] != refused.json()["title"], "it says so in one language only")
    time.sleep(1.2)
    expect(target.send(target.question, data).code == "model_died", "it is never let in again")
    return Outcome(seen="503 rows_quarantined")


# Crossed answers


@configuration("identity")
def _identity(workshop: Workshop) -> Iterator[Target]:
    """A regression that answers what it is given: an id."""
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LinearRegression
    from tests.serving.conftest import serving

    import sekisho

    folder = workshop.folder / "identity"
    if not folder.exists():
        frame = pd.DataFrame({"id": np.arange(0.0, 2_000_000.0, 1_000.0)})
        model_ = LinearRegression().fit(frame, frame["id"])
        model_.coef_[:], model_.intercept_ = 1.0, 0.0
        sekisho.pack(model_, frame, frame["id"], folder=folder, name="identity", lock=False)
    with serving(folder, workers=2, access_log_per_second=10) as running:
        questions = [
            Question(name="predict", path="/predict", good={"features": [1.0]}, roles={"number": ("features", 0)})
        ]
        yield target_of(running, {one.name: one for one in questions}, limits=LIMITS)


@configuration("wicked-calm")
def _calm(workshop: Workshop) -> Iterator[Target]:
    """A model in processes of its own, and time to wait for it."""
    yield from served(workshop, "wicked", "Wicked", deadline_ms=60_000, model_processes=2)


def _ids(
    target: Target, make: Callable[[int], bytes], read: Callable[[bytes], list[float]], numbers: list[list[int]]
) -> list[str]:
    """Ask about ids on one connection, several requests at a time, and return what came back wrong."""
    wrong = []
    with target.connect() as connection:
        for ids in numbers:
            connection.sendall(b"".join(make(one) for one in ids))
            data = b""
            while data.count(b"HTTP/1.1 ") < len(ids) or len(parse_answers(data)[0]) < len(ids) or not _whole(data):
                piece = connection.recv(262_144)
                expect(piece, "the connection ends")
                data += piece
            for one, answer in zip(ids, parse_answers(data)[0], strict=True):
                if answer.status != 200 or read(answer.body)[0] != one:
                    wrong.append(f"{one}: {answer.status} {answer.body[:80]!r}")
    return wrong


def _whole(data: bytes) -> bool:
    last = parse_answers(data)[0][-1]
    return len(last.body) == int(last.headers["content-length"])


def _crossed(count: int, on: str) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        callers, at_once = 64, 8
        each = count // callers
        wrong: list[str] = []
        native = on != "identity"

        def make(one: int) -> bytes:
            features = [1.0, _logit(one)] if native else [float(one)]
            return target.post(body=json.dumps({"features": features}).encode())

        def read(body: bytes) -> list[float]:
            said = json.loads(body)
            return [round(said["probabilities"]["true"] * 2_000_000) if native else said["prediction"]]

        def ask(caller: int) -> None:
            ids = [caller * 30_000 + number + 1 for number in range(each)]
            random.Random(caller).shuffle(ids)
            wrong.extend(_ids(target, make, read, [ids[at : at + at_once] for at in range(0, each, at_once)]))

        began = time.monotonic()
        run_together([partial(ask, caller) for caller in range(callers)])
        expect(not wrong, f"{len(wrong)} are wrong: {wrong[:3]}")
        return Outcome(
            seen="0 crossed", figures={"answers": each * callers, "seconds": round(time.monotonic() - began, 1)}
        )

    return run


def _logit(one: int) -> float:
    import math

    share = one / 2_000_000
    return math.log(share / (1 - share))


M12.add("in-the-worker", _crossed(12_800, "identity"), on="identity", seconds=120.0)
M12.add("in-the-worker-as-listed", _crossed(100_000, "identity"), on="identity", seconds=300.0, slow=True)
M12.add("elsewhere", _crossed(6_400, "wicked-calm"), on="wicked-calm", seconds=120.0)
M12.add("elsewhere-as-listed", _crossed(100_000, "wicked-calm"), on="wicked-calm", seconds=600.0, slow=True)


@M12.attack("beside-failures", on="wicked", spares=SPARED, seconds=120.0)
def _beside(target: Target) -> Outcome:
    """Batches that fail are run again request by request: nobody gets another's answer meanwhile."""
    stop = threading.Event()

    def spoil() -> None:
        acts = ("raise", "too-few-rows", "nan-in-one-row", "die", "too-many-rows")
        number = 0
        while not stop.is_set():
            number += 1
            body = json.loads(wicked(target.question, acts[number % len(acts)]))
            body["features"][1] = number + 0.5
            target.send(target.question, json.dumps(body).encode())

    thread = threading.Thread(target=spoil, daemon=True)
    thread.start()
    wrong: list[str] = []

    def ask(caller: int) -> None:
        for number in range(40):
            one = caller * 1_000 + number + 1
            answer = target.send(target.question, json.dumps({"features": [1.0, _logit(one)]}).encode())
            if answer.status != 200 or round(answer.json()["probabilities"]["true"] * 2_000_000) != one:
                wrong.append(f"{one}: {answer.status} {answer.body[:80]!r}")

    run_together([partial(ask, caller) for caller in range(16)])
    stop.set()
    thread.join(20)
    expect(len(wrong) <= 6, f"{len(wrong)} of 640: {wrong[:3]}")
    expect(not [one for one in wrong if ": 200" in one], f"crossed: {wrong[:3]}")
    return Outcome(seen="0 crossed", figures={"refused": len(wrong)})


# What is left


@XM13.attack("input-changed", on="wicked")
def _input_changed(target: Target) -> Outcome:
    right = target.send(target.question).json()["probabilities"]
    ids = json.loads(target.questions["batch"].body)
    ids[1]["features"][0] = float(module("wicked").CODES["change-input"])
    answer = target.send(target.questions["batch"], json.dumps(ids).encode())
    expect(answer.status == 200, f"{answer.status}")
    told = [one["prediction"] for one in answer.json()["predictions"]]
    expect(told == [False, True, True], f"{told}")
    for _ in range(10):
        expect(target.send(target.question).json()["probabilities"] == right, "the next answer is another")
    return Outcome(seen="the same answers")


@XM13.attack("the-right-answer", on="wicked")
def _right(target: Target) -> Outcome:
    said = target.send(target.question).json()
    expect(said["prediction"] is True and set(said["probabilities"]) == {"false", "true"}, f"{said}")
    expect(abs(said["probability"] - 0.8807970779778823) < 1e-12, f"{said['probability']}")
    return Outcome(seen="as it was trained")


@XM13.attack("same-rows-same-answers", on="wicked", spares=SPARED)
def _same(target: Target) -> Outcome:
    """Whatever was done before, the same row has the same answer, bit for bit, from every process."""
    acts = ("raise", "nan", "warn", "shout", "change-input", "die", "raise-memory")
    right = target.send(target.question).json()["probabilities"]
    for act in acts:
        target.send(target.question, wicked(target.question, act))
        for _ in range(6):
            found = target.send(target.question).json()["probabilities"]
            expect(found == right, f"after {act} it is {found}, not {right}")
    return Outcome(seen="the same answers")
