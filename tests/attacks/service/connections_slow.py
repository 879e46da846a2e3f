"""Connections that are slow or silent."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from tests.attacks.service.attack import Chapter, Outcome, expect, within
from tests.attacks.service.client import Received, parse_answers, read_all
from tests.attacks.service.moves import (
    BYSTANDER_MS,
    chunks,
    given_back,
    told,
)
from tests.attacks.service.target import Target

KINDS = connections = Chapter("connections")

SWEEP = 1.6
"""Seconds by which an end may come later than its limit: the service looks at its connections now and then, and the machine is shared."""

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
            given_back(target, before)
        return Outcome(seen="closed", figures=figures)

    return run


X_C05.add("docs", _does_not_read(lambda t: t.get(path="/docs")), needs=("limit:write_seconds",), on="tight")
X_C05.add("predictions", _does_not_read(lambda t: t.post()), needs=("limit:write_seconds", "body"), on="tight")
X_C05.add(
    "refusals", _does_not_read(lambda t: t.get(path="/no-such-route")), needs=("limit:write_seconds",), on="tight"
)
