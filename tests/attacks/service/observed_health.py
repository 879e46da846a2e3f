"""Health that must tell the truth: when workers are gone, the model is broken, the queue is full, a process hangs."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator

from tests.attacks.service.attack import Chapter, Outcome, expect, within
from tests.attacks.service.model_faults import wicked
from tests.attacks.service.model_resources import processes
from tests.attacks.service.native import asked_about, packed, served, surroundings
from tests.attacks.service.own import LIMITS, Workshop, configuration, target_of
from tests.attacks.service.target import Target
from tests.serving.conftest import until

KINDS = observability = Chapter("observability")
SECONDS = 5.0

L15 = observability(
    "L15",
    ("Health tells the truth", "正直なヘルスチェック"),
    (
        "readiness is false within 5 s; liveness is, unless the process itself hangs",
        "準備完了は 5 秒以内に偽。死活はプロセス自体が止まったときだけ偽",
    ),
)


def status(target: Target, path: str, *, timeout: float = 2.0) -> int:
    """Return a status; 0 if there is no answer."""
    try:
        return target.ask(path, timeout=timeout).status
    except OSError:
        return 0


def becomes(target: Target, path: str, statuses: set[int], seconds: float = SECONDS) -> float:
    """Wait until a route answers so; return how long it took."""
    began = time.monotonic()
    while (found := status(target, path)) not in statuses:
        within((time.monotonic() - began) * 1_000, seconds * 1_000, f"{path} says {found}, not {statuses}")
        time.sleep(0.05)
    return time.monotonic() - began


@L15.attack("all-workers-killed", on="four-workers", spares=("workers",), seconds=60.0)
def _killed(target: Target) -> Outcome:
    assert target.process is not None
    for pid in target.process.pids():
        os.kill(pid, signal.SIGKILL)
    seen = {status(target, "/health/ready", timeout=0.3) for _ in range(3)}
    back = becomes(target, "/health/ready", {200}, 20.0)
    until(lambda: target.process.metric("ml_worker_ready") == 4, 20)
    return Outcome(seen=f"{sorted(seen)}, then 200", figures={"back_s": round(back, 1)})


@L15.attack("one-worker-killed", on="four-workers", spares=("workers",), seconds=60.0)
def _one_killed(target: Target) -> Outcome:
    """Whoever is left answers, and the metric says how many are."""
    assert target.process is not None
    expect(target.process.metric("ml_worker_ready") == 4, "not all are ready to begin with")
    lowest = 4.0
    os.kill(target.process.pids()[0], signal.SIGKILL)
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        lowest = min(lowest, target.process.metric("ml_worker_ready"))
        # A connection that was with the one that was killed is ended; whoever is left never says that it is not ready.
        said = status(target, "/health/ready")
        expect(said in {0, 200}, f"those that are left are not ready: {said}")
        if lowest < 4 and target.process.metric("ml_worker_ready") == 4:
            break
    expect(lowest == 3, f"the metric never said 3: {lowest}")
    until(lambda: target.process.metric("ml_worker_ready") == 4, 20)
    return Outcome(seen="3, then 4")


@configuration("breaking", fresh=True)
def _breaking(workshop: Workshop) -> Iterator[Target]:
    """A model in processes of its own, in a folder that is about to go."""
    from tests.serving.conftest import serving

    folder = workshop.place("breaking") / "artifact"
    shutil.copytree(packed(workshop, "wicked", "Wicked"), folder)
    settings = {"trusted_types": ["wicked.Wicked"], "model_processes": 2, "deadline_ms": 3_000, "start_seconds": 20.0}
    with serving(folder, environment=surroundings(), **settings) as running:
        target = target_of(running, asked_about("wicked"), limits=LIMITS)
        target.more["folder"] = folder
        yield target


@L15.attack("model-broken", on="breaking", spares=("log", "service"), seconds=120.0, slow=True)
def _broken(target: Target) -> Outcome:
    assert target.process is not None
    folder = target.more["folder"]
    becomes(target, "/health/ready", {200}, 30.0)
    folder.rename(folder.with_name("away"))
    for pid in processes(target):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    # That a process is dead is seen when it is asked, at the latest.
    threading.Thread(target=lambda: [target.send(target.question) for _ in range(3)], daemon=True).start()
    seconds = becomes(target, "/health/ready", {503})
    for _ in range(5):
        expect(status(target, "/health/ready") == 503, "it does not stay so")
        expect(status(target, "/health/live") == 200, "the process is not said to be alive")
        time.sleep(0.1)
    expect(target.process.metric("ml_worker_ready") == 0, "the metric says that it is ready")
    folder.with_name("away").rename(folder)
    back = becomes(target, "/health/ready", {200}, 40.0)
    expect(target.send(target.question).status == 200, "ready, and does not answer")
    return Outcome(seen="503, then 200", figures={"seconds": round(seconds, 2), "back_s": round(back, 1)})


@configuration("short-queue", fresh=True)
def _short_queue(workshop: Workshop) -> Iterator[Target]:
    """A queue of three before one process of a model."""
    yield from served(workshop, "wicked", "Wicked", queue=3, model_processes=1, deadline_ms=3_000)


@L15.attack("queue-full", on="short-queue", spares=("log",), seconds=60.0)
def _full(target: Target) -> Outcome:
    threads = [
        threading.Thread(target=lambda: target.send(target.question, wicked(target.question, "hang")), daemon=True)
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    seconds = becomes(target, "/health/ready", {503}, 2.0)
    said = target.ask("/health/ready").json()["status"]
    expect(said == "overloaded", f"it says {said}")
    expect(status(target, "/health/live") == 200, "it is not alive")
    for thread in threads:
        thread.join(30)
    back = becomes(target, "/health/ready", {200}, 10.0)
    return Outcome(seen="503 overloaded, then 200", figures={"seconds": round(seconds, 2), "back_s": round(back, 1)})


@L15.attack("process-hangs", on="short-queue", spares=("log",), seconds=60.0)
def _hangs(target: Target) -> Outcome:
    assert target.process is not None
    (worker,) = target.process.pids()
    os.kill(worker, signal.SIGSTOP)
    try:
        expect(status(target, "/health/live", timeout=1.0) == 0, "a process that hangs says that it is alive")
    finally:
        os.kill(worker, signal.SIGCONT)
    back = becomes(target, "/health/live", {200}, 5.0)
    return Outcome(seen="no answer, then 200", figures={"back_s": round(back, 2)})
