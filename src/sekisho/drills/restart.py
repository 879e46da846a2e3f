"""``kill -9`` of the supervisor, and a new start on the same port at once."""

from __future__ import annotations

import signal
import time

from sekisho.drills.interface import Drill, Result
from sekisho.drills.judging import judged
from sekisho.drills.parts.ground import WORKERS, Ground
from sekisho.drills.parts.running import is_alive, until
from sekisho.errors import NotMeasured
from sekisho.probes.resources.process import free_port
from sekisho.text import Text

SECONDS_TO_END = 5.0
SECONDS = 30.0


def _run(ground: Ground) -> Result:
    port = free_port()
    with ground.service(port=port) as first, ground.traffic(first) as traffic:
        traffic.until(int(ground.rate))
        workers = first.workers
        killed = time.monotonic()
        first.end(signal.SIGKILL, SECONDS_TO_END)
        waited = until(lambda: not any(map(is_alive, workers)), SECONDS_TO_END)
        gone = None if waited is None else time.monotonic() - killed
        try:
            with ground.service(port=port) as second:
                until(lambda: len(second.workers) == WORKERS, SECONDS)
                recovered = time.monotonic() - killed
                time.sleep(ground.seconds / 2)
                shots = traffic.stop()
                said = second.said(0)
        except NotMeasured:
            recovered, shots, said = None, traffic.stop(), ()
    under_way = [shot for shot in shots if not shot.ok and shot.sent <= killed]
    return judged(
        shots,
        excuses=lambda shot: shot.ended >= killed and (recovered is None or shot.sent <= killed + recovered),
        may_refuse=lambda shot: shot.sent >= killed,
        rule_kept=gone is not None,
        broken=Text(en="workers outlived the supervisor", ja="スーパーバイザーの後にワーカーが残りました"),
        recovered=recovered,
        said=said,
        figures={"failed_under_way": len(under_way)} | ({} if gone is None else {"seconds_to_be_gone": round(gone, 3)}),
    )


restart = Drill(
    id="restart",
    title=Text(
        en="kill -9 of the supervisor, and a new start on the same port at once",
        ja="スーパーバイザーを kill -9 し、同じポートですぐに起動し直す",
    ),
    rule=Text(
        en="no process is left after five seconds; the new service answers everybody",
        ja="5秒後にはプロセスが残らない。新しいサービスは全件に応答する",
    ),
    run=_run,
)
