"""Target: alert rules for a Prometheus that is there already, with the trials that prove them."""

from __future__ import annotations

from sekisho.targets.interface import Generator, Validator
from sekisho.targets.parts.monitoring.files import alert_files
from sekisho.text import Text

generator = Generator(
    id="alerts",
    title=Text(en="Prometheus alert rules, and tests of each", ja="Prometheus のアラートルールと、その試験"),
    folder="deploy",
    render=alert_files,
    following=Text(
        en="promtool test rules {folder}/prometheus/tests/alerts.test.yml, then name alerts.yml under rule_files of prometheus.yml",
        ja="promtool test rules {folder}/prometheus/tests/alerts.test.yml を実行し、prometheus.yml の rule_files に alerts.yml を加えてください",
    ),
    validators=(
        Validator(tool="promtool", arguments=("check", "rules", "prometheus/alerts.yml")),
        Validator(tool="promtool", arguments=("test", "rules", "prometheus/tests/alerts.test.yml")),
    ),
)
