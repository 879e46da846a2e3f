"""Another version takes over while requests come."""

from __future__ import annotations

import time

from sekisho.drills.interface import Drill, Result
from sekisho.drills.judging import judged
from sekisho.drills.parts.ground import Ground
from sekisho.drills.parts.versions import NEXT, Versions
from sekisho.text import Text

SETTLED = 0.2
"""Seconds after which nobody is answered by the version before."""


def _run(ground: Ground) -> Result:
    versions = Versions(ground.artifact, ground.scratch)
    with ground.service(artifact=versions.link) as running, ground.traffic(running) as traffic:
        traffic.until(int(ground.rate))
        since = len(running.lines)
        turns = []
        for version in (NEXT, versions.first):  # there, and back again
            versions.point(version)
            began = time.monotonic()
            reply = versions.reload(running)
            turns.append((version, began, time.monotonic(), reply))
            time.sleep(ground.seconds / 2)
        shots = traffic.stop()
        said = running.said(since)
    taken = all(reply.ok for *_, reply in turns)
    (_, first, second, _), (_, third, _, _) = turns
    told = all(
        shot.version == versions.first
        if shot.ended < first
        else shot.version == NEXT or not second + SETTLED < shot.sent <= shot.ended < third
        for shot in shots
        if shot.ok
    )
    last = next((shot.version for shot in reversed(shots) if shot.ok), None)
    return judged(
        shots,
        rule_kept=taken and told and last == versions.first,
        broken=Text(
            en="a version did not take over, or answers named another one",
            ja="切り替わらないか、応答のバージョン名が違います",
        ),
        recovered=max(ended - began for _, began, ended, _ in turns),
        said=said,
        figures={
            f"seconds_to_{name}": round(turn[2] - turn[1], 3)
            for name, turn in zip(("swap", "go_back"), turns, strict=True)
        },
    )


swap = Drill(
    id="swap",
    title=Text(
        en="another version takes over under load, and the first one again",
        ja="負荷中に別のバージョンへ切り替え、元に戻す",
    ),
    rule=Text(
        en="no request is lost, and each answer names the version that made it",
        ja="1件も失われず、各応答は実際に推論したバージョンを示す",
    ),
    run=_run,
)
