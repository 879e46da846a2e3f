"""A contestant: started on one core, asked, watched, and ended with all that it started."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.serving.asking import SINGLE, Asked

SECONDS_TO_START = 180.0
SECONDS_TO_END = 20.0
LATE = (503, 504)
TRIES = 2


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a contestant is started, and how it is asked.

    Attributes:
        name: What it is called in the results.
        title: What it is.
        command: Program and arguments; ``{port}``, ``{port1}`` and ``{port2}`` are filled in, here and in ``environment``.
        tasks: What it is asked, by task.
        environment: What is added to the environment.
        folder: Where it runs; by default the root of the repository.
        key: What opens it.
        restless: Whether it works while nobody asks it, so that it runs only in its turn.

    """

    name: str
    title: str
    command: tuple[str, ...]
    tasks: Mapping[str, Asked]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    key: str | None = None
    restless: bool = False


@dataclass(kw_only=True)
class Contestant:
    """One running service.

    Attributes:
        recipe: How it was started.
        port: Where it listens.
        process: Its first process.
        start_seconds: How long it took until it answered a prediction.
        ready_mebibytes: The resident memory of its largest process then.

    """

    recipe: Recipe
    port: int
    process: subprocess.Popen[bytes]
    start_seconds: float = 0.0
    ready_mebibytes: float = 0.0

    @property
    def name(self) -> str:
        """What it is called."""
        return self.recipe.name

    @property
    def processes(self) -> list[int]:
        """Return its process ids: the descendants of the first, and whoever is left of its session."""
        found, waiting = [], [self.process.pid]
        while waiting:
            process = waiting.pop()
            with contextlib.suppress(OSError):
                waiting += [
                    int(word)
                    for task in Path(f"/proc/{process}/task").glob("*/children")
                    for word in task.read_text().split()
                ]
                found.append(process)
        return found

    def cpu_seconds(self) -> float:
        """Return the processor time of all its processes."""
        ticks = 0
        for process in self.processes:
            with contextlib.suppress(OSError):  # it ended meanwhile
                words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
                ticks += int(words[11]) + int(words[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def resident_mebibytes(self) -> float:
        """Return the resident memory of its largest process: the one that answers."""
        pages = [0]
        for process in self.processes:
            with contextlib.suppress(OSError):
                pages.append(int(Path(f"/proc/{process}/statm").read_text().split()[1]))
        return max(pages) * os.sysconf("SC_PAGESIZE") / 2**20

    def whole_mebibytes(self) -> float:
        """Return the memory of all its processes together, what they share counted once."""
        kibibytes = 0
        for process in self.processes:
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
                kibibytes += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return kibibytes / 1024


@contextmanager
def running(recipe: Recipe, *, cores: str | None, log: Path | None = None) -> Iterator[Contestant]:
    """Start a contestant on some cores, wait until it predicts, see that it predicts rightly, and end it after."""
    ports = free_ports(3)
    command = [_filled(word, ports) for word in recipe.command]
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("wb")) if log is not None else subprocess.DEVNULL
        process = subprocess.Popen(
            [*pinned(cores), *command],
            env={**os.environ, **{name: _filled(value, ports) for name, value in recipe.environment.items()}},
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=recipe.folder or Path(__file__).parents[2],
            start_new_session=True,
        )
        contestant = Contestant(recipe=recipe, port=ports[0], process=process)
        stack.callback(end, contestant)
        while ask(contestant, recipe.tasks[SINGLE], 0)[0] != 200:
            if process.poll() is not None or time.monotonic() - began > SECONDS_TO_START:
                raise SystemExit(f"{recipe.name} did not start: {' '.join(command)}")
            time.sleep(0.01)
        contestant.start_seconds = time.monotonic() - began
        contestant.ready_mebibytes = contestant.resident_mebibytes()
        prove(contestant)
        yield contestant


def prove(contestant: Contestant) -> None:
    """See that every task gets the labels that the model itself gives.

    Raises:
        SystemExit: One does not: what is measured must be what was asked.

    """
    for task, asked in contestant.recipe.tasks.items():
        for turn, labels in enumerate(asked.labels):
            status, body = ask(contestant, asked, turn)
            for _ in range(TRIES):  # the first of its kind may load a library
                if status not in LATE:
                    break
                status, body = ask(contestant, asked, turn)
            if asked.read is None or status != 200 or tuple(asked.read(body)) != tuple(labels):
                raise SystemExit(
                    f"{contestant.name}: {task} number {turn} was answered wrongly: {status} {body[:200]!r}"
                )


def ask(contestant: Contestant, asked: Asked, turn: int) -> tuple[int, bytes]:
    """Return status and body of one answer; status 0 when there was none."""
    connection = http.client.HTTPConnection("127.0.0.1", contestant.port, timeout=30)
    try:
        connection.request("POST", asked.path, asked.bodies[turn], headers_for(contestant.recipe, asked))
        reply = connection.getresponse()
        return reply.status, reply.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def headers_for(recipe: Recipe, asked: Asked) -> dict[str, str]:
    """Return the headers of a request."""
    return {**asked.headers, **({"X-API-Key": recipe.key} if recipe.key else {})}


def end(contestant: Contestant) -> None:
    """Ask it to end, wait, and end what is left of it."""
    left = contestant.processes
    contestant.process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        contestant.process.wait(SECONDS_TO_END)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(contestant.process.pid, signal.SIGKILL)
    for process in left[1:]:  # those that went into a session of their own
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    contestant.process.wait()


def pinned(cores: str | None) -> list[str]:
    """Return the words that keep a command on some cores; none where that cannot be."""
    return [] if cores is None or shutil.which("taskset") is None else ["taskset", "--cpu-list", cores]


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]


def _filled(word: str, ports: list[int]) -> str:
    for name, port in zip(("{port}", "{port1}", "{port2}"), ports, strict=True):
        word = word.replace(name, str(port))
    return word
