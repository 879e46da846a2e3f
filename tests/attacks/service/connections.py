"""Connections that are slow, silent, many, or gone."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator

from tests.attacks.service.attack import Chapter, NotApplicable, Outcome, expect, within
from tests.attacks.service.client import Received, one_answer, parse_answers, read_all
from tests.attacks.service.moves import chunks, growth, told
from tests.attacks.service.target import Target

KINDS = connections = Chapter("connections")
SWEEP = 1.6
"""Seconds by which an end may come later than its limit: the service looks at its connections now and then, and the machine is shared."""
BYSTANDER_MS = 250.0
RESET = struct.pack("ii", 1, 0)

C01 = connections(
    "C01",
    ("Header drip", "ヘッダーを1バイトずつ送る"),
    (
        "closed within the limit for heads (10 s by default); other clients are served",
        "ヘッダーの制限時間内（既定 10 秒）に切断。他の利用者には応答",
    ),
)
C02 = connections(
    "C02",
    ("Body drip", "本文を1バイトずつ送る"),
    (
        "408 or closed within the limit for bodies (30 s by default); no worker is held",
        "本文の制限時間内（既定 30 秒）に 408 か切断。ワーカーを占有しない",
    ),
)
C03 = connections(
    "C03",
    ("Silent connection", "何も送らない接続"),
    ("closed within 15 s", "15 秒以内に切断"),
)


def drip(target: Target, begin: bytes, drops: Iterator[bytes], every: float, limit: float) -> tuple[Received, float]:
    """Send ``begin`` and then a drop now and then; return what came back, and after how many seconds the service ended it."""
    with target.connect() as connection, target.bystander(every=0.1) as other:
        began = time.monotonic()
        connection.sendall(begin)
        connection.settimeout(every)
        pieces: list[bytes] = []
        ended = False
        while not ended and time.monotonic() - began < limit + SWEEP:
            try:
                piece = connection.recv(65_536)
                pieces.append(piece)
                ended = not piece
            except TimeoutError:
                with contextlib.suppress(OSError):
                    connection.sendall(next(drops))
            except OSError:
                ended = True
        seconds = time.monotonic() - began
    expect(ended, f"the connection is still open after {seconds:.1f} s")
    expect(not other.failures, f"another client got {other.failures[:3]}")
    within(other.longest, BYSTANDER_MS, "another client")
    data = b"".join(pieces)
    answers, interim = parse_answers(data)
    return Received(data=data, answers=answers, interim=interim, closed=True, milliseconds=seconds * 1000), seconds


def again(drop: bytes) -> Iterator[bytes]:
    while True:
        yield drop


def _dripped(
    begin: Callable[[Target], bytes], drop: bytes, limit: str, default: float, statuses: set[int], *, listed: bool
) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        most = default if listed else float(target.limits[limit])
        received, seconds = drip(target, begin(target), again(drop), 1.0 if listed else most / 10, most)
        expect(set(received.statuses) <= statuses, f"the answers are {received.statuses}")
        if target.ours and drop.strip():
            expect(received.statuses, "it ended without a word")
        return Outcome(seen=told(received), figures={"seconds": round(seconds, 1)})

    return run


HEADS: dict[str, tuple[Callable[[Target], bytes], bytes]] = {
    "request-line": (lambda t: b"P", b"O"),
    "target": (lambda t: b"GET /", b"a"),
    "field": (lambda t: t.get()[:-2] + b"X-A: ", b"b"),
    "many-fields": (lambda t: t.get()[:-2], b"X: a\r\n"),
    "blank-lines": (lambda t: b"", b"\r\n"),
}
for name, (begin, drop) in HEADS.items():
    C01.add(
        name,
        _dripped(begin, drop, "head_seconds", 10.0, {400, 408, 501}, listed=False),
        needs=("limit:head_seconds",),
        on="tight",
    )
C01.add("as-listed", _dripped(*HEADS["field"], "", 10.0, {408}, listed=True), slow=True, seconds=60.0)
BODIES: dict[str, tuple[Callable[[Target], bytes], bytes]] = {
    "length": (lambda t: t.head(length=5000) + b"{", b" "),
    "chunks": (lambda t: t.head(b"Transfer-Encoding: chunked"), b"1\r\n \r\n"),
    "chunk-size": (lambda t: t.head(b"Transfer-Encoding: chunked"), b"0"),
    "trailers": (lambda t: t.head(b"Transfer-Encoding: chunked") + chunks(t.question.body)[:-2], b"X: a\r\n"),
    "expected": (lambda t: t.head(b"Expect: 100-continue", length=5000), b" "),
}
for name, (begin, drop) in BODIES.items():
    C02.add(
        name,
        _dripped(begin, drop, "body_seconds", 30.0, {400, 408, 413, 431}, listed=False),
        needs=("body", "limit:body_seconds"),
        on="tight",
    )
C02.add(
    "as-listed", _dripped(*BODIES["length"], "", 30.0, {408}, listed=True), needs=("body",), slow=True, seconds=90.0
)


def _silent(
    default: float | None, begin: Callable[[Target], bytes] = lambda t: b"", limit: str = "head_seconds"
) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        most = default or float(target.limits[limit]) + SWEEP
        with target.connect() as connection:
            connection.sendall(begin(target))
            received = read_all(connection, wait=most + 1)
        expect(received.closed, f"the connection is still open after {most:.0f} s")
        within(received.milliseconds, most * 1000, "the end")
        expect(set(received.statuses) <= {200, 404, 408}, f"the answers are {received.statuses}")
        return Outcome(seen=told(received), figures={"seconds": round(received.milliseconds / 1000, 1)})

    return run


C03.add("nothing", _silent(None), needs=("limit:head_seconds",), on="tight")
C03.add("half-a-head", _silent(None, lambda t: b"POST /pre"), needs=("limit:head_seconds",), on="tight")
C03.add(
    "half-a-body",
    _silent(None, lambda t: t.head(length=5000) + b"{", "body_seconds"),
    needs=("body", "limit:body_seconds"),
    on="tight",
)
C03.add(
    "after-an-answer",
    _silent(None, lambda t: t.post(), "idle_seconds"),
    needs=("body", "limit:idle_seconds"),
    on="tight",
)
C03.add(
    "after-a-refusal",
    _silent(None, lambda t: t.get(path="/no-such"), "idle_seconds"),
    needs=("limit:idle_seconds", "ours"),
    on="tight",
)
C03.add("tls", _silent(None, lambda t: t.get(), "idle_seconds"), needs=("tls", "limit:idle_seconds"), on="secured")
C03.add("as-listed", _silent(15.0), slow=True, seconds=60.0)


@C03.attack("half-a-handshake", needs=("tls", "limit:head_seconds"), on="secured", seconds=60.0)
def _half_a_handshake(target: Target) -> Outcome:
    """Who begins to agree on keys and then says nothing is let go as well."""
    plain = Target(url=target.tls.replace("https:", "http:"))
    with plain.connect() as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(20))
        received = read_all(connection, wait=16)
    expect(received.closed, "the connection is still open after 15 s")
    return Outcome(seen=told(received), figures={"seconds": round(received.milliseconds / 1000, 1)})


# Many

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
            figures["descriptors"] = _given_back(target, before)
        return Outcome(seen="served", figures=figures)

    return run


def _given_back(target: Target, before: int, spare: int = 3, seconds: float = 15.0) -> int:
    """Wait until the descriptors are as many as before; return how many there are more."""
    process = target.process
    assert process is not None
    ends = time.monotonic() + seconds
    while (more := process.descriptors() - before) > spare:
        expect(time.monotonic() < ends, f"{more} descriptors more than before")
        time.sleep(0.05)
    return more


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
            figures["descriptors"] = _given_back(target, before)
            figures["rss_mib"] = growth(target, memory)
            expect(figures["rss_mib"] < 16, f"memory grew by {figures['rss_mib']} MiB")
        return Outcome(seen="served", figures=figures)

    return run


C06.add("1000-reset", _churn(1000, 0.5, lambda t: b"", reset=True), needs=("alive",))
C06.add("1000-close", _churn(1000, 0.5, lambda t: b"", reset=False), needs=("alive",))
C06.add("1000-half-a-head", _churn(1000, 0.5, lambda t: b"POST /pre", reset=True), needs=("alive",))
C06.add("20000", _churn(20_000, 10.0, lambda t: b"", reset=True), needs=("alive",), slow=True, seconds=120.0)

X_C05 = connections(
    "X-C05",
    ("A client that asks and does not read", "要求だけ送り、応答を読まない利用者"),
    (
        "let go within the limit for writing; memory stays bounded; others are served",
        "書き込みの制限時間内に切断。メモリは有界で、他の利用者には応答",
    ),
)


def _does_not_read(request: Callable[[Target], bytes]) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        before = target.process.descriptors() if target.process else 0
        memory = target.process.rss() if target.process else 0
        peak = memory
        began = time.monotonic()
        data = request(target) * 20
        with target.bystander(every=0.05) as other, target.connect(0.2, window=4096) as connection:
            ended = False
            while not ended and time.monotonic() - began < 20:
                try:
                    connection.sendall(data)
                except TimeoutError:
                    peak = max(peak, target.process.rss()) if target.process else 0
                except OSError:
                    ended = True
        expect(ended, "the connection is still open after 20 s")
        expect(not other.failures, f"another client got {other.failures[:3]}")
        figures = {"seconds": round(time.monotonic() - began, 1), "bystander_ms": other.longest}
        if target.process is not None:
            figures["rss_mib"] = round((peak - memory) / 2**20, 1)
            expect(figures["rss_mib"] < 64, f"memory grew by {figures['rss_mib']} MiB")
            _given_back(target, before)
        return Outcome(seen="closed", figures=figures)

    return run


X_C05.add("docs", _does_not_read(lambda t: t.get(path="/docs")), needs=("limit:write_seconds",), on="tight")
X_C05.add("predictions", _does_not_read(lambda t: t.post()), needs=("limit:write_seconds", "body"), on="tight")
X_C05.add(
    "refusals", _does_not_read(lambda t: t.get(path="/no-such-route")), needs=("limit:write_seconds",), on="tight"
)

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


# Gone

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
            figures["descriptors"] = _given_back(target, before[0])
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
