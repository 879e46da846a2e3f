"""Bodies that are too large, alone or together."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from tests.attacks.service.attack import Chapter, Outcome, expect, within
from tests.attacks.service.client import Received, one_answer, read_all
from tests.attacks.service.memory import Memory, twice_the_limit
from tests.attacks.service.moves import (
    BYSTANDER_MS,
    CHUNKED,
    MIB,
    PIECE,
    check_refusal,
    told,
)
from tests.attacks.service.target import Question, Target

KINDS = bodies = Chapter("bodies")


def pour(target: Target, head: bytes, pieces: Iterator[bytes]) -> tuple[Received, int]:
    """Send a body piece by piece until the service has had enough; return what came back, and how many bytes went out."""
    sent = 0
    with target.connect(20) as connection:
        try:
            connection.sendall(head)
            for piece in pieces:
                connection.sendall(piece)
                sent += len(piece)
        except OSError:
            pass
        return read_all(connection), sent


def poured(
    make: Callable[[Target, Question], tuple[bytes, Iterator[bytes]]],
    *,
    mib: Callable[[Target], float],
    statuses: tuple[int, ...] = (413,),
    only: tuple[str, ...] = (),
) -> Callable[[Target], Outcome]:
    """Pour a body into every route, and look at the memory and at somebody else meanwhile."""

    def run(target: Target) -> Outcome:
        before, others = target.predicted(), 0
        seen: dict[str, None] = {}
        figures: dict[str, float] = {"rss_mib": 0.0, "bystander_ms": 0.0}
        for question in target.questions.values():
            if only and question.name not in only:
                continue
            head, pieces = make(target, question)
            with Memory(target) as memory, target.bystander() as other:
                received, _ = pour(target, head, pieces)
            if not target.ours and not received.statuses and received.closed:
                seen["closed"] = None
            else:
                expect(len(received.statuses) == 1, f"{question.name}: the answers are {received.statuses}")
                expect(received.statuses[0] in statuses, f"{question.name}: {received.statuses[0]}")
                expect(received.closed, f"{question.name}: the connection stays open")
                check_refusal(received.answers[0], target)
                seen[told(received)] = None
            expect(not other.failures, f"another client got {other.failures[:3]}")
            others += other.served if target.ours else 0
            figures["rss_mib"] = max(figures["rss_mib"], memory.mib)
            figures["bystander_ms"] = max(figures["bystander_ms"], other.longest)
        expect(figures["rss_mib"] <= mib(target), f"memory grew by {figures['rss_mib']} MiB")
        within(figures["bystander_ms"], BYSTANDER_MS, "another client")
        expect(target.predicted() == before + others, "something was predicted")
        return Outcome(seen=", ".join(seen), figures=figures)

    return run


def rows_of_json(total: int) -> Iterator[bytes]:
    """Return a list of numbers in JSON, of so many bytes."""
    row = b"[" + b"1.5," * 16_000 + b"1.5],"
    yield b'{"features":['
    for _ in range(total // len(row)):
        yield row


def as_chunks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


B01 = bodies(
    "B01",
    ("Body over the limit, announced", "上限を超える本文（長さを宣言）"),
    (
        "413 before the body is read; memory grows by less than 64 MiB; another client waits for at most 250 ms",
        "本文を読む前に 413。メモリの増加は 64 MiB 未満、他の利用者の待ちは 250 ms 以下",
    ),
)
B01.add(
    "100-mib",
    poured(lambda t, q: (t.head(question=q, length=100 * MIB), rows_of_json(100 * MIB)), mib=lambda t: 64),
    needs=("body",),
    seconds=120.0,
)
B01.add(
    "blanks",
    poured(
        lambda t, q: (t.head(question=q, length=100 * MIB), iter([PIECE] * 1600)), mib=lambda t: 64, only=("predict",)
    ),
    needs=("body",),
    seconds=60.0,
)


@B01.attack("one-byte-more", needs=("limit:body_bytes", "body"))
def _one_more(target: Target) -> Outcome:
    """The limit itself is taken, one byte more is not."""
    most = int(target.limits["body_bytes"])
    body = target.question.body
    at_the_limit = target.send(target.question, body + b" " * (most - len(body)))
    expect(at_the_limit.status == 200, f"a body at the limit gets {at_the_limit.status}")
    received = target.raw(target.head(length=most + 1) + PIECE)
    expect(received.statuses == [413], f"one byte more gets {received.statuses}")
    return Outcome(seen="200, then 413")


@B01.attack("not-sent", needs=("limit:body_bytes", "body"))
def _not_sent(target: Target) -> Outcome:
    """The answer does not wait for a body that will not be read."""
    received = target.raw(target.head(length=int(target.limits["body_bytes"]) * 12))
    expect(received.statuses == [413] and received.closed, f"the answers are {told(received)}")
    return Outcome(seen=told(received), figures={"ms": within(received.milliseconds, 500, "the answer")})


B02 = bodies(
    "B02",
    ("Body over the limit, in chunks", "上限を超えるチャンク本文"),
    (
        "413 and closed once the limit is passed; memory grows by less than twice the limit",
        "上限を超えた時点で 413 で切断。メモリの増加は上限の2倍未満",
    ),
)
B02.add(
    "64-mib-of-blanks",
    poured(lambda t, q: (t.head(CHUNKED, question=q), as_chunks(iter([PIECE] * 1024))), mib=twice_the_limit),
    needs=("body",),
    seconds=120.0,
)
B02.add(
    "one-chunk",
    poured(
        lambda t, q: (t.head(CHUNKED, question=q) + b"4000000\r\n", iter([PIECE] * 1024)),
        mib=twice_the_limit,
        only=("predict",),
    ),
    needs=("body",),
    seconds=60.0,
)
B02.add(
    "small-chunks",
    poured(
        lambda t, q: (t.head(CHUNKED, question=q), iter([b"2\r\n  \r\n" * 8192] * 1024)),
        mib=twice_the_limit,
        only=("predict",),
    ),
    needs=("body", "limit:body_bytes"),
    seconds=60.0,
)
B02.add(
    "tight",
    poured(lambda t, q: (t.head(CHUNKED, question=q), as_chunks(iter([b" " * 16_384] * 10))), mib=lambda t: 8),
    needs=("body", "limit:body_bytes"),
    on="tight",
)


B13 = bodies(
    "B13",
    ("Many legal bodies at once", "上限以内の大きな本文を同時に多数"),
    (
        "memory stays under workers × limit × 2 + 128 MiB; what is too much gets 429 or 503; small ones are served",
        "メモリはワーカー数 × 上限 × 2 + 128 MiB 未満。超過分は 429 か 503。小さな要求には応答",
    ),
)


def _at_once(clients: int, share: float, pause: float) -> Callable[[Target], Outcome]:
    def run(target: Target) -> Outcome:
        size = int(target.limits["body_bytes"] * 0.95)
        question = target.questions.get("batch", target.question)
        statuses: list[int] = []
        lock = threading.Lock()

        def one() -> None:
            sent = 0
            with contextlib.suppress(OSError), target.connect(60) as connection:
                with contextlib.suppress(OSError):
                    connection.sendall(target.head(b"Connection: close", question=question, length=size) + b"[")
                    while sent < size * share:
                        connection.sendall(PIECE)
                        sent += len(PIECE)
                        time.sleep(pause)
                    connection.sendall(b" " * (size - sent - 2) + b"]")
                received = read_all(connection, wait=20)
                with lock:
                    statuses.extend(received.statuses)

        most = float(target.limits.get("workers", 1)) * float(target.limits["body_bytes"]) * 2 / MIB + 128
        with Memory(target) as memory, target.bystander(every=0.05) as other:
            threads = [threading.Thread(target=one, daemon=True) for _ in range(clients)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        counts = {status: statuses.count(status) for status in sorted(set(statuses))}
        expect(set(counts) <= {422, 400, 429, 503, 408}, f"the answers are {counts}")
        expect(len(statuses) == clients, f"{len(statuses)} of {clients} have an answer")
        expect(counts.get(422, 0) + counts.get(400, 0) > 0, "not one was read")
        expect(memory.mib < most, f"memory grew by {memory.mib} MiB")
        expect(not other.failures, f"another client got {other.failures[:3]}")
        return Outcome(
            seen=", ".join(f"{count} × {status}" for status, count in counts.items()),
            figures={"rss_mib": memory.mib, "bystander_ms": other.longest},
        )

    return run


B13.add("12", _at_once(12, 0.5, 0.002), needs=("body", "limit:body_bytes"), seconds=60.0)
B13.add("64", _at_once(64, 0.9, 0.02), needs=("body", "limit:body_bytes"), slow=True, seconds=120.0)


@B13.attack("budget", needs=("body", "ours", "route:batch"))
def _budget(target: Target) -> Outcome:
    """Two bodies of nearly the limit are held; the others are turned away at their heads, and what was held is given back."""
    size = 7 * MIB
    head = target.head(b"Connection: close", question=target.questions["batch"], length=size)
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(target.connect()) for _ in range(6)]
        for one in held:
            one.sendall(head + b"[")
        time.sleep(0.2)
        turned_away = [one for one in held if read_all(one, wait=0.3).statuses == [503]]
        expect(len(turned_away) == 4, f"{len(turned_away)} of 6 are turned away")
        expect(target.send(target.question).status == 200, "a small one is not served")
        accepted = next(one for one in held if one not in turned_away)
        accepted.settimeout(20)
        accepted.sendall(b" " * (size - 2) + b"]")
        expect(one_answer(accepted).status == 422, "one that was accepted is not judged")
    later = target.raw(head + b"[" + b" " * (size - 2) + b"]")
    expect(later.statuses == [422], f"afterwards one gets {later.statuses}")
    return Outcome(seen="2 held, 4 × 503")
