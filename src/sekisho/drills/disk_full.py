"""The disk of the book of predictions is full."""

from __future__ import annotations

import resource
import time

from sekisho.drills.interface import Drill, Result
from sekisho.drills.judging import judged
from sekisho.drills.parts.ground import Ground
from sekisho.drills.parts.running import until
from sekisho.text import Text

SECONDS = 20.0


def _run(ground: Ground) -> Result:
    with ground.service() as running, ground.traffic(running) as traffic:
        traffic.until(int(ground.rate))
        until(lambda: running.metric("ml_ledger_written_total") > 0, SECONDS)
        since = len(running.lines)
        # No file of theirs may grow any more: to a process, that is what a full disk is.
        size = min(path.stat().st_size for path in ground.scratch.glob(f"{ground.book.name}*[!m]"))
        before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in running.workers}
        for pid, (_, hard) in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
        noticed = until(lambda: running.metric("ml_ledger_down") > 0, SECONDS)
        time.sleep(ground.seconds)
        written = running.metric("ml_ledger_written_total")
        for pid, limits in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        recovered = until(
            lambda: running.metric("ml_ledger_written_total") > written and running.metric("ml_ledger_down") == 0,
            SECONDS,
        )
        dropped = running.metric("ml_ledger_dropped_total")
        shots = traffic.stop()
        said = running.said(since)
    return judged(
        shots,
        rule_kept=noticed is not None,
        broken=Text(
            en="the metrics do not say that the book cannot be written", ja="記録できないことがメトリクスに現れません"
        ),
        recovered=recovered,
        said=said,
        figures={"dropped_rows": dropped} | ({} if noticed is None else {"seconds_to_notice": round(noticed, 3)}),
    )


disk_full = Drill(
    id="disk-full",
    title=Text(en="the disk of the book of predictions is full", ja="予測台帳のディスクをいっぱいにする"),
    rule=Text(
        en="predictions go on, the metrics and the log say that the book cannot be written; writing goes on once there is room",
        ja="予測は続き、記録できないことをメトリクスとログで知らせる。空きができれば記録を再開する",
    ),
    run=_run,
)
