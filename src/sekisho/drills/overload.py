"""Ten times as many requests as the service can answer."""

from __future__ import annotations

import math
import time

import numpy as np

from sekisho.drills.interface import Drill, Result
from sekisho.drills.judging import judged
from sekisho.drills.parts.ground import Ground
from sekisho.drills.parts.running import Running
from sekisho.probes.wire.message import Request
from sekisho.text import Text

TIMES = 10.0
FASTEST = 4_000.0
"""Requests a second, more than which a generator in Python does not send."""
SHARE = 0.8
"""The part of its capacity that a service must keep answering."""
DEADLINE = 5.0
QUICK = 1.0
"""Seconds within which nine of ten who ask for health must be told, and nobody may be refused: what Kubernetes waits by default. The generator is on
the same machine."""
SECONDS = 4.0
MOST_WAIT = 60


def _run(ground: Ground) -> Result:
    with ground.service("--deadline-ms", f"{DEADLINE * 1e3:.0f}") as running:
        capacity = ground.capacity(running)
        rate = min(TIMES * capacity, FASTEST)
        since = len(running.lines)
        with ground.traffic(running, rate=rate, connections=1_024) as traffic:
            health = _watch(running, SECONDS)
            shots = traffic.stop()
        said = running.said(since)
    answered = np.array([shot.ended - shot.sent for shot in shots if shot.ok])
    lasted = max(shot.ended for shot in shots) - shots[0].sent
    goodput = len(answered) / lasted
    p99 = float(np.quantile(answered, 0.99)) if len(answered) else math.inf
    waits = [shot.retry_after for shot in shots if shot.refused]
    usable = all(wait is not None and wait.isdecimal() and 1 <= int(wait) <= MOST_WAIT for wait in waits)
    told = float(np.quantile(health, 0.9)) if max(health) < math.inf else math.inf
    kept = goodput >= SHARE * min(capacity, rate) and p99 <= DEADLINE and usable and told <= QUICK
    return judged(
        shots,
        may_refuse=lambda shot: True,  # noqa: ARG005
        rule_kept=kept,
        broken=Text(
            en=f"{goodput:.0f} of {capacity:.0f} a second, p99 {p99:.2f} s, health in {told:.2f} s",
            ja=f"毎秒 {capacity:.0f} 件中 {goodput:.0f} 件、p99 {p99:.2f} 秒、health {told:.2f} 秒",
        ),
        must_recover=False,
        said=said,
        figures={
            "capacity_per_second": round(capacity, 1),
            "rate_per_second": round(rate, 1),
            "goodput_per_second": round(goodput, 1),
            "p99_seconds": round(p99, 3),
            "health_p90_seconds": round(told, 3),
        },
    )


def _watch(running: Running, seconds: float) -> list[float]:
    """Ask for health and metrics five times a second; return how long each took, infinite where it failed."""
    found = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        for target in ("/health/live", "/metrics"):
            began = time.monotonic()
            reply = running.ask(Request(target=target))
            found.append(time.monotonic() - began if reply.ok else math.inf)
        time.sleep(0.2)
    return found


overload = Drill(
    id="overload",
    title=Text(
        en="ten times the requests that the service can answer, or as many as the generator can send",
        ja="処理能力の10倍（または生成側の上限）のリクエストを送る",
    ),
    rule=Text(
        en="at least 80 % of the capacity is still answered, in time; the others are turned away and told when to come back; health is told",
        ja="能力の8割以上は期限内に応答し続け、残りは再試行の時刻を添えて断る。ヘルスチェックには応答する",
    ),
    run=_run,
)
