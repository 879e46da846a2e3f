"""A version that is damaged is to take over."""

from __future__ import annotations

import time

from sekisho.drills.interface import Drill, Result
from sekisho.drills.judging import judged
from sekisho.drills.parts.ground import Ground
from sekisho.drills.parts.versions import NEXT, Versions
from sekisho.text import Text


def _run(ground: Ground) -> Result:
    versions = Versions(ground.artifact, ground.scratch)
    with ground.service(artifact=versions.link) as running, ground.traffic(running) as traffic:
        traffic.until(int(ground.rate))
        since = len(running.lines)
        versions.damage(NEXT)
        versions.point(NEXT)
        began = time.monotonic()
        reply = versions.reload(running)
        took = time.monotonic() - began
        time.sleep(ground.seconds / 2)
        shots = traffic.stop()
        said = running.said(since)
    others = {shot.version for shot in shots if shot.ok} - {versions.first}
    members = reply.json()
    reason = str(members.get("detail", "")) if isinstance(members, dict) else ""
    return judged(
        shots,
        rule_kept=reply.refused and bool(reason) and not others,
        broken=Text(
            en=f"the damaged version was not refused with a reason (status {reply.status})",
            ja=f"破損したバージョンが理由付きで拒否されませんでした（ステータス {reply.status}）",
        ),
        recovered=took,
        said=(*said, reason) if reason else said,
        figures={"status": reply.status},
    )


swap_broken = Drill(
    id="swap-broken",
    title=Text(en="a damaged version is to take over under load", ja="負荷中に破損したバージョンへ切り替えようとする"),
    rule=Text(
        en="it is refused with the reason, the version before serves on, no request is lost",
        ja="理由を示して拒否し、前のバージョンで続ける。1件も失われない",
    ),
    run=_run,
)
