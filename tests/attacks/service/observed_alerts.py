"""Alert rules: each looks at metrics that are there, and fires and clears in a real Prometheus when its fault comes and goes.

The rules are those that ``sekisho generate alerts`` writes. For the real Prometheus their minutes are made seconds: windows of at most 20
seconds, and a twentieth of the time that a fault must last.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.attacks.service.attack import Chapter, NotApplicable, Outcome, expect
from tests.attacks.service.model_faults import wicked
from tests.attacks.service.model_resources import processes
from tests.attacks.service.native import asked_about, packed, surroundings
from tests.attacks.service.observed_metrics import scraped
from tests.attacks.service.own import LIMITS, Workshop, configuration, target_of
from tests.attacks.service.target import Target
from tests.serving.conftest import children, command_of, until

KINDS = observability = Chapter("observability")
NAME = "wicked"
METRIC = re.compile(r"\bml_[a-z0-9_]+(?=\{)")
SECONDS_TO_FIRE = 60.0

L14 = observability(
    "L14",
    ("Alert rules are alive", "警報ルールの生存確認"),
    (
        "every metric of a rule is there; each rule fires within its time, and clears",
        "ルールの見るメトリクスが実在し、各ルールが時間内に発報し、解除される",
    ),
)


def rules_for(folder: Path, artifact: Path) -> Any:
    """Return the rules that are generated for the service of this artifact."""
    from sekisho.artifact.artifact import ModelArtifact
    from sekisho.contract.project import Project
    from sekisho.gate.testing import example_contract
    from sekisho.targets.interface import Plan
    from sekisho.targets.parts.monitoring.model_rules import rules

    contract = example_contract(model={"name": NAME}, serving={"latency_p99_ms": 500.0})
    plan = Plan(project=Project(root=folder, contract=contract), artifact=ModelArtifact.load(artifact), settings={})
    return rules(plan)


@configuration("watched", fresh=True)
def _watched(workshop: Workshop) -> Iterator[Target]:
    """The wicked model with a book, a watcher that looks every second, and everything that rules look at."""
    from tests.serving.conftest import serving

    from sekisho.cli.serve import watcher_of
    from sekisho.contract.sections import Monitoring

    place = workshop.place("watched")
    artifact = place / "artifact"
    shutil.copytree(packed(workshop, NAME, "Wicked"), artifact)
    ledger = place / "book.sqlite"
    watcher = (*watcher_of(ledger, Monitoring()), "--interval", "1")
    given = {"trusted_types": ["wicked.Wicked"], "model_processes": 2, "deadline_ms": 1_500, "ledger": ledger}
    with serving(artifact, environment=surroundings(), watcher=list(watcher), **given) as running:
        target = target_of(running, asked_about(NAME), limits=LIMITS)
        target.more |= {
            "place": place,
            "artifact": artifact,
            "rules": rules_for(place, artifact),
            "ledger-path": ledger,
        }
        yield target


@L14.attack("metrics-are-there", on="watched", seconds=60.0)
def _there(target: Target) -> Outcome:
    target.send(target.question)
    wanted = {name for rule in target.more["rules"] for name in METRIC.findall(rule.expression)}
    expect(len(wanted) >= 10, f"the rules look at {wanted}")

    def missing() -> set[str]:
        return wanted - {name for name, _ in scraped(target)}

    began = time.monotonic()
    while missing() and time.monotonic() - began < 20:
        time.sleep(0.2)
    expect(not missing(), f"rules look at metrics that are not there: {missing()}")
    return Outcome(seen="all are there", figures={"rules": len(target.more["rules"]), "metrics": len(wanted)})


# A real Prometheus


def quick(rule: Any) -> Any:
    """Return a rule whose minutes are seconds."""
    expression = re.sub(r"\[(\d+)m\]", "[20s]", rule.expression)
    expression = re.sub(r"> 600$", "> 6", expression)
    return replace(rule, expression=expression, holds=max(1, rule.holds // 20))


class Prometheus:
    """A real Prometheus that scrapes a service every second."""

    def __init__(self, target: Target, folder: Path, program: str) -> None:
        from sekisho.targets.parts.monitoring.rules import rules_file
        from sekisho.targets.parts.yaml import to_yaml

        self.rules = {rule.name: quick(rule) for rule in target.more["rules"]}
        (folder / "alerts.yml").write_text(to_yaml(rules_file(tuple(self.rules.values()), {})))
        configuration_: Any = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["alerts.yml"],
            "scrape_configs": [{"job_name": NAME, "static_configs": [{"targets": [f"{target.host}:{target.port}"]}]}],
        }
        (folder / "prometheus.yml").write_text(to_yaml(configuration_))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def firing(self) -> set[str]:
        """Return the alerts that fire."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/alerts", timeout=5) as answer:
            alerts = json.load(answer)["data"]["alerts"]
        return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@contextlib.contextmanager
