"""Bodies that end too early, too late or at once, and fields that describe them falsely."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from tests.attacks.service.attack import Chapter, Outcome, expect, within
from tests.attacks.service.memory import Memory
from tests.attacks.service.moves import (
    CHUNKED,
    RESET,
    check_refusal,
    chunks,
    told,
)
from tests.attacks.service.target import Question, Target

KINDS = bodies = Chapter("bodies")


B10 = bodies(
    "B10",
    ("Body shorter than announced", "宣言より短い本文"),
    ("closed or 400; nothing is predicted or kept", "切断か 400。予測も記録もしない"),
)


def _short(data: Callable[[Target, Question], bytes], *, reset: bool = False) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        before = target.counted()
        seen: dict[str, None] = {}
        for question in target.questions.values():
            if reset:
                with target.connect() as connection:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    connection.sendall(data(target, question))
                    time.sleep(0.02)
                continue
            received = target.raw(data(target, question), half_close=True)
            expect(received.closed, f"{question.name}: the connection stays open")
            expect(set(received.statuses) <= {400, 408}, f"{question.name}: the answers are {received.statuses}")
            seen[told(received)] = None
        after = target.counted()
        expect(after == before, f"something was predicted or kept: {before}, then {after}")
        return Outcome(seen=", ".join(seen) or "nothing")

    return run


B10.add("500-and-15", _short(lambda t, q: t.head(question=q, length=500) + b'{"features": [1'), needs=("body",))
B10.add("good-json", _short(lambda t, q: t.head(question=q, length=len(q.body) + 1) + q.body), needs=("body",))
B10.add("reset", _short(lambda t, q: t.head(question=q, length=len(q.body) + 1) + q.body, reset=True), needs=("body",))
B10.add("no-last-chunk", _short(lambda t, q: t.head(CHUNKED, question=q) + chunks(q.body)[:-5]), needs=("body",))
B10.add("half-a-last-chunk", _short(lambda t, q: t.head(CHUNKED, question=q) + chunks(q.body)[:-2]), needs=("body",))
B10.add("no-body", _short(lambda t, q: t.head(question=q, length=len(q.body))), needs=("body",))


X_B11 = bodies(
    "X-B11",
    ("Body longer than announced", "宣言より長い本文"),
    (
        "what is announced is judged; the rest is no part of it, and closes the connection",
        "宣言された長さだけを判定。残りは本文に含めず、接続を切断",
    ),
)


@X_B11.attack("half-announced", needs=("body",))
def _half_announced(target: Target) -> Outcome:
    before = target.predicted()
    for question in target.questions.values():
        half = len(question.body) // 2
        received = target.raw(target.head(question=question, length=half) + question.body)
        expect(received.closed, "the connection stays open")
        expect(
            received.statuses and 200 not in received.statuses, f"{question.name}: the answers are {received.statuses}"
        )
        expect(set(received.statuses) <= {400, 422, 501}, f"{question.name}: the answers are {received.statuses}")
    expect(target.predicted() == before, "something was predicted")
    return Outcome(seen=told(received))


@X_B11.attack("all-announced-and-more", needs=("body", "ours"))
def _more_than_announced(target: Target) -> Outcome:
    received = target.raw(target.post() + b'{"features": [1, 2, 3]}')
    expect(received.closed, "the connection stays open")
    expect(received.statuses in ([200, 400], [200, 501]), f"the answers are {received.statuses}")
    return Outcome(seen=told(received))


@X_B11.attack("zero-and-a-body", needs=("body",))
def _zero_and_a_body(target: Target) -> Outcome:
    received = target.raw(target.head(length=0) + target.question.body)
    expect(received.closed and 200 not in received.statuses, f"the answers are {told(received)}")
    return Outcome(seen=told(received))


B12 = bodies("B12", ("Empty body", "空の本文"), ("400 or 422", "400 か 422"))


def _empty(data: Callable[[Target, Question], bytes]) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        seen: dict[str, None] = {}
        for question in target.questions.values():
            received = target.raw(data(target, question), half_close=True)
            expect(len(received.statuses) == 1, f"{question.name}: the answers are {received.statuses}")
            expect(received.statuses[0] in {400, 411, 422}, f"{question.name}: {received.statuses[0]}")
            check_refusal(received.answers[0], target)
            seen[f"{received.statuses[0]} {received.answers[0].code}".strip()] = None
        return Outcome(seen=", ".join(seen))

    return run


B12.add("length-0", _empty(lambda t, q: t.head(question=q, length=0)), needs=("body",))
B12.add("no-length", _empty(lambda t, q: t.head(question=q)), needs=("body",))
B12.add("chunks", _empty(lambda t, q: t.head(CHUNKED, question=q) + chunks()), needs=("body",))
B12.add("blanks", _empty(lambda t, q: t.post(body=b" \n\t ", question=q)), needs=("body",))
B12.add("nul", _empty(lambda t, q: t.post(body=b"\0", question=q)), needs=("body",))
B12.add("http-1.0", _empty(lambda t, q: t.head(question=q).replace(b"HTTP/1.1", b"HTTP/1.0")), needs=("body",))


X_B14 = bodies(
    "X-B14",
    ("Header fields that describe a body falsely", "本文を偽って説明するヘッダー"),
    ("4xx at once; nothing is taken by what is said", "すぐに 4xx。宣言どおりに資源を確保しない"),
)


def _described(lines: tuple[bytes, ...], statuses: set[int], route: str = "infer") -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        question = target.questions[route]
        with Memory(target) as memory:
            received = target.raw(target.post(*lines, question=question), half_close=True)
        expect(len(received.statuses) == 1 and received.statuses[0] in statuses, f"the answers are {received.statuses}")
        if received.statuses[0] >= 400:
            check_refusal(received.answers[0], target)
        expect(memory.mib < 4, f"memory grew by {memory.mib} MiB")
        return Outcome(seen=told(received), figures={"ms": within(received.milliseconds, 200, "the answer")})

    return run


LENGTH = b"Inference-Header-Content-Length: "
for name, value in {
    "0": b"0",
    "-1": b"-1",
    "1": b"1",
    "2^31": b"2147483648",
    "2^63": b"9223372036854775808",
    "word": b"x",
    "empty": b"",
    "point": b"1.0",
    "plus": b"+5",
}.items():
    X_B14.add("json-length-" + name, _described((LENGTH + value,), {400, 422}), needs=("route:infer",))
X_B14.add("json-length-twice", _described((LENGTH + b"1", LENGTH + b"2"), {400}), needs=("route:infer",))
for name, value in {
    "many": b"application/json;q=0.1," * 600,
    "qualities": b"*/*;q=" + b"9" * 5000,
    "nonsense": b";;;,,",
    "nothing": b"text/html",
}.items():
    X_B14.add("accept-" + name, _described((b"Accept: " + value,), {200, 406}, "batch"), needs=("route:batch",))
for name, value in {"many": b"gzip;q=0.1," * 1000, "nonsense": b"gzip;q=x, *;q=" + b"1" * 4000}.items():
    X_B14.add(
        "accept-encoding-" + name, _described((b"Accept-Encoding: " + value,), {200}, "batch"), needs=("route:batch",)
    )
X_B14.add("language", _described((b"Accept-Language: " + b"ja;q=0.1," * 1500,), {200}, "batch"), needs=("route:batch",))
X_B14.add(
    "content-md5",
    _described((b"Content-MD5: x", b"Digest: sha-256=x", b"Content-Range: bytes 0-1/2"), {200, 400}, "batch"),
    needs=("route:batch",),
)
