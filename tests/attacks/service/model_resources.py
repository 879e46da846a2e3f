"""Models that leak, take all memory, shout, or meddle with what is around them."""

from __future__ import annotations

import json
import os
import signal
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from tests.attacks.service.attack import Chapter, Outcome, TooSlow, expect, within
from tests.attacks.service.model_faults import SECOND, SPARED, wicked
from tests.attacks.service.native import MIB, served
from tests.attacks.service.own import Workshop, configuration
from tests.attacks.service.target import Target
from tests.serving.conftest import children, command_of, is_alive, until

KINDS = model = Chapter("model")
LEAK_MEMORY = 1_280 * MIB

M10 = model(
    "M10",
    ("Leak", "メモリリーク"),
    ("the process is recycled at its limit with no lost request", "上限で作り直し、失われるリクエストは 0"),
)
M11 = model(
    "M11",
    ("Allocation bomb", "巨大なメモリ確保"),
    ("500 or 503; the service lives, and so do its other requests", "500 または 503。サービスも他のリクエストも無事"),
)
M14 = model(
    "M14",
    ("Noisy model", "大量に出力するモデル"),
    (
        "the log stays one JSON object a line; others are no more than 10 % slower",
        "ログは1行1 JSON のまま。他の速度低下は 10 % 以内",
    ),
)
XM15 = model(
    "X-M15",
    ("Model meddles with its surroundings", "モデルが周囲を変える"),
    (
        "its own process alone bears it; nothing that it started is left",
        "影響は自分のプロセスだけ。起動したものは残らない",
    ),
)


def processes(target: Target) -> list[int]:
    """Return the processes that run the model: the nursery and its forks."""
    assert target.process is not None
    found = [
        child for worker in target.process.pids() for child in children(worker) if "predict.child" in command_of(child)
    ]
    return [*found, *(one for parent in found for one in children(parent))]


def resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4_096
    except OSError:
        return 0


@configuration("leaking")
def _leaking(workshop: Workshop) -> Iterator[Target]:
    """The same model with 1.25 GiB, in two processes."""
    yield from served(workshop, "wicked", "Wicked", model_memory=LEAK_MEMORY, model_processes=2)


@configuration("ending", fresh=True)
def _ending(workshop: Workshop) -> Iterator[Target]:
    """The same, for attacks that end it."""
    yield from served(workshop, "wicked", "Wicked", model_processes=2)


@M10.attack("50-mib-a-request", on="leaking", spares=SPARED, seconds=90.0)
def _leaks(target: Target) -> Outcome:
    assert target.process is not None
    statuses = []
    largest = 0
    with target.bystander(every=0.05) as other:
        for number in range(40):
            body = json.loads(wicked(target.question, "leak"))
            body["features"][1] = number + 0.5
            statuses.append(target.send(target.question, json.dumps(body).encode()).status)
            largest = max(largest, *map(resident, processes(target)))
    expect(statuses == [200] * 40, f"{[status for status in statuses if status != 200]}")
    expect(not other.failures, f"another client got {other.failures[:3]}")
    recycled = target.process.metric("ml_model_restarts_total")
    expect(recycled >= 2, f"{recycled} were recycled")
    expect(largest < LEAK_MEMORY, f"{largest / MIB:.0f} MiB in one process")
    return Outcome(seen="0 lost", figures={"recycled": recycled, "largest_mib": round(largest / MIB)})


for act in ("bomb", "bomb-in-c", "bomb-by-and-by"):

    @M11.attack(act, on="leaking", spares=SPARED, seconds=60.0)
    def _bombs(target: Target, act: str = act) -> Outcome:
        with target.bystander(every=0.05) as other:
            answer = target.send(target.question, wicked(target.question, act))
        expect(answer.status in {500, 503}, f"{answer.status} {answer.code}")
        expect(not other.failures, f"another client got {other.failures[:3]}")
        within(other.longest, SECOND, "another client")
        for _ in range(4):
            expect(target.send(target.question).status == 200, "the next request fails")
        largest = max(map(resident, processes(target)))
        expect(largest < LEAK_MEMORY, f"{largest / MIB:.0f} MiB are still held")
        return Outcome(seen=f"{answer.status} {answer.code}", figures={"bystander_ms": other.longest})