def again(work: Callable[[], object], every: float = 0.1) -> Iterator[None]:
    """Do something again and again beside the block."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(every):
            with contextlib.suppress(OSError):
                work()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


@contextlib.contextmanager
def stopped(pids: list[int]) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def away(target: Target) -> Iterator[None]:
    """Take the model away, folder and processes."""
    artifact: Path = target.more["artifact"]
    artifact.rename(artifact.with_name("away"))
    for pid in processes(target):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    try:
        with again(lambda: target.send(target.question)):
            yield
    finally:
        artifact.with_name("away").rename(artifact)


@contextlib.contextmanager
def full_disk(target: Target) -> Iterator[None]:
    """Let no file of the workers grow: as if the disk were full."""
    assert target.process is not None
    pids = target.process.pids()
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY)) for pid in pids}
    try:
        with again(lambda: target.send(target.question)):
            yield
    finally:
        for pid, limits in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


def watchers(target: Target) -> list[int]:
    assert target.process is not None
    supervisor = target.process.running.process.pid  # type: ignore[attr-defined]
    return [pid for pid in children(supervisor) if "sekisho.watch.live" in command_of(pid)]


def faults(target: Target) -> dict[str, Callable[[], contextlib.AbstractContextManager[None]]]:
    """Return what makes each rule fire; when the block ends, it is over."""
    assert target.process is not None
    question = target.question

    def asks(body: bytes) -> Callable[[], object]:
        return lambda: target.send(question, body)

    shifted = json.dumps([{"features": [1.0, 40.0]}] * 100).encode()
    return {
        "ModelErrorRatio": lambda: again(asks(wicked(question, "raise"))),
        "ModelInputsRejected": lambda: again(asks(b'{"features": []}')),
        "ModelUnknownValues": lambda: again(asks(json.dumps({"features": [590.0, 1.0]}).encode())),
        "ModelLatencyHigh": lambda: again(asks(wicked(question, "hang"))),
        "ModelRestarting": lambda: again(asks(wicked(question, "die"))),
        "ModelLedgerDropping": lambda: full_disk(target),
        "ModelDriftNotWatched": lambda: stopped(watchers(target)),
        "ModelDrift": lambda: again(lambda: target.send(target.questions["batch"], shifted), 0.3),
        "ModelNotReady": lambda: away(target),
        "ModelServiceDown": lambda: stopped(target.process.pids()),  # type: ignore[union-attr]
        "ModelSilent": contextlib.nullcontext,
    }


PROVEN_ELSEWHERE = {"ModelCertificateEnding"}
"""Its trial has days: promtool runs it, and K16 sees its metric."""


@L14.attack("each-fires-and-clears", on="watched", slow=True, seconds=1_500.0, spares=("log", "workers", "service"))
def _alive(target: Target) -> Outcome:
    program = shutil.which("prometheus")
    if program is None:
        raise NotApplicable("Prometheus is not installed: tests/install-test-tools.sh")
    prometheus = Prometheus(target, target.more["place"], program)
    took: dict[str, float] = {}
    question = target.question
    try:
        until(lambda: _answers(prometheus), 60)
        wanted = faults(target)
        expect(
            set(prometheus.rules) == set(wanted) | PROVEN_ELSEWHERE,
            f"rules without a fault: {set(prometheus.rules) ^ set(wanted)}",
        )
        rows = [{"features": [(7.0 * place) % 500.0, (place % 7 - 3) / 2.0]} for place in range(100)]
        turns = itertools.cycle(json.dumps(one).encode() for one in rows)
        whole = json.dumps(rows).encode()

        def usual(name: str) -> contextlib.AbstractContextManager[None]:
            """Ask good questions meanwhile: few, so that they do not hide a fault, but enough to refill the window that is judged."""
            if name == "ModelDrift":
                return again(lambda: target.send(target.questions["batch"], whole), 0.3)
            return again(lambda: target.send(question, next(turns)), 0.2)

        for name, fault in wanted.items():
            with contextlib.nullcontext() if name == "ModelSilent" else usual(name):
                _wait(lambda: name == "ModelSilent" or name not in prometheus.firing(), f"{name} fires early", 120.0)  # noqa: B023
                began = time.monotonic()
                with fault():
                    _wait(lambda: name in prometheus.firing(), f"{name} does not fire")  # noqa: B023
                    took[name] = round(time.monotonic() - began, 1)
            with usual(name):
                _wait(lambda: name not in prometheus.firing(), f"{name} does not clear", 120.0)  # noqa: B023
    finally:
        prometheus.end()
    return Outcome(seen="each fires and clears", figures=took)


def _answers(prometheus: Prometheus) -> bool:
    try:
        prometheus.firing()
    except OSError:
        return False
    return True


def _wait(condition: Callable[[], bool], what: str, seconds: float = SECONDS_TO_FIRE) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < ends, f"{what} within {seconds:g} s")
        time.sleep(0.3)
