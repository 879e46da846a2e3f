"""``kill -9`` of the busiest worker."""

from __future__ import annotations

import os
import signal
import time

from sekisho.drills.interface import Drill, Result
from sekisho.drills.judging import judged
from sekisho.drills.parts.ground import WORKERS, Ground
from sekisho.drills.parts.running import busiest, until
from sekisho.text import Text

MOMENT = 0.1
"""Seconds before the death of a worker is seen on all of its connections."""
AT_ONCE = 2.0
"""Seconds within which a request that fails must have failed."""
SECONDS = 20.0


def _run(ground: Ground) -> Result:
    with ground.service() as running, ground.traffic(running) as traffic:
        traffic.until(int(ground.rate))
        since = len(running.lines)
        starts = running.metric("ml_worker_starts_total") + 1
        before = running.workers
        victim = busiest(before)
        killed = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in running.workers, SECONDS)
        waited = until(lambda: running.is_whole(WORKERS, starts), SECONDS)
        recovered = None if waited is None else time.monotonic() - killed
        time.sleep(ground.seconds)
        shots = traffic.stop()
        said = running.said(since)
    under_way = sum(shot.sent <= killed + MOMENT and shot.ended >= killed for shot in shots)
    failed = [shot.ended - killed for shot in shots if not shot.ok]
    return judged(
        shots,
        excuses=lambda shot: shot.sent <= killed + MOMENT and shot.ended >= killed,
        most_excused=under_way,
        rule_kept=max(failed, default=0.0) <= AT_ONCE,
        broken=Text(en="requests failed late, not at once", ja="失敗がすぐに返らず、待たされました"),
        recovered=recovered,
        said=said,
        figures={"under_way": under_way, "slowest_failure_seconds": round(max(failed, default=0.0), 3)},
    )


kill = Drill(
    id="kill",
    title=Text(en="kill -9 of the busiest worker under load", ja="負荷中に最も忙しいワーカーを kill -9 する"),
    rule=Text(
        en="at most its own requests under way fail, at once; the worker is back",
        ja="失敗は処理中だった分だけで、すぐに返る。ワーカーは復帰する",
    ),
    run=_run,
)
