"""A process that hangs: the model's own, or the worker that runs it."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from sekisho.drills.interface import Drill, Result
from sekisho.drills.judging import judged
from sekisho.drills.parts.ground import WORKERS, Ground
from sekisho.drills.parts.running import busiest, until
from sekisho.text import Text

DEADLINE = 2.0
PAUSE = 1.5
"""Seconds for which a worker hangs: less than the deadline, because then nothing may be lost."""
GRACE = 1.0
SECONDS = 20.0


def _run(ground: Ground) -> Result:
    with ground.service("--deadline-ms", f"{DEADLINE * 1e3:.0f}") as running, ground.traffic(running) as traffic:
        traffic.until(int(ground.rate))
        since = len(running.lines)
        models = running.models
        victim = busiest(models or running.workers)
        stopped = time.monotonic()
        os.kill(victim, signal.SIGSTOP)
        if models:  # nobody wakes it: the worker must end it at the deadline
            waited = until(lambda: victim not in running.models and len(running.models) >= len(models), SECONDS)
        else:
            time.sleep(PAUSE)
            os.kill(victim, signal.SIGCONT)
            waited = until(lambda: running.is_whole(WORKERS), SECONDS)
        recovered = None if waited is None else time.monotonic() - stopped
        time.sleep(ground.seconds)
        shots = traffic.stop()
        said = running.said(since)
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGCONT)
    slowest = max((shot.ended - shot.sent for shot in shots), default=0.0)
    limit = DEADLINE + GRACE if models else PAUSE + GRACE
    return judged(
        shots,
        excuses=lambda shot: bool(models) and shot.status == 504,
        most_excused=len(models) if models else None,
        rule_kept=slowest <= limit,
        broken=Text(en=f"an answer took {slowest:.1f} s", ja=f"応答に {slowest:.1f} 秒かかったものがあります"),
        recovered=recovered,
        said=said,
        figures={"slowest_seconds": round(slowest, 3)},
    )


hang = Drill(
    id="hang",
    title=Text(en="the process that runs the model stands still", ja="モデルを実行するプロセスを停止させる"),
    rule=Text(
        en="only what it was doing fails, at the deadline; a worker that wakes up before has lost nothing",
        ja="失敗はそのプロセスの処理分だけで、期限で返る。期限前に動き出したワーカーは何も失わない",
    ),
    run=_run,
)
