"""A service of ours that runs, and the processes it is made of."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sekisho.errors import NotMeasured
from sekisho.probes.resources import leash
from sekisho.probes.wire.client import exchange
from sekisho.probes.wire.message import Reply, Request
from sekisho.text import Text

WORKER: Final = "sekisho.serving.worker"
MODEL: Final = "sekisho.predict.child"
SECONDS_TO_START: Final = 90.0
_ROUTINE: Final = frozenset(("request", "ready"))


class Running:
    """A service, held on a leash: it ends with whoever started it, whatever becomes of them.

    Args:
        command: Starts it.
        folder: Where it runs.
        environment: All of its environment.
        headers: What is sent with every request.

    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        headers: tuple[tuple[str, str], ...],
    ) -> None:
        self.headers = headers
        self.url = ""
        self.lines: list[str] = []
        self._leash = subprocess.Popen(
            [sys.executable, "-I", "-S", leash.__file__, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name="log", daemon=True)
        self._reader.start()

    # What it says

    def wait_until_ready(self) -> None:
        """Wait until it says that it answers.

        Raises:
            NotMeasured: It ended, or did not say so in time.

        """
        ends = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < ends:
            for event in self.events(0):
                if event.get("event") == "ready":
                    self.url = str(event["url"])
                    return
            if self._leash.poll() is not None:
                break
            time.sleep(0.02)
        self._reader.join(1.0)
        said = self.lines[-1].strip() if self.lines else ""
        raise NotMeasured(
            Text(en=f"the service did not start: {said}", ja=f"サービスを起動できませんでした: {said}"),
            Text(en="try sekisho serve by itself", ja="sekisho serve を単独で試してください"),
        )

    def events(self, since: int) -> list[dict[str, Any]]:
        """Return what the log says from a line on."""
        found = []
        for line in self.lines[since:]:
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict):
                    found.append(event)
        return found

    def said(self, since: int) -> tuple[str, ...]:
        """Return the events of the log from a line on, each once, without those of everyday."""
        return tuple(
            dict.fromkeys(str(each.get("event")) for each in self.events(since) if each.get("event") not in _ROUTINE)
        )

    # How it is asked

    def ask(self, request: Request, timeout: float = 10.0) -> Reply:
        """Ask once."""
        (reply,) = exchange(self.url, [request.with_headers(*self.headers)], timeout=timeout)
        return reply

    def metric(self, name: str) -> float:
        """Return the sum of the samples of a metric; 0 where nobody answers."""
        reply = self.ask(Request(target="/metrics"))
        lines = reply.body.decode("utf-8", "replace").splitlines() if reply.ok else []
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))

    def is_whole(self, workers: int, starts: float = 0.0) -> bool:
        """Whether so many workers run, all of them are ready, and workers were started so often."""
        return (
            len(self.workers) == workers
            and self.metric("ml_worker_starts_total") >= starts
            and self.metric("ml_worker_ready") >= workers
        )

    # What it is made of

    @property
    def process(self) -> int:
        """The supervisor."""
        return next(iter(_children(self._leash.pid)), 0)

    @property
    def workers(self) -> list[int]:
        """The processes that answer."""
        return [pid for pid in _children(self.process) if WORKER in _command(pid)] if self.process else []

    @property
    def models(self) -> list[int]:
        """The processes that run a model outside of the workers; not those that only bear them."""
        return [
            below
            for worker in self.workers
            for pid in _children(worker)
            if MODEL in _command(pid)
            for below in _children(pid) or [pid]
        ]

    def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = 60.0) -> int | None:
        """Send a signal to the supervisor and return its exit code; ``None`` if it does not end."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process, number)
        return self.wait(seconds)

    def wait(self, seconds: float) -> int | None:
        """Wait for its end and return its exit code; ``None`` if it does not end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._leash.wait(seconds)
            self._reader.join(5.0)
            return code
        return None

    def let_go(self) -> None:
        """End it with all that it started, kindly first."""
        assert self._leash.stdout is not None
        leash.release(self._leash)
        self._reader.join(5.0)
        self._leash.stdout.close()

    def _read(self) -> None:
        assert self._leash.stdout is not None
        with contextlib.suppress(ValueError):  # closed meanwhile
            for line in self._leash.stdout:
                self.lines.append(line.decode("utf-8", "replace"))


def until(condition: Any, seconds: float) -> float | None:
    """Wait until ``condition()`` is true; return how long that took, ``None`` if it never was."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if condition():
            return time.monotonic() - began
        time.sleep(0.03)
    return None


def is_alive(process: int) -> bool:
    """Whether a process runs; one that is dead and not buried yet does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def busiest(processes: Sequence[int]) -> int:
    """Return the process that has used the most processor time."""

    def ticks(process: int) -> int:
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return -1
        return int(fields[11]) + int(fields[12])

    return max(processes, key=ticks)


def _children(process: int) -> list[int]:
    return [int(word) for task in Path(f"/proc/{process}/task").glob("*/children") for word in _words(task)]


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""
