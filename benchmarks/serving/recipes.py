"""Who is measured: our own service, a plain FastAPI service and the floors."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.serving.asking import SINGLE, Asked, native, tables
from benchmarks.serving.contestants import Recipe
from benchmarks.serving.models import Subject

from sekisho.serving.guards.keys import new_key

OURS, PLAIN, FLOOR = "sekisho", "plain", "floor-asgi"
TITLE = "sekisho serve: keys, validation, metrics, prediction log, drift watcher"


def ours(subject: Subject, folder: Path, *, workers: int = 1) -> Recipe:
    """Return our own service with everything on."""
    secret, line = new_key("bench")
    keys = folder / f"{subject.name}-{workers}.keys"
    keys.touch(mode=0o600)
    keys.write_text(line + "\n")
    return Recipe(
        name=OURS if workers == 1 else f"{OURS}-{workers}",
        title=TITLE if workers == 1 else f"{TITLE}, {workers} workers",
        command=(
            *(sys.executable, "-m", "sekisho", "serve", str(subject.artifact), "--port", "{port}"),
            *("--key-file", str(keys), "--ledger", str(folder / f"{subject.name}-{workers}.sqlite")),
            *("--workers", str(workers)),
        ),
        tasks=native().tasks(subject) | tables(subject),
        key=secret,
    )


def plain(subject: Subject) -> Recipe:
    """Return the service that many tutorials write."""
    return Recipe(
        name=PLAIN,
        title="plain FastAPI calling the scikit-learn pipeline",
        command=(*_uvicorn(), "benchmarks.serving.peers.plain:app"),
        tasks=native().tasks(subject),
        environment={"MODEL": str(subject.pickle), "COLUMNS": "\n".join(subject.columns)},
    )


def floors(subject: Subject) -> tuple[Recipe, ...]:
    """Return the services that read a request and answer the same to everybody."""
    asked = native().tasks(subject)[SINGLE]
    echoed = {SINGLE: Asked(path=asked.path, bodies=asked.bodies)}
    return (
        Recipe(
            name=FLOOR,
            title="floor: empty echo, raw ASGI on uvicorn",
            command=(*_uvicorn(), "benchmarks.serving.peers.floor:echo"),
            tasks=echoed,
        ),
        Recipe(
            name="floor-fastapi",
            title="floor: empty echo, FastAPI with a pydantic body",
            command=(*_uvicorn(), "benchmarks.serving.peers.floor:app"),
            tasks=echoed,
        ),
    )


def _uvicorn() -> tuple[str, ...]:
    quiet = ("--no-access-log", "--log-level", "warning")
    return (sys.executable, "-m", "uvicorn", "--host", "127.0.0.1", "--port", "{port}", *quiet)
