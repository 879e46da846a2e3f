"""Models that are slow to load, cannot be loaded, want the network, or pay for their first call."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.attacks.service.attack import Chapter, Outcome, TooSlow, expect, within
from tests.attacks.service.model_faults import SECOND, wicked
from tests.attacks.service.native import MODELS, asked_about, packed, served, surroundings
from tests.attacks.service.own import LIMITS, Workshop, configuration, target_of
from tests.attacks.service.starts import COMMAND, refused_start
from tests.attacks.service.target import Target
from tests.serving.conftest import Running, children, is_alive, until

KINDS = model = Chapter("model")
SLEEPS = 4.0
FIRST_CALL = 0.6

M16 = model(
    "M16",
    ("Slow load", "読み込みの遅いモデル"),
    (
        "alive and not ready meanwhile; nothing is answered before the warm-up is over",
        "その間は生存・準備未完了。ウォームアップ完了まで応答しない",
    ),
)
M17 = model(
    "M17",
    ("Load fails", "読み込みの失敗"),
    (
        "the exit code is not 0, and one plain line says why; nothing is left running",
        "終了コードは 0 以外。理由は1行。何も残さない",
    ),
)
M18 = model(
    "M18",
    ("Network needed at load", "読み込みにネットワークが必要"),
    ("refused, or ended in time, with a plain line; no hang", "拒否するか時間切れで終了し、理由は1行。止まらない"),
)
M19 = model(
    "M19",
    ("First-call cost", "初回呼び出しの費用"),
    (
        "paid in the warm-up: the first real request takes no more than three times the usual",
        "ウォームアップで支払う。最初のリクエストは通常の3倍以内",
    ),
)


@contextlib.contextmanager
def loading(workshop: Workshop, when: str, **settings: Any) -> Iterator[Running]:
    """Start a service whose model does something when it is loaded, without waiting until it is ready."""
    import subprocess
    import sys

    artifact = packed(workshop, "loading", "Loading")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    given = {"port": port, "trusted_types": ["loading.Loading"], **settings}
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(artifact), json.dumps(given)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **surroundings(WHEN_LOADED=when)},
    )
    running = Running(url=f"http://127.0.0.1:{port}", process=process)

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            running.lines.append(line.decode())

    running.reader = threading.Thread(target=read, daemon=True)
    running.reader.start()
    try:
        yield running
    finally:
        running.end()


def status_of(target: Target, path: str) -> int:
    """Return a status; 0 while nobody listens."""
    try:
        return target.ask(path, timeout=5).status
    except OSError:
        return 0


@M16.attack("sleeps", on="workshop", spares=("service",), seconds=90.0)
def _sleeps(target: Target) -> Outcome:
    with loading(target.more["workshop"], f"sleep:{SLEEPS:g}") as running:
        slow = target_of(running, asked_about("loading"), limits=LIMITS)
        until(lambda: status_of(slow, "/health/live") == 200, 30)
        began = time.monotonic()
        early: list[tuple[float, int]] = []

        def ask() -> None:
            answer = slow.send(slow.question, timeout=60)
            early.append((time.monotonic(), answer.status))

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        ready_at = 0.0
        while not ready_at:
            statuses = {path: status_of(slow, path) for path in ("/health/live", "/health/ready", "/health", "/ping")}
            expect(statuses["/health/live"] == 200, f"it is not alive: {statuses}")
            expect(
                len({statuses[path] for path in ("/health/ready", "/health", "/ping")} - {200, 503}) == 0, f"{statuses}"
            )
            if statuses["/health/ready"] == 200:
                ready_at = time.monotonic()
            expect(time.monotonic() - began < 60, "never ready")
            time.sleep(0.05)
        thread.join(30)
        expect(ready_at - began > SLEEPS / 2, f"it was ready after {ready_at - began:.1f} s")
        ((answered_at, status),) = early
        expect(status in {200, 503}, f"the early request gets {status}")
        expect(answered_at > ready_at - 0.5 or status == 503, "it was answered before the warm-up was over")
        expect('"event":"ready"' in "".join(running.lines), "the log does not say that it is ready")
    return Outcome(
        seen=f"alive, not ready; the early request got {status}", figures={"seconds": round(ready_at - began, 1)}
    )


@M16.attack("sleeps-for-ever", on="workshop", spares=("service",), seconds=60.0, slow=True)
def _for_ever(target: Target) -> Outcome:
    workshop = target.more["workshop"]
    began = time.monotonic()
    line = refused(workshop, "sleep:3600", start_seconds=2.0, says="not loaded after 2 s")
    within((time.monotonic() - began) * SECOND, 15 * SECOND, "the end")
    return Outcome(seen=line[:120])


def refused(workshop: Workshop, when: str, *, says: str = "", never: str = "", **settings: Any) -> str:
    """Say that a service whose model does this when it is loaded does not start, and leaves nothing running."""
    before = set(children(os.getpid()))
    artifact = packed(workshop, "loading", "Loading")  # here too it is loaded
    os.environ["WHEN_LOADED"] = when
    try:
        line = refused_start(
            artifact,
            folder=MODELS,
            trusted_types=["loading.Loading"],
            says=says,
            never=never,
            **settings,
        )
    finally:
        del os.environ["WHEN_LOADED"]
    expect(not [child for child in set(children(os.getpid())) - before if is_alive(child)], "something is left running")
    return line


FAILS: dict[str, tuple[str, str]] = {
    "missing-library": ("missing", "no_such_library"),
    "wrong-version-of-a-library": ("attribute", "no_such_name"),
    "exception": ("raise", "ValueError"),
    "exit-0": ("exit", "died while it was loading"),
    "death": ("die", "died while it was loading"),
    "crash": ("crash", "died while it was loading"),
    "memory": ("memory", ""),
}
for name, (when, says) in FAILS.items():

    @M17.attack(name, on="workshop", spares=("service",), seconds=60.0, slow=name != "exception")
    def _fails(target: Target, when: str = when, says: str = says) -> Outcome:
        return Outcome(seen=refused(target.more["workshop"], when, says=says)[:160])


@M17.attack("standard-input", on="workshop", spares=("service",), seconds=60.0, slow=True)
def _reads(target: Target) -> Outcome:
    """A model that waits for somebody to type something finds that nobody does, and loads."""
    with loading(target.more["workshop"], "read") as running:
        waiting = target_of(running, asked_about("loading"), limits=LIMITS)
        until(lambda: status_of(waiting, "/health/ready") == 200, 40)
    return Outcome(seen="200")


@M17.attack("noise", on="workshop", spares=("service",), seconds=60.0, slow=True)
def _noise(target: Target) -> Outcome:
    with loading(target.more["workshop"], "shout") as running:
        noisy = target_of(running, asked_about("loading"), limits=LIMITS)
        until(lambda: status_of(noisy, "/health/ready") == 200, 40)
        for line in list(running.lines):
            expect(isinstance(json.loads(line), dict) and "noise" not in line and "fake" not in line, line[:100])
    return Outcome(seen="ready, and the log is clean")


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """Accept connections, and say nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


