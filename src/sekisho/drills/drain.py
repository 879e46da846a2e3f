"""SIGTERM while clients keep their connections busy."""

from __future__ import annotations

import signal
import time

from sekisho.drills.interface import Drill, Result
from sekisho.drills.judging import judged
from sekisho.drills.parts.ground import Ground
from sekisho.drills.parts.running import is_alive
from sekisho.text import Text

SECONDS = 40.0


def _run(ground: Ground) -> Result:
    with ground.service() as running:
        with ground.traffic(running) as traffic:
            traffic.until(int(ground.rate * ground.seconds))
            since = len(running.lines)
            workers = running.workers
            told = time.monotonic()
            code = running.end(signal.SIGTERM, SECONDS)
            ended = time.monotonic() - told
            time.sleep(0.2)
            shots = traffic.stop()
        said = running.said(since)
        left = [worker for worker in workers if is_alive(worker)]
    return judged(
        shots,
        # Whoever sends afterwards may find the door closed, or see it close.
        may_refuse=lambda shot: shot.sent > told,
        excuses=lambda shot: shot.sent > told and shot.fault == "closed",
        rule_kept=code == 0 and not left,
        broken=Text(
            en=f"exit code {code}, {len(left)} processes left", ja=f"終了コード {code}、残ったプロセス {len(left)} 個"
        ),
        must_recover=False,
        said=said,
        figures={"seconds_to_end": round(ended, 3), "sent_before": sum(shot.sent <= told for shot in shots)},
    )


drain = Drill(
    id="drain",
    title=Text(en="SIGTERM under load on connections that stay open", ja="接続を維持した負荷の中で SIGTERM を送る"),
    rule=Text(
        en="no request sent before is lost, later ones find the door closed; exit code 0, no process left",
        ja="それ以前に送ったリクエストは1件も失われず、以後は受け付けない。終了コード 0、プロセスは残らない",
    ),
    run=_run,
)
