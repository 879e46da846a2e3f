"""Who is measured, and how each is started: on one core, with one worker, in the way its own documentation shows."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.serving.models import Subject

from sekisho.serving.guards.keys import new_key

SECONDS_TO_START = 60.0


@dataclass(kw_only=True)
class Contestant:
    """One service.

    Attributes:
        name: What it is called in the results.
        title: What it is.
        port: Where it listens.
        process: Its first process.
        key: What opens it.
        start_seconds: How long it took until it answered a prediction.

    """

    name: str
    title: str
    port: int
    process: subprocess.Popen[bytes]
    key: str | None = None
    start_seconds: float = 0.0

    @property
    def processes(self) -> list[int]:
        """Return its process ids."""
        found, waiting = [], [self.process.pid]
        while waiting:
            process = waiting.pop()
            found.append(process)
            for task in Path(f"/proc/{process}/task").glob("*/children"):
                waiting += [int(word) for word in task.read_text().split()]
        return found

    def cpu_seconds(self) -> float:
        """Return the processor time of all its processes."""
        ticks = 0
        for process in self.processes:
            words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += int(words[11]) + int(words[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def resident_mebibytes(self) -> float:
        """Return the resident memory of its largest process: the one that answers."""
        pages = [int(Path(f"/proc/{process}/statm").read_text().split()[1]) for process in self.processes]
        return max(pages) * os.sysconf("SC_PAGESIZE") / 2**20


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a contestant is started."""

    name: str
    title: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    key: str | None = None


def recipes(subject: Subject, folder: Path) -> tuple[Recipe, ...]:
    """Return all contestants for one model."""
    secret, line = new_key("bench")
    keys = folder / f"{subject.name}.keys"
    keys.write_text(line + "\n")
    ledger = folder / f"{subject.name}.sqlite"
    uvicorn = (sys.executable, "-m", "uvicorn", "--host", "127.0.0.1", "--no-access-log", "--log-level", "warning")
    plain = {"MODEL": str(subject.pickle), "COLUMNS": "\n".join(subject.columns)}
    return (
        Recipe(
            name="sekisho",
            title="sekisho serve: keys, validation, metrics, prediction log, drift watcher off",
            command=(
                *(sys.executable, "-m", "sekisho", "serve", str(subject.artifact), "--no-watch"),
                *("--key-file", str(keys), "--ledger", str(ledger), "--port", "{port}"),
            ),
            key=secret,
        ),
        Recipe(
            name="plain",
            title="plain FastAPI calling the scikit-learn pipeline",
            command=(*uvicorn, "--port", "{port}", "benchmarks.serving.peers.plain:app"),
            environment=plain,
        ),
        Recipe(
            name="floor-asgi",
            title="floor: empty echo, raw ASGI on uvicorn",
            command=(*uvicorn, "--port", "{port}", "benchmarks.serving.peers.floor:echo"),
        ),
        Recipe(
            name="floor-fastapi",
            title="floor: empty echo, FastAPI with a pydantic body",
            command=(*uvicorn, "--port", "{port}", "benchmarks.serving.peers.floor:app"),
        ),
    )


@contextmanager
def running(recipe: Recipe, subject: Subject, *, core: int | None) -> Iterator[Contestant]:
    """Start a contestant on one core, wait until it predicts, and end it after."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [word.replace("{port}", str(port)) for word in recipe.command]
    began = time.monotonic()
    process = subprocess.Popen(
        [*pinned(core), *command],
        env={**os.environ, **recipe.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
    )
    contestant = Contestant(name=recipe.name, title=recipe.title, port=port, process=process, key=recipe.key)
    try:
        while not _answers(contestant, subject.bodies[0]):
            if process.poll() is not None or time.monotonic() - began > SECONDS_TO_START:
                raise SystemExit(f"{recipe.name} did not start: {' '.join(command)}")
            time.sleep(0.01)
        contestant.start_seconds = time.monotonic() - began
        yield contestant
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def pinned(core: int | None) -> list[str]:
    """Return the words that keep a command on one core; none where that cannot be."""
    return [] if core is None or shutil.which("taskset") is None else ["taskset", "--cpu-list", str(core)]


def _answers(contestant: Contestant, body: bytes) -> bool:
    headers = {"content-type": "application/json", **({"x-api-key": contestant.key} if contestant.key else {})}
    connection = http.client.HTTPConnection("127.0.0.1", contestant.port, timeout=5)
    try:
        connection.request("POST", "/predict", body, headers)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
