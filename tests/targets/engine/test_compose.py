"""Everything that ``sekisho generate compose`` writes, brought up by a real Docker Compose at the first ``up``."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.artifact.artifact import ModelArtifact
from sekisho.contract.project import Project
from sekisho.gate.testing import example_contract
from sekisho.shelf import units
from sekisho.targets.interface import Generator, Plan
from sekisho.targets.parts.generation import generate
from sekisho.targets.parts.monitoring.model_rules import rules
from sekisho.targets.parts.naming import image_name

if TYPE_CHECKING:
    from tests.targets.engine.conftest import Engine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Stack:
    """What is up.

    Attributes:
        plan: What it was made of.
        root: The project.
        service, prometheus, grafana: Where each listens.

    """

    plan: Plan
    root: Path
    service: str
    prometheus: str
    grafana: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of one PromQL query; a query that Prometheus does not take is an error."""
        answer = get(f"{self.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
        assert answer["status"] == "success"
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


def until(condition: Callable[[], bool], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "not in time"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def stack(engine: Engine, shipped_artifact: ModelArtifact, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Generate and bring up, once; generate the tests of the service as well."""
    root = tmp_path_factory.mktemp("stack")
    contract = example_contract(
        model={"name": "Breast.Cancer"}, serving={"workers": 2, "latency_p99_ms": 500.0}, monitoring={"window_rows": 50}
    )
    plan = Plan(project=Project(root=root, contract=contract), artifact=shipped_artifact)
    generators = units("sekisho.targets", Generator)
    for kind in ("compose", "tests"):
        done = generate(generators[kind], plan)
        assert {validation.result for validation in done.validations} <= {"valid"}
    file = root / "deploy/compose.yaml"
    engine.build(root / "deploy/docker", image_name(plan))
    ports = dict(zip(("SEKISHO_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT"), free_ports(), strict=True))
    environment = {name: str(port) for name, port in ports.items()}
    try:
        engine.compose(file, "up", "--detach", "--no-build", "--wait", "--wait-timeout", "180", environment=environment)
        service, prometheus, grafana = (f"http://127.0.0.1:{port}" for port in ports.values())
        yield Stack(plan, root, service, prometheus, grafana)
    finally:
        engine.compose(file, "down", "--volumes", "--timeout", "60", environment=environment)


def free_ports() -> tuple[int, ...]:
    sockets = [socket.socket() for _ in range(3)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = tuple(each.getsockname()[1] for each in sockets)
    for each in sockets:
        each.close()
    return ports


def run_tests(stack: Stack, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the generated tests against the service."""
    key = (stack.root / "deploy/secrets/client_key").read_text()
    surroundings = {**os.environ, "SEKISHO_URL": stack.service, "SEKISHO_PROBE_KEY": key, **environment}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(stack.root),
        str(stack.root / "tests"),
    ]
    return subprocess.run(command, env=surroundings, cwd=stack.root, capture_output=True, text=True, check=False)


def test_everything_is_healthy_at_the_first_up(engine: Engine, stack: Stack) -> None:
    listed = engine.compose(stack.root / "deploy/compose.yaml", "ps", "--format", "json")
    states = {service["Service"]: service["Health"] for service in map(json.loads, listed.splitlines())}
    assert states == {"model": "healthy", "prometheus": "healthy", "grafana": "healthy"}
    assert get(stack.grafana) == []


def test_the_generated_tests_pass(stack: Stack) -> None:
    done = run_tests(stack)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "skipped" not in done.stdout


def test_predictions_are_seen_in_prometheus(stack: Stack) -> None:
    assert run_tests(stack).returncode == 0
    counted = 'sum(ml_predictions_total{job="Breast.Cancer",status="success"})'
    until(lambda: bool(stack.query(counted)) and float(stack.query(counted)[0]["value"][1]) >= 100, 60)
    assert [each["value"][1] for each in stack.query('up{job="Breast.Cancer"}')] == ["1"]


def test_the_rules_are_loaded_and_silent(stack: Stack) -> None:
    until(lambda: bool(get(f"{stack.prometheus}/api/v1/rules")["data"]["groups"]), 60)
    (group,) = get(f"{stack.prometheus}/api/v1/rules")["data"]["groups"]
    assert [rule["name"] for rule in group["rules"]] == [rule.name for rule in rules(stack.plan)]
    until(
        lambda: all(
            rule["health"] == "ok" for rule in get(f"{stack.prometheus}/api/v1/rules")["data"]["groups"][0]["rules"]
        ),
        60,
    )
    (group,) = get(f"{stack.prometheus}/api/v1/rules")["data"]["groups"]
    # a rule may be waiting, as that of silence does before the first request; nobody is called
    assert "firing" not in {rule["state"] for rule in group["rules"]}


def test_every_picture_of_the_dashboard_shows_something(stack: Stack) -> None:
    assert run_tests(stack).returncode == 0
    dashboard = json.loads((stack.root / "deploy/grafana/dashboards/model.json").read_text())
    expressions = [
        target["expr"].replace("$__rate_interval", "5m") for panel in dashboard["panels"] for target in panel["targets"]
    ]
    until(lambda: all(stack.query(expression) for expression in expressions if "flags" not in expression), 120)
    for expression in expressions:
        stack.query(expression)


def test_drift_is_judged_beside_the_service(stack: Stack) -> None:
    assert run_tests(stack).returncode == 0
    until(lambda: bool(stack.query('ml_drift_window_rows{job="Breast.Cancer"} >= 50')), 120)
    features = {each["metric"]["feature"] for each in stack.query('ml_drift_effect{job="Breast.Cancer"}')}
    assert set(stack.plan.artifact.signature.names) <= features


def test_an_alert_fires_when_the_service_is_gone_and_clears(engine: Engine, stack: Stack) -> None:
    """The rule that everything else depends on, in real time: one minute, and half a minute of scraping."""
    firing = 'ALERTS{alertname="ModelServiceDown",alertstate="firing"}'
    assert stack.query(firing) == []
    container = engine.docker("ps", "--quiet", "--filter", "label=com.docker.compose.service=model")
    engine.docker("stop", "--time", "60", container)
    until(lambda: bool(stack.query(firing)), 180)
    assert stack.query(firing)[0]["metric"]["severity"] == "critical"
    engine.docker("start", container)
    until(lambda: not stack.query(firing), 120)
