"""The files that watch a model: rules with their trials, and the dashboard."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Final

from sekisho.targets.interface import GeneratedFile
from sekisho.targets.parts.header import origin, yaml_file
from sekisho.targets.parts.monitoring.dashboard import dashboard_of
from sekisho.targets.parts.monitoring.model_panels import panels
from sekisho.targets.parts.monitoring.model_rules import notes, rules
from sekisho.targets.parts.monitoring.rules import rules_file, trials_file

if TYPE_CHECKING:
    from sekisho.targets.interface import Plan

RULES: Final = "prometheus/alerts.yml"
TRIALS: Final = "prometheus/tests/alerts.test.yml"
DASHBOARD: Final = "grafana/dashboards/model.json"


def alert_files(plan: Plan) -> tuple[GeneratedFile, ...]:
    """Return the alert rules and their trials."""
    chosen, said = rules(plan), notes(plan)
    return (
        yaml_file(plan, "alerts", RULES, rules_file(chosen, said)),
        yaml_file(plan, "alerts", TRIALS, trials_file(chosen, said, "../alerts.yml")),
    )


def dashboard_files(plan: Plan) -> tuple[GeneratedFile, ...]:
    """Return the dashboard; JSON has no comments, so its description says where it comes from."""
    model = plan.project.contract.model.name
    uid = uuid.uuid5(uuid.NAMESPACE_URL, f"sekisho:dashboard:{model}").hex
    dashboard = dashboard_of(model, panels(plan), uid=uid, description=origin(plan))
    content = json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"
    return (GeneratedFile(path=DASHBOARD, content=content.encode()),)
