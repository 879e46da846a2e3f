"""A byte of the artifact changes on the disk."""

from __future__ import annotations

import shutil
import time

from sekisho.artifact.artifact import ModelArtifact
from sekisho.drills.interface import Drill, Result
from sekisho.drills.judging import judged
from sekisho.drills.parts.ground import Ground
from sekisho.text import Text

COULD_NOT_RUN = 3
SECONDS = 60.0


def _run(ground: Ground) -> Result:
    copy = ground.scratch / "artifact"
    shutil.copytree(ground.artifact, copy)
    name = max(ModelArtifact.load(copy).manifest.files, key=lambda file: file.size).name
    whole = (copy / name).read_bytes()
    with ground.service(artifact=copy) as running, ground.traffic(running) as traffic:
        traffic.until(int(ground.rate))
        since = len(running.lines)
        changed = bytearray(whole)
        changed[len(changed) // 2] ^= 1
        (copy / name).write_bytes(changed)
        code, refusal = _start(ground, copy)
        time.sleep(ground.seconds)
        (copy / name).write_bytes(whole)
        began = time.monotonic()
        with ground.service(artifact=copy):
            recovered = time.monotonic() - began
        shots = traffic.stop()
        said = running.said(since)
    return judged(
        shots,
        rule_kept=code == COULD_NOT_RUN and name in refusal,
        broken=Text(
            en=f"started on a changed artifact, or did not name it: exit code {code}",
            ja=f"変更された成果物で起動したか、ファイル名を示しませんでした（終了コード {code}）",
        ),
        recovered=recovered,
        said=(*said, refusal) if refusal else said,
        figures={"exit_code": -1 if code is None else code},
    )


def _start(ground: Ground, artifact: object) -> tuple[int | None, str]:
    """Start a service that must refuse; return its exit code and the last line it said."""
    refused = ground.start(artifact=artifact)  # type: ignore[arg-type] # a path
    try:
        code = refused.wait(SECONDS)
        return code, next((line.strip() for line in reversed(refused.lines) if line.strip()), "")
    finally:
        refused.let_go()


corrupt = Drill(
    id="corrupt",
    title=Text(en="one byte of the artifact changes on the disk", ja="ディスク上の成果物を1バイト書き換える"),
    rule=Text(
        en="what runs goes on and loses nothing; a new start is refused by the name of the file, and works again once it is mended",
        ja="動作中のサービスは何も失わずに続く。新たな起動はファイル名を示して拒否し、元に戻せば起動できる",
    ),
    run=_run,
)