NETWORK: dict[str, Callable[[int], str]] = {
    "nobody-listens": lambda port: "connect:127.0.0.1,9",
    "no-answer": lambda port: f"receive:{port}",
    "no-route": lambda port: "connect:192.0.2.1,80",
    "no-such-name": lambda port: "resolve:no-such-host.invalid",
}
for name, network in NETWORK.items():

    @M18.attack(name, on="workshop", spares=("service",), seconds=60.0, slow=name != "no-answer")
    def _network(target: Target, network: Callable[[int], str] = network) -> Outcome:
        began = time.monotonic()
        with silent_server() as port:
            line = refused(target.more["workshop"], network(port), start_seconds=2.0, says="loaded")
        within((time.monotonic() - began) * SECOND, 15 * SECOND, "the end")
        return Outcome(seen=line[:160])


# The first call


@configuration("slow-at-first")
def _slow_at_first(workshop: Workshop) -> Iterator[Target]:
    """A model whose first call in each process takes 0.6 s."""
    variables = {"SECONDS_OF_FIRST_CALL": str(FIRST_CALL)}
    yield from served(workshop, "wicked", "Wicked", variables=variables, model_processes=3)


def _together(target: Target) -> list[float]:
    """Return how long the first requests take that reach every process, sent together."""
    waits: list[float] = []
    threads = [
        threading.Thread(target=lambda: waits.append(target.send(target.question).milliseconds), daemon=True)
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return waits


@M19.attack("first-request", on="slow-at-first")
def _first(target: Target) -> Outcome:
    first = max(_together(target))
    usual = statistics.median(wait for _ in range(5) for wait in _together(target))
    if first > max(3 * usual, 60.0):
        raise TooSlow(f"{first:.0f} ms at first, {usual:.0f} usually")
    expect(first < FIRST_CALL * SECOND, f"the first request pays {first:.0f} ms")
    return Outcome(seen="paid before", figures={"first_ms": round(first, 1), "usual_ms": round(usual, 1)})


@M19.attack("first-request-of-a-new-process", on="slow-at-first", spares=("log",))
def _first_again(target: Target) -> Outcome:
    """A process that takes the place of a dead one has paid, too, before anybody is sent to it."""
    assert target.process is not None
    for _ in range(3):
        expect(target.send(target.question, wicked(target.question, "die")).status == 503, "it does not die")
    waits = []
    began = time.monotonic()
    while time.monotonic() - began < 2 * FIRST_CALL + 1.5:
        waits += _together(target)
        time.sleep(0.02)
    # While all are being started, everybody waits for the first one; nobody waits for a first call after that.
    late = [wait for wait in waits[len(waits) // 2 :] if wait > FIRST_CALL * SECOND]
    expect(not late, f"{len(late)} pay for a first call: {late[:3]}")
    return Outcome(seen="paid before", figures={"requests": len(waits)})


@M19.attack("in-the-worker", on="identity", seconds=60.0)
def _in_worker(target: Target) -> Outcome:
    from tests.serving.conftest import serving

    assert target.process is not None
    artifact = target.process.running.process.args[3]  # type: ignore[attr-defined]
    firsts, usuals = [], []
    for _ in range(2):
        with serving(artifact) as running:
            fresh = target_of(running, target.questions)
            firsts.append(fresh.send(fresh.question).milliseconds)
            usuals.append(statistics.median(fresh.send(fresh.question).milliseconds for _ in range(30)))
    if min(firsts) > max(3 * statistics.median(usuals), 10.0):
        raise TooSlow(f"{min(firsts):.1f} ms at first, {statistics.median(usuals):.1f} usually")
    return Outcome(seen="paid before", figures={"first_ms": round(min(firsts), 2), "usual_ms": round(min(usuals), 2)})
