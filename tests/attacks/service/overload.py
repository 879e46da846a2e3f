"""More than a service can answer: it answers what it can in time, turns the others away at once, and lets nobody suffer for another.

The model sleeps for a known time for each row, in processes of its own, so that it is the model that is overloaded, and not the machine that
the attacker shares with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tests.attacks.service.attack import Chapter, Outcome, TooSlow, expect, within
from tests.attacks.service.flood import Flood, capacity, flood, flooded, quantile, request_of
from tests.attacks.service.own import LIMITS, Workshop, configuration, target_of
from tests.attacks.service.target import Question, Target

from sekisho.drills.parts.running import until
from sekisho.probes.statistics.trend import slope
from sekisho.probes.wire.client import Client, run
from sekisho.probes.wire.message import Request

KINDS = overload = Chapter("overload")
MODELS = Path(__file__).parent / "models"
SECONDS_A_ROW = 0.01
DEADLINE = 2.0
PROCESSES = 4
ASKED_TWICE = 2
"""A classifier is asked for its labels and for its probabilities."""
TIMES = 10.0
LONG = 30.0
LARGEST = 40
"""Rows of the largest batch, where that matters."""
MIB = 2**20
HEADER = "x-request-timeout-ms"


def pack_slow(folder: Path) -> Path:
    """Pack a model of known slowness; it is as quick as it can be while it is packed."""
    if folder.exists():
        return folder
    sys.path.insert(0, str(MODELS))
    try:
        from slow_model import Slow  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(MODELS))
    import sekisho

    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=60), "b": random.normal(size=60)})
    labels = (frame["a"] > 0).to_numpy()
    trusted = ("slow_model.Slow",)
    sekisho.pack(
        Slow().fit(frame, labels), frame, labels, folder=folder, name="slow", trusted_types=trusted, lock=False
    )
    return folder


@contextlib.contextmanager
def slow_service(workshop: Workshop, *, seconds_a_row: float = SECONDS_A_ROW, **settings: Any) -> Iterator[Target]:
    """Serve the slow model to two callers with keys of their own, A and B."""
    from tests.serving.conftest import serving

    from sekisho.serving.guards.keys import new_key

    folder = workshop.place("slow")
    keys = {name: new_key(name, ("admin",)) for name in ("A", "B")}
    (folder / "keys").write_text("\n".join(line for _, line in keys.values()) + "\n")
    environment = {"PYTHONPATH": f"{MODELS}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    given = {"trusted_types": ["slow_model.Slow"], "key_file": folder / "keys", "deadline_ms": int(DEADLINE * 1e3)}
    with serving(
        pack_slow(workshop.folder / "slow"),
        environment={**environment, "SECONDS_A_ROW": str(seconds_a_row)},
        **{**given, "model_processes": PROCESSES, **settings},
    ) as running:
        running.key = keys["A"][0]
        question = Question(name="predict", path="/predict", good={"features": [1.0, 2.0]})
        target = target_of(running, {"predict": question}, key=keys["A"][0], limits=LIMITS)
        target.more |= {"A": keys["A"][0], "B": keys["B"][0]}
        yield target


def _configuration(name: str, *, fresh: bool = False, **settings: Any) -> None:
    @configuration(name, fresh=fresh)
    def start(workshop: Workshop) -> Iterator[Target]:
        with slow_service(workshop, **settings) as target:
            yield target


_configuration("slow")
_configuration("slow-limited", rate_limit=20.0, burst=20, limits={"rows": LARGEST}, deadline_ms=10_000)
_configuration("slow-small-queue", queue=32, deadline_ms=60_000)
_configuration("slow-four-workers", fresh=True, workers=4, model_processes=2, rate_limit=100.0, seconds_a_row=0.0)


def batch_of(rows: int) -> bytes:
    return json.dumps([{"features": [1.0, 2.0]}] * rows).encode()


def settle(target: Target) -> None:
    """Wait until nobody waits for the model any more."""
    assert target.process is not None
    process = target.process
    until(lambda: process.metric("ml_requests_waiting") == 0, 20.0)


O01 = overload(
    "O01",
    ("Ten times the capacity", "処理能力の10倍"),
    (
        "at least 80 % of the capacity is answered, in time; the others are told 503 at once, and when to come back",
        "能力の8割以上は期限内に応答。残りは直ちに 503 と再試行時刻",
    ),
)


def storm(target: Target, seconds: float) -> Outcome:
    """Send ten times what the service can answer."""
    request = request_of(target)
    borne = capacity(target, request, connections=2 * PROCESSES)
    settle(target)
    found = flood(target, request, TIMES * borne, seconds)
    expect(set(found.statuses) <= {200, 503}, f"{dict(found.statuses)}")
    expect(found.refused, "nobody was turned away")
    _check_waits(found)
    p99 = within(quantile(found.answered, 0.99), DEADLINE * 1e3, "the 99th percentile of those that were answered")
    quick = within(quantile([reply.seconds for reply in found.refused], 0.9), 20.0, "being turned away")
    figures = {"capacity_per_s": borne, "goodput_per_s": found.goodput, "p99_ms": p99, "refused_p90_ms": quick}
    if found.goodput < 0.8 * borne:
        raise TooSlow(f"{found.goodput:.0f} a second are answered, and {borne:.0f} could be")
    settle(target)
    return Outcome(seen=str(dict(found.statuses)), figures={name: round(value, 1) for name, value in figures.items()})


def _check_waits(found: Flood) -> None:
    waits = [reply.headers.get("retry-after", "") for reply in found.refused]
    expect(all(wait.isdecimal() and 1 <= int(wait) <= 60 for wait in waits), f"Retry-After: {Counter(waits)}")
    expect(len(set(waits)) > 1 or len(waits) < 20, f"everybody is told the same: {Counter(waits)}")


O01.add("", lambda target: storm(target, 4.0), on="slow", needs=("process",), seconds=120.0)
O01.add("half-a-minute", lambda target: storm(target, LONG), on="slow", needs=("process",), slow=True, seconds=120.0)

O02 = overload(
    "O02",
    ("The queue is bounded", "待ち行列の上限"),
    ("memory stays flat, the gauge stands at its limit", "メモリは横ばい、ゲージは上限で止まる"),
)


def _bounded(target: Target, seconds: float, most: int) -> Outcome:
    process = target.process
    assert process is not None
    request = request_of(target)
    flood(target, request, 600.0, 1.0)  # what is taken once is taken
    sizes: list[int] = []
    gauges: list[float] = []
    moments: list[float] = []
    with flooded(target, request, 900.0, seconds):
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            moments.append(time.monotonic())
            sizes.append(process.rss())
            gauges.append(process.metric("ml_requests_waiting"))
            time.sleep(0.3)
    growth = max(sizes) - sizes[0]
    expect(growth < 64 * MIB, f"memory grew by {growth / MIB:.0f} MiB")
    expect(max(gauges) <= most, f"{max(gauges):.0f} wait, and {most} may")
    expect(max(gauges) >= most / 2, f"only {max(gauges):.0f} ever wait")
    if seconds >= LONG:
        trend = slope(np.array(moments), np.array(sizes, dtype=float), 0.95)
        expect(trend.low * LONG < 8 * MIB, f"memory grows by {trend.low / 1024:.0f} KiB a second")
    settle(target)
    return Outcome(figures={"growth_mib": round(growth / MIB, 1), "most_waiting": max(gauges)})


O02.add(
    "", lambda target: _bounded(target, 3.0, 32), on="slow-small-queue", needs=("process",), slow=True, seconds=60.0
)
O02.add(
    "a-minute",
    lambda target: _bounded(target, 60.0, 32),
    on="slow-small-queue",
    needs=("process",),
    slow=True,
    seconds=150.0,
)

O03 = overload(
    "O03",
    ("A deadline shorter than the queue", "待ち時間より短い期限"),
    ("504 or 503 without computing it", "計算せずに 504 または 503"),
)


@O03.attack("", on="slow", needs=("process",))
def _short_deadline(target: Target) -> Outcome:
    process = target.process
    assert process is not None
    request_of(target)
    settle(target)
    before = process.metric("ml_predictions_total", status="success")
    # Single rows of one caller fill half a second of all processes.
    rate = 1.5 * PROCESSES / (SECONDS_A_ROW * ASKED_TWICE)
    with flooded(target, request_of(target), rate, 2.5) as queue:
        time.sleep(1.5)
        hurried = flood(target, request_of(target, x_request_timeout_ms="50"), 20.0, 0.5)
        slowest = quantile(hurried.waits, 1.0)
    settle(target)
    expect(set(hurried.statuses) <= {503, 504}, f"{dict(hurried.statuses)}")
    computed = process.metric("ml_predictions_total", status="success") - before
    expect(computed == len(queue.answered), f"{computed:.0f} were computed, and {len(queue.answered)} answered")
    within(slowest, 250.0, "being told")
    return Outcome(seen=str(dict(hurried.statuses)), figures={"slowest_ms": round(slowest, 1)})


O04 = overload(
    "O04",
    ("Nonsense deadlines", "意味をなさない期限"),
    ("400, or the service's own limit", "400 またはサービス側の上限を適用"),
)
_NONSENSE = {
    "zero": "0",
    "negative": "-1",
    "nan": "NaN",
    "exponent": "1e12",
    "words": "abc",
    "infinity": "inf",
    "fraction": "5.0",
    "hexadecimal": "0x10",
    "list": "5, 6",
    "plus": "+5",
    "digits": "9" * 30,
    "empty": "",
}


def _nonsense(value: str) -> Callable[[Target], Outcome]:
    def attack(target: Target) -> Outcome:
        answer = target.send(target.question, headers={HEADER: value})
        expect((answer.status, answer.code) == (400, "invalid_deadline"), f"{answer.status} {answer.code}")
        return Outcome(seen=str(answer.status))

    return attack


for _name, _value in _NONSENSE.items():
    O04.add(_name, _nonsense(_value), needs=("body",))


@O04.attack("two-headers", needs=("body",))
def _two(target: Target) -> Outcome:
    received = target.raw(target.post(b"X-Request-Timeout-Ms: 500", b"x-request-timeout-ms: 600", b"Connection: close"))
    expect(received.statuses == [400], f"{received.statuses}")
    return Outcome(seen="400")


@O04.attack("enormous", on="slow", needs=("process",))
def _enormous(target: Target) -> Outcome:
    # Two seconds of work for each process and more behind: nobody waits longer than the service says, whatever they wish.
    settle(target)
    body = batch_of(int(2 * DEADLINE / (SECONDS_A_ROW * ASKED_TWICE)))
    request = request_of(target, body=body, path="/predict/batch", x_request_timeout_ms="999999999999")
    found = flood(target, request, 4.0, 0.5)
    expect(set(found.statuses) <= {503, 504}, f"{dict(found.statuses)}")
    within(quantile(found.waits, 1.0), (DEADLINE + 1.5) * 1e3, "the longest wait")
    settle(target)
    until(lambda: target.send(target.question).status == 200, 20.0)
    return Outcome(seen=str(dict(found.statuses)))


O05 = overload(
    "O05",
    ("Health during overload", "過負荷中のヘルスチェック"),
    ("health and metrics within 100 ms, no failure", "health と metrics は 100 ms 以内、失敗なし"),
)


@O05.attack("", on="slow", needs=("process",), seconds=120.0)
def _health(target: Target) -> Outcome:
    settle(target)
    routes = ("/health", "/health/live", "/metrics", "/ping", "/v2/health/live")
    took: list[float] = []
    with flooded(target, request_of(target), 800.0, 4.0):
        time.sleep(0.5)
        for number in range(15):
            answer = target.ask(routes[number % len(routes)])
            expect(answer.status == 200, f"{routes[number % len(routes)]} says {answer.status}")
            took.append(answer.milliseconds)
            time.sleep(0.2)
        ready = target.ask("/health/ready").status
    expect(ready == 503, f"readiness says {ready} while most are turned away")
    settle(target)
    expect(until(lambda: target.ask("/health/ready").status == 200, 5.0) is not None, "readiness does not come back")
    # The generator takes its part of the same machine.
    return Outcome(figures={"slowest_ms": within(max(took), 100.0, "health")})


O06 = overload(
    "O06",
    ("One client floods", "特定クライアントの大量送信"),
    (
        "the other is answered, at least 99 %, at less than twice its time",
        "他のクライアントは99%以上成功、p99 は2倍未満",
    ),
)


def _beside(target: Target, attack: Request, rate: float, seconds: float) -> tuple[Flood, Flood, Flood]:
    """Let B ask alone, and then beside A; return what became of B before and of both then."""
    settle(target)
    normal = request_of(target, key=target.more["B"])
    alone = flood(target, normal, 20.0, seconds)
    with flooded(target, attack, rate, seconds + 1.5) as storm_of_a:
        time.sleep(1.0)
        beside = flood(target, normal, 20.0, seconds)
    settle(target)
    return alone, beside, storm_of_a


def _unharmed(alone: Flood, beside: Flood) -> dict[str, float]:
    expect(len(beside.answered) >= 0.99 * len(beside.replies), f"B: {dict(beside.statuses)}")
    before, after = quantile(alone.answered, 0.99), quantile(beside.answered, 0.99)
    within(after, 2.0 * before, "the 99th percentile of B")
    return {"p99_alone_ms": round(before, 1), "p99_beside_ms": round(after, 1)}


def _one_floods(target: Target, seconds: float) -> Outcome:
    rate = TIMES * PROCESSES / (SECONDS_A_ROW * ASKED_TWICE)
    alone, beside, flood_of_a = _beside(target, request_of(target, key=target.more["A"]), rate / 2, seconds)
    expect(flood_of_a.refused, "A was never turned away")
    return Outcome(seen=f"A: {dict(flood_of_a.statuses)}", figures=_unharmed(alone, beside))


O06.add("", lambda target: _one_floods(target, 3.0), on="slow", needs=("process",), seconds=90.0)
O06.add("longer", lambda target: _one_floods(target, 15.0), on="slow", needs=("process",), slow=True, seconds=300.0)

O07 = overload(
    "O07",
    ("Cost is rows, not requests", "負荷は件数でなく行数"),
    (
        "the limit counts rows; singles of another keep their time",
        "制限は行数で数え、他者の1件ずつの応答は遅くならない",
    ),
)


@O07.attack("", on="slow-limited", needs=("process",), slow=True, seconds=90.0)
def _rows(target: Target) -> Outcome:
    batches = request_of(target, key=target.more["A"], body=batch_of(LARGEST), path="/predict/batch")
    alone, beside, of_a = _beside(target, batches, 20.0, 3.0)
    accepted = sum(reply.ok for reply in of_a.replies)
    # A batch costs one request, and one more for each ten rows: twenty a second and a burst of twenty pay for so many.
    paid = 1 + (20.0 + 20.0 * of_a.seconds) / (1 + LARGEST // 10)
    expect(accepted <= 1.1 * paid, f"{accepted} batches were taken, and {paid:.1f} paid for")
    expect(of_a.statuses[429] > 0, f"A: {dict(of_a.statuses)}")
    return Outcome(seen=f"A: {dict(of_a.statuses)}", figures=_unharmed(alone, beside))


O08 = overload(
    "O08",
    ("A storm of retries", "再試行の嵐"),
    ("whoever comes back at once gains nothing; goodput holds", "即座の再試行に得はなく、処理量は保たれる"),
)


@O08.attack("", on="slow", needs=("process",), seconds=120.0)
def _retries(target: Target) -> Outcome:
    request = request_of(target)
    borne = capacity(target, request, connections=2 * PROCESSES)
    settle(target)
    stubborn = capacity(target, request, connections=300, seconds=3.0)
    settle(target)
    if stubborn < 0.8 * borne:
        raise TooSlow(f"{stubborn:.0f} a second are answered, and {borne:.0f} could be")
    return Outcome(figures={"capacity_per_s": round(borne, 1), "goodput_per_s": round(stubborn, 1)})


O09 = overload(
    "O09",
    ("Limits over several workers", "複数ワーカーにまたがる制限"),
    ("totals as configured, within 10 %, not four times", "合計が設定値どおり (±10%)。4倍にならない"),
)


@O09.attack("", on="slow-four-workers", needs=("process",), slow=True, seconds=180.0, spares=("service",))
def _over_workers(target: Target) -> Outcome:
    assert target.process is not None
    seconds = 3.0
    found = flood(target, request_of(target), 400.0, seconds)
    allowed = 100.0 + 100.0 * found.seconds
    taken = len(found.answered)
    expect(set(found.statuses) <= {200, 429}, f"{dict(found.statuses)}")
    expect(0.9 * allowed <= taken <= 1.1 * allowed, f"{taken} were taken, and {allowed:.0f} allowed")
    workers = len(target.process.pids())
    expect(workers == 4, f"{workers} workers run")
    return Outcome(seen=f"{taken} of {allowed:.0f}", figures={"workers": workers})


O10 = overload(
    "O10",
    ("Retry-After is usable", "使える Retry-After"),
    ("whole seconds, 1 to 60, not the same for all", "1〜60 の整数秒で、全員同じではない"),
)


@O10.attack("overload", on="slow", needs=("process",))
def _spread(target: Target) -> Outcome:
    settle(target)
    found = flood(target, request_of(target), 800.0, 2.0)
    _check_waits(found)
    settle(target)
    told = Counter(reply.headers["retry-after"] for reply in found.refused)
    expect(len(told) > 1, f"everybody is told the same: {dict(told)}")
    return Outcome(seen=str(dict(told)))


@O10.attack("full-queue", on="slow-small-queue", needs=("process",), slow=True)
def _spread_when_full(target: Target) -> Outcome:
    found = flood(target, request_of(target), 800.0, 1.5)
    told = Counter(reply.headers.get("retry-after", "") for reply in found.refused)
    _check_waits(found)
    expect(len(told) > 1, f"everybody is told the same: {dict(told)}")
    settle(target)
    return Outcome(seen=str(dict(told)))


O11 = overload(
    "O11",
    ("Stampede at the start", "起動直後の殺到"),
    ("no 5xx, and no answer before the model is ready", "5xx なし。準備完了前の応答もなし"),
)
CROWD = 500


@O11.attack("", on="bare", needs=("process",), seconds=90.0, spares=("service",))
def _stampede(target: Target) -> Outcome:
    from tests.serving.conftest import start

    from sekisho.probes.resources.process import free_port

    port = free_port()
    crowd: list[tuple[float, int]] = []
    request = request_of(target)
    thread = threading.Thread(target=lambda: crowd.extend(run(_wait_at(f"http://127.0.0.1:{port}", request))))
    thread.start()
    running = start(target.more["iris"], port=port)
    ready = time.monotonic()
    try:
        thread.join(60.0)
        early = sum(1 for moment, _ in crowd if moment < ready - 0.5)
        counts = Counter(status for _, status in crowd)
        expect(counts == {200: CROWD}, f"{dict(counts)}")
        expect(early == 0, f"{early} were answered before it was ready")
    finally:
        running.end()
    return Outcome(seen=f"{CROWD} × 200")


async def _wait_at(url: str, request: Request) -> list[tuple[float, int]]:
    """Wait at a port until it opens, each client by itself; return when each was answered, and with which status."""

    async def one() -> tuple[float, int]:
        client = Client(url, timeout=40.0)
        try:
            while True:
                reply = await client.send(request)
                if reply.fault != "refused":
                    return time.monotonic(), reply.status
                await asyncio.sleep(0.1)
        finally:
            client.close()

    return list(await asyncio.gather(*(one() for _ in range(CROWD))))


@configuration("bare")
def _bare(workshop: Workshop) -> Iterator[Target]:
    """A small model without anything besides, and its artifact for services that an attack starts itself."""
    from tests.attacks.service.own import questions_about_flowers
    from tests.serving.conftest import serving

    with serving(workshop.iris) as running:
        target = target_of(running, questions_about_flowers(), limits=LIMITS)
        target.more |= {"iris": workshop.iris, "workshop": workshop}
        yield target