for act in ("shout", "shout-in-c", "warn"):

    @M14.attack(act, on="wicked")
    def _shouts(target: Target, act: str = act) -> Outcome:
        assert target.process is not None
        lines = len(target.process.lines())
        answer = target.send(target.question, wicked(target.question, act))
        expect(answer.status == 200, f"{answer.status} {answer.code}")
        time.sleep(0.3)
        said = target.process.lines()[lines:]
        expect(not [line for line in said if "noise" in line or "fake" in line], "the log holds the noise")
        # Lines of requests before it may still come in; ten megabytes of noise would be far more.
        expect(len(said) < 100, f"{len(said)} lines were written")
        return Outcome(seen="silence")


@M14.attack("nobody-is-slower", on="wicked", seconds=60.0)
def _no_slower(target: Target) -> Outcome:
    """The middle of twenty good requests after a quiet and after a noisy one, by turns."""

    def middle(act: str | None) -> float:
        if act is not None:
            target.send(target.question, wicked(target.question, act))
        return statistics.median(target.send(target.question).milliseconds for _ in range(20))

    for _ in range(5):
        middle(None)
    quiet, noisy = zip(*[(middle(None), middle("shout-in-c")) for _ in range(12)], strict=True)
    share = statistics.median(noisy) / statistics.median(quiet)
    if share > 1.10:
        raise TooSlow(f"{share:.2f} times as long")
    return Outcome(seen="as fast", figures={"times": round(share, 3)})


# Meddling


MEDDLES = ("change-surroundings", "open-files", "start-threads", "write-files", "close-files")
for act in MEDDLES:

    @XM15.attack(act, on="wicked", spares=SPARED, seconds=60.0)
    def _meddles(target: Target, act: str = act) -> Outcome:
        right = target.send(target.question).json()["probabilities"]
        answer = target.send(target.question, wicked(target.question, act))
        expect(answer.status in {200, 500, 503}, f"{answer.status} {answer.code}")
        for _ in range(12):
            found = target.send(target.question)
            expect(
                found.status == 200 and found.json()["probabilities"] == right, f"the next request gets {found.status}"
            )
        # Whatever state the process is in now: it can be ended and started again.
        target.send(target.question, wicked(target.question, "die"))
        for _ in range(6):
            expect(target.send(target.question).status == 200, "it does not come back")
        return Outcome(seen=f"{answer.status} {answer.code}".strip())


@XM15.attack("processes-that-are-left", on="wicked", spares=SPARED, seconds=60.0)
def _left(target: Target) -> Outcome:
    """What a model has started ends with the process that it ran in, even when that one is dead first."""

    def sleepers() -> set[int]:
        found = set()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if b"sleep\x004711" in (folder / "cmdline").read_bytes() and is_alive(int(folder.name)):
                    found.add(int(folder.name))
            except OSError:
                continue
        return found

    before = sleepers()
    began = time.monotonic()
    answer = target.send(target.question, wicked(target.question, "start-processes-and-die"))
    expect(answer.status == 503, f"{answer.status}")
    # Its children hold the pipe open: that it is dead is seen all the same, and at once.
    within((time.monotonic() - began) * SECOND, SECOND, "the answer")
    until(lambda: sleepers() <= before, 3)
    return Outcome(seen="none")


@XM15.attack("processes-end-with-their-worker", on="ending", spares=("workers", "log"), seconds=90.0, slow=True)
def _end_with_worker(target: Target) -> Outcome:
    assert target.process is not None
    before = processes(target)
    (worker,) = target.process.pids()
    os.kill(worker, signal.SIGKILL)
    until(lambda: not any(map(is_alive, before)), 5)
    process = target.process
    until(lambda: process.pids() not in ([], [worker]), 20)
    until(lambda: target.ask("/health/ready").status == 200, 60)
    return Outcome(seen="none is left; a new worker answers")


@XM15.attack(
    "processes-end-with-the-service", on="ending", spares=("service", "workers", "log"), seconds=60.0, slow=True
)
def _end(target: Target) -> Outcome:
    assert target.process is not None
    target.send(target.question, wicked(target.question, "start-threads"))
    before = processes(target)
    expect(len(before) >= 3, f"{before}")
    code = target.process.running.end()  # type: ignore[attr-defined]
    expect(code == 0, f"the exit code is {code}")
    until(lambda: not any(map(is_alive, before)), 5)
    return Outcome(seen="none is left")
