"""Running drills, one after the other."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sekisho.drills
from sekisho.drills.interface import Drill, Result
from sekisho.drills.parts.ground import prepare
from sekisho.errors import NotFound
from sekisho.shelf import units
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.contract.project import Project

RATE: Final = 100.0
"""Requests a second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """A drill and what became of it."""

    drill: Drill
    result: Result


def drills() -> dict[str, Drill]:
    """Return every drill, by id."""
    return units(sekisho.drills.__name__, Drill)


def run_drills(
    project: Project, ids: Sequence[str] = (), *, rate: float = RATE, began: Callable[[Drill], None] | None = None
) -> list[Ran]:
    """Run drills on the service that a contract describes.

    Args:
        project: The folder and its contract.
        ids: Which; none: all.
        rate: Requests a second.
        began: Told about each as it begins.

    Raises:
        NotFound: There is no such drill, or no artifact.
        NotMeasured: The service does not start.

    """
    known = drills()
    for unknown in (each for each in ids if each not in known):
        raise NotFound(
            Text(en=f"there is no drill {unknown!r}", ja=f"{unknown!r} という訓練はありません"),
            Text(en=f"choose from: {', '.join(known)}", ja=f"次から選んでください: {', '.join(known)}"),
        )
    artifact = project.path(project.contract.model.artifact)
    if not artifact.is_dir():
        raise NotFound(
            Text(en="there is no artifact", ja="成果物がありません"),
            Text(en="pack the model first: sekisho pack", ja="先に sekisho pack で成果物を作ってください"),
            where=artifact,
        )
    done = []
    for drill in (known[each] for each in ids or known):
        if began is not None:
            began(drill)
        with tempfile.TemporaryDirectory(prefix="sekisho-drill-") as scratch:
            ground = prepare(
                artifact.resolve(),
                Path(scratch),
                project=project.root,
                key_header=project.contract.security.key_header,
                rate=rate,
            )
            done.append(Ran(drill=drill, result=drill.run(ground)))
    return done
