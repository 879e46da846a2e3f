"""Alert rules: when somebody is called, and a trial of each that shows it fire and clear.

Every rule reads metrics that the service exports, holds for a while before it calls, and says in its runbook what to look at
first. Its trial is a made-up history (in the notation of ``promtool test rules``, one value a minute) in which the fault
begins and ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from sekisho.targets.parts.monitoring.promql import duration, literally
from sekisho.targets.parts.yaml import Yaml
from sekisho.text import Text

Severity = Literal["critical", "warning"]

GROUP: Final = "sekisho"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A history in which a rule must fire, and clear again.

    Attributes:
        series: Values by series, one a minute from 0.
        quiet: Minutes at which the rule must not fire: before the fault has lasted, and after it is over.
        firing: A minute at which it must.
        labels: What the alert is labelled with, besides its severity.

    """

    series: Mapping[str, str]
    quiet: tuple[int, ...]
    firing: int
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertRule:
    """One rule.

    Attributes:
        name: What the alert is called.
        expression: The fault, in PromQL.
        holds: For how many seconds it must last before somebody is called.
        severity: ``critical`` calls somebody now; ``warning`` can wait for the day.
        summary: What has happened; may name labels of the alert as ``{{ $labels.feature }}``.
        runbook: What to look at first.
        trial: How it is proven.

    """

    name: str
    expression: str
    holds: int
    severity: Severity
    summary: Text
    runbook: Text
    trial: Trial

    def annotations(self, notes: Mapping[str, str]) -> dict[str, str]:
        """Return what the alert says, in the language in use; ``notes`` are added and hold no templates."""
        added = {name: literally(text) for name, text in notes.items()}
        return {"summary": str(self.summary), "runbook": str(self.runbook), **added}


def rules_file(rules: tuple[AlertRule, ...], notes: Mapping[str, str]) -> Yaml:
    """Return the rules as Prometheus reads them."""
    return {
        "groups": [
            {
                "name": GROUP,
                "rules": [
                    {
                        "alert": rule.name,
                        "expr": rule.expression,
                        "for": duration(rule.holds),
                        "labels": {"severity": rule.severity},
                        "annotations": rule.annotations(notes),
                    }
                    for rule in rules
                ],
            }
        ]
    }


def trials_file(rules: tuple[AlertRule, ...], notes: Mapping[str, str], rules_path: str) -> Yaml:
    """Return the trials as ``promtool test rules`` reads them."""
    return {
        "rule_files": [rules_path],
        "evaluation_interval": "1m",
        "tests": [_trial(rule, notes) for rule in rules],
    }


def _trial(rule: AlertRule, notes: Mapping[str, str]) -> Yaml:
    trial = rule.trial
    said = {name: _expanded(text, trial.labels) for name, text in rule.annotations(notes).items()}
    alert: Yaml = {"exp_labels": {"severity": rule.severity, **trial.labels}, "exp_annotations": said}
    moments = [*((minute, False) for minute in trial.quiet), (trial.firing, True)]
    return {
        "name": rule.name,
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in trial.series.items()],
        "alert_rule_test": [
            {"eval_time": f"{minute}m", "alertname": rule.name, "exp_alerts": [alert] if fires else []}
            for minute, fires in sorted(moments)
        ],
    }


def _expanded(annotation: str, labels: Mapping[str, str]) -> str:
    """Return an annotation as Prometheus prints it."""
    for name, value in labels.items():
        annotation = annotation.replace("{{ $labels." + name + " }}", value)
    return annotation.replace('{{ "{{" }}', "{{")
