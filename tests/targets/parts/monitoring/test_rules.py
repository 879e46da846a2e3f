"""Alert rules: promtool takes them, each fires and clears in its trial, and a rule that cannot fire is found."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sekisho.artifact.artifact import ModelArtifact
from sekisho.serving.metrics.catalogue import of_model, of_requests, of_service
from sekisho.targets.interface import Plan
from sekisho.targets.parts.monitoring.model_panels import panels
from sekisho.targets.parts.monitoring.model_rules import latency_objective, notes, rules
from sekisho.targets.parts.monitoring.rules import AlertRule, rules_file, trials_file
from sekisho.targets.parts.yaml import to_yaml
from sekisho.text import Language, use_language

PlanMaker = Callable[..., Plan]

HOSTILE = "\"q\" 'n' $(id) {{7*7}} {{ $labels.job }} {{ end }} <script> %0a \\ # - :\n日本語"
CONTRACTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "hostile words": {
        "monitoring": {"on_call": HOSTILE},
        "documents": {"troubleshooting": "docs/" + HOSTILE},
    },
    "many workers": {"serving": {"workers": 16}},
    "tight objective": {"serving": {"latency_p99_ms": 0.3}},
    "objective on a bucket": {"serving": {"latency_p99_ms": 50.0}},
    "objective between buckets": {"serving": {"latency_p99_ms": 60.0}},
    "loose objective": {"serving": {"latency_p99_ms": 20_000.0}},
    "short deadline": {"serving": {"deadline_ms": 1}},
    "longest deadline": {"serving": {"deadline_ms": 600_000}},
}
METRIC = re.compile(r"\b(?:ml_[a-z0-9_]+|up)\b(?=[{\[])")


@pytest.fixture(scope="session")
def promtool() -> str:
    """The real judge of rules."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed: tests/install-test-tools.sh")
    return found


def judge(promtool: str, folder: Path, chosen: tuple[AlertRule, ...], said: dict[str, str]) -> str:
    """Have promtool check the rules and run their trials; return what it says, empty when all is well."""
    (folder / "alerts.yml").write_text(to_yaml(rules_file(chosen, said)))
    (folder / "trials.yml").write_text(to_yaml(trials_file(chosen, said, "alerts.yml")))
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "trials.yml"]):
        done = subprocess.run([promtool, *command], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return done.stdout + done.stderr
    return ""


@pytest.mark.parametrize("contract", CONTRACTS)
def test_every_rule_fires_and_clears_in_its_trial(
    plan_of: PlanMaker, tmp_path: Path, promtool: str, contract: str
) -> None:
    plan = plan_of(**CONTRACTS[contract])
    assert judge(promtool, tmp_path, rules(plan), notes(plan)) == ""


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_rule_speaks(plan_of: PlanMaker, tmp_path: Path, promtool: str, language: Language) -> None:
    with use_language(language):
        plan = plan_of()
        assert judge(promtool, tmp_path, rules(plan), notes(plan)) == ""


def test_every_trial_would_find_a_rule_that_cannot_fire(plan_of: PlanMaker, tmp_path: Path, promtool: str) -> None:
    plan = plan_of()
    for rule in rules(plan):
        dead = dataclasses.replace(rule, expression=f"({rule.expression}) and vector(0) > 1")
        assert "FAILED" in judge(promtool, tmp_path, (dead,), notes(plan)), rule.name


def test_every_trial_would_find_a_rule_that_waits_too_long(plan_of: PlanMaker, tmp_path: Path, promtool: str) -> None:
    plan = plan_of()
    for rule in rules(plan):
        slow = dataclasses.replace(rule, holds=24 * 3_600)
        assert "FAILED" in judge(promtool, tmp_path, (slow,), notes(plan)), rule.name


def test_every_trial_would_find_a_rule_that_always_fires(plan_of: PlanMaker, tmp_path: Path, promtool: str) -> None:
    plan = plan_of()
    for rule in rules(plan):
        loud = dataclasses.replace(rule, expression="vector(1)")
        assert "FAILED" in judge(promtool, tmp_path, (loud,), notes(plan)), rule.name


def test_every_rule_says_what_who_and_how(plan_of: PlanMaker) -> None:
    plan = plan_of(monitoring={"on_call": "#ml"}, documents={"troubleshooting": "docs/trouble.md"})
    for rule in rules(plan):
        said = rule.annotations(notes(plan))
        assert rule.holds >= 60
        assert rule.severity in {"critical", "warning"}
        assert len(said["summary"]) > 10
        assert len(said["runbook"]) > 30
        assert (said["on_call"], said["troubleshooting"]) == ("#ml", "docs/trouble.md")
    names = [rule.name for rule in rules(plan)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("artifact", ["hostile_artifact", "regression_artifact"])
def test_every_metric_is_one_that_the_service_declares(
    plan_of: PlanMaker, request: pytest.FixtureRequest, artifact: str
) -> None:
    plan = plan_of(artifact=request.getfixturevalue(artifact))
    expressions = [rule.expression for rule in rules(plan)]
    expressions += [query.expression for panel in panels(plan) for query in panel.queries]
    asked = {metric for expression in expressions for metric in METRIC.findall(expression)}
    assert asked - declared(plan.artifact) - DRIFT - {"up"} == set()


DRIFT = {
    "ml_drift_effect",
    "ml_drift_detected",
    "ml_drift_columns_drifted",
    "ml_drift_window_rows",
    "ml_drift_last_evaluated_timestamp_seconds",
}
"""What the watcher beside the service exports."""


def declared(artifact: ModelArtifact) -> set[str]:
    names = set()
    mine = of_model(artifact.signature, name="m", version="1", info={"name": "x"})
    for family in (*mine, *of_service(), *of_requests(["/predict"])):
        suffixes = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}[family.kind]
        names |= {family.name + suffix for suffix in suffixes}
    return names


@pytest.mark.parametrize(
    ("serving", "seconds"),
    [({}, 5.0), ({"deadline_ms": 200}, 0.1), ({"latency_p99_ms": 50.0}, 0.05), ({"latency_p99_ms": 60_000.0}, 10.0)],
)
def test_the_objective_is_the_contracts(plan_of: PlanMaker, serving: dict[str, Any], seconds: float) -> None:
    assert latency_objective(plan_of(serving=serving)) == pytest.approx(seconds)
