"""Connections that are many, or gone."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable

from tests.attacks.service.attack import Chapter, NotApplicable, Outcome, expect, within
from tests.attacks.service.client import one_answer
from tests.attacks.service.moves import (
    BYSTANDER_MS,
    RESET,
    chunks,
    given_back,
    growth,
    told,
)
from tests.attacks.service.target import Target

KINDS = connections = Chapter("connections")


C04 = connections(
    "C04",
    ("1,200 half-open connections", "1,200 本の半開き接続"),
    (
        "a good request is answered within 250 ms; afterwards everything is given back",
        "正常なリクエストに 250 ms 以内に応答。後で資源をすべて解放",
    ),
)


def _half_open(begin: Callable[[Target], bytes], count: int = 1200) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        begun = begin(target)
        before = target.process.descriptors() if target.process else 0
        with contextlib.ExitStack() as stack:
            for _ in range(count):
                connection = stack.enter_context(target.connect())
                connection.sendall(begun)
            waits = []
            for _ in range(5):
                answer = target.send(target.question) if target.questions else target.ask(target.alive or "/")
                expect(answer.status == 200 or not target.questions, f"a good request gets {answer.status}")
                waits.append(answer.milliseconds)
            longest = within(max(waits), BYSTANDER_MS, "the good request")
        figures = {"ms": longest}
        if target.process is not None:
            figures["descriptors"] = given_back(target, before)
        return Outcome(seen="served", figures=figures)

    return run


C04.add("request-line", _half_open(lambda t: b"POST /predict HT"), needs=("alive",), on="tight", seconds=60.0)
C04.add("nothing", _half_open(lambda t: b""), needs=("alive",), on="usual", seconds=60.0)
C04.add("head", _half_open(lambda t: t.post()[:60]), needs=("body",), on="usual", seconds=60.0)
C04.add("body", _half_open(lambda t: t.head(length=100) + b"{"), needs=("body",), on="usual", seconds=60.0)


C06 = connections(
    "C06",
    ("Connection churn", "接続の開閉の繰り返し"),
    (
        "descriptors and memory return to the start; no good request fails",
        "ディスクリプタとメモリが元に戻り、正常なリクエストは失敗しない",
    ),
)


def _churn(count: int, seconds: float, begin: Callable[[Target], bytes], *, reset: bool) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        if target.url.startswith("https:"):
            raise NotApplicable("a handshake each would be the client's work")
        begun = begin(target)
        before = target.process.descriptors() if target.process else 0
        memory = target.process.rss() if target.process else 0
        began = time.monotonic()

        def work(share: int) -> None:
            for done in range(share):
                with contextlib.suppress(OSError), socket.socket() as connection:
                    if reset:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    connection.settimeout(5)
                    connection.connect((target.host, target.port))
                    if begun:
                        connection.sendall(begun)
                late = began + seconds * done / share - time.monotonic()
                if late > 0:
                    time.sleep(late)

        with target.bystander(every=0.05) as other:
            threads = [threading.Thread(target=work, args=(count // 4,), daemon=True) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        took = time.monotonic() - began
        expect(not other.failures, f"another client got {other.failures[:3]}")
        figures = {"connections": float(count), "seconds": round(took, 1), "bystander_ms": other.longest}
        if target.process is not None:
            figures["descriptors"] = given_back(target, before)
            figures["rss_mib"] = growth(target, memory)
            expect(figures["rss_mib"] < 16, f"memory grew by {figures['rss_mib']} MiB")
        return Outcome(seen="served", figures=figures)

    return run


C06.add("1000-reset", _churn(1000, 0.5, lambda t: b"", reset=True), needs=("alive",))
C06.add("1000-close", _churn(1000, 0.5, lambda t: b"", reset=False), needs=("alive",))
C06.add("1000-half-a-head", _churn(1000, 0.5, lambda t: b"POST /pre", reset=True), needs=("alive",))
C06.add("20000", _churn(20_000, 10.0, lambda t: b"", reset=True), needs=("alive",), slow=True, seconds=120.0)


X_C07 = connections(
    "X-C07",
    ("More connections than are taken", "上限を超える接続"),
    (
        "turned away with 503, or waiting; served again as soon as there is room",
        "503 で断るか待たせ、空きができ次第また応答",
    ),
)


@X_C07.attack("limit", needs=("limit:few",), on="few")
def _limit(target: Target) -> Outcome:
    few = int(target.limits["few"])
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(target.connect()) for _ in range(few)]
        for connection in held:
            connection.sendall(target.get())
            expect(one_answer(connection).status == 200, "one within the limit is not served")
        received = [target.raw(target.get()) for _ in range(5)]
        expect(all(one.statuses == [503] and one.closed for one in received), f"{[told(one) for one in received]}")
        expect("retry-after" in received[0].answers[0].headers, "503 without Retry-After")
        held[0].sendall(target.get())
        expect(one_answer(held[0]).status == 200, "one within the limit is not served any more")
    ends = time.monotonic() + 5
    while target.raw(target.get(b"Connection: close")).statuses != [200]:
        expect(time.monotonic() < ends, "nobody is served afterwards")
        time.sleep(0.05)
    return Outcome(seen="503, then 200")


C08 = connections(
    "C08",
    ("Clients that leave at once", "要求を送ってすぐ切断する利用者"),
    (
        "nothing of them is left: descriptors, memory and threads as before, no 5xx for others, nothing that nobody waited for in the book",
        "何も残さない。ディスクリプタ・メモリ・スレッドは元どおりで、他の利用者に 5xx を返さず、待つ人のいない答えは台帳に載せない",
    ),
)


def _leaves(count: int, data: Callable[[Target], bytes]) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        sent = data(target)
        process = target.process
        before = (process.descriptors(), process.threads(), process.rss()) if process else (0, 0, 0)
        errors = process.metric("ml_predictions_total", status="error") if process else 0.0
        with target.bystander(every=0.05) as other:
            for _ in range(count):
                with contextlib.suppress(OSError), target.connect() as connection:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    connection.sendall(sent)
        expect(not other.failures, f"another client got {other.failures[:3]}")
        figures = {"clients": float(count), "bystander_ms": other.longest}
        if process is not None:
            figures["descriptors"] = given_back(target, before[0])
            figures["threads"] = process.threads() - before[1]
            expect(figures["threads"] <= 4, f"{figures['threads']} threads more")
            figures["rss_mib"] = growth(target, before[2])
            expect(figures["rss_mib"] < 24, f"memory grew by {figures['rss_mib']} MiB")
            expect(process.metric("ml_predictions_total", status="error") == errors, "they were counted as errors")
        return Outcome(seen="served", figures=figures)

    return run


C08.add("500-after-a-request", _leaves(500, lambda t: t.post()), needs=("body",), seconds=60.0)
C08.add("500-in-the-head", _leaves(500, lambda t: t.post()[:40]), needs=("body",), seconds=60.0)
C08.add("500-in-the-body", _leaves(500, lambda t: t.post()[:-4]), needs=("body",), seconds=60.0)
C08.add("500-after-ten", _leaves(500, lambda t: t.post() * 10), needs=("body",), seconds=60.0)


@C08.attack("mid-inference", needs=("slow-body", "ledger"), on="slow-model", seconds=60.0)
def _mid_inference(target: Target) -> Outcome:
    """What a model was asked for somebody who has left is neither an answer nor a prediction in the book."""
    process = target.process
    assert process is not None
    before, threads = target.counted(), process.threads()
    slow = target.post(body=target.more["slow-body"])
    for _ in range(20):
        with target.connect() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            connection.sendall(slow)
            time.sleep(0.03)
    answer = target.send(target.question)
    expect(answer.status == 200, f"a good request gets {answer.status}")
    time.sleep(1.0)
    after = target.counted()
    expect(
        after["booked"] == before["booked"] + 1, f"the book had {before['booked']:.0f} and has {after['booked']:.0f}"
    )
    expect(process.threads() - threads <= 4, "there are more threads")
    return Outcome(
        seen="served", figures={"ms": round(answer.milliseconds), "booked": after["booked"] - before["booked"]}
    )


C09 = connections(
    "C09",
    ("Half-close after the request", "リクエスト後の半クローズ"),
    ("gets its answer (or a clean 4xx), never a hang", "応答（または 4xx）を受け取る。待たされ続けない"),
)


def _half_closed(data: Callable[[Target], bytes], statuses: list[int]) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        received = target.raw(data(target), half_close=True)
        expect(received.closed, "the connection stays open")
        expect(received.statuses == statuses, f"the answers are {received.statuses}, not {statuses}")
        return Outcome(seen=told(received), figures={"ms": round(received.milliseconds, 1)})

    return run


C09.add("good", _half_closed(lambda t: t.post(), [200]), needs=("body",), on="tight")
C09.add("get", _half_closed(lambda t: t.get(), [200]), needs=("alive",), on="tight")
C09.add("three", _half_closed(lambda t: t.post() * 3, [200] * 3), needs=("body",), on="tight")
C09.add(
    "chunks",
    _half_closed(lambda t: t.head(b"Transfer-Encoding: chunked") + chunks(t.question.body), [200]),
    needs=("body",),
    on="tight",
)
C09.add("slow-route", _half_closed(lambda t: t.get(path="/model/info") * 3, [200] * 3), needs=("ours",), on="tight")
C09.add("nothing", _half_closed(lambda t: b"", []), needs=("alive",), on="tight")
C09.add("half-a-body", _half_closed(lambda t: t.post()[:-4], [400]), needs=("body", "ours"), on="tight")
C09.add(
    "good-then-half", _half_closed(lambda t: t.post() + t.post()[:-4], [200, 400]), needs=("body", "ours"), on="tight"
)


@C09.attack("half-a-head", needs=("alive",), on="tight")
def _half_a_head(target: Target) -> Outcome:
    received = target.raw(target.get()[:-4], half_close=True)
    expect(received.closed, "the connection stays open")
    expect(set(received.statuses) <= {400, 408}, f"the answers are {received.statuses}")
    return Outcome(seen=told(received))


@C09.attack("slow-model", needs=("slow-body",), on="slow-model")
def _half_closed_slow(target: Target) -> Outcome:
    """The way back stays open while the model works."""
    received = target.raw(target.post(body=target.more["slow-body"]), half_close=True)
    expect(received.statuses == [200], f"the answers are {received.statuses}")
    return Outcome(seen=told(received), figures={"ms": round(received.milliseconds, 1)})


@C09.attack("tls", needs=("tls", "body"), on="secured")
def _half_closed_tls(target: Target) -> Outcome:
    """A close_notify right after the request: an answer or an end, but no waiting."""
    with target.connect() as connection:
        assert isinstance(connection, ssl.SSLSocket)
        connection.sendall(target.post())
        connection.settimeout(0.5)
        with contextlib.suppress(OSError):
            connection.unwrap()
    return Outcome(seen="closed")
