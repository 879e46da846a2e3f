"""Target: Docker Compose, with Prometheus and Grafana."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sekisho.targets.interface import GeneratedFile, Generator, Validator
from sekisho.targets.parts.composition import composition, dashboard_provider, data_source, scraping
from sekisho.targets.parts.header import yaml_file
from sekisho.targets.parts.image import BASE_IMAGE, image_files
from sekisho.targets.parts.monitoring.files import alert_files, dashboard_files
from sekisho.targets.parts.secrets import make_secrets
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.targets.interface import Plan


def _render(plan: Plan) -> tuple[GeneratedFile, ...]:
    provisioning = "grafana/provisioning"
    return (
        yaml_file(plan, "compose", "compose.yaml", composition(plan)),
        yaml_file(plan, "compose", "prometheus/prometheus.yml", scraping(plan)),
        yaml_file(plan, "compose", f"{provisioning}/datasources/prometheus.yaml", data_source()),
        yaml_file(plan, "compose", f"{provisioning}/dashboards/sekisho.yaml", dashboard_provider()),
        *alert_files(plan),
        *dashboard_files(plan),
        *image_files(plan),
    )


def _finish(plan: Plan, folder: Path) -> None:
    contract = plan.project.contract
    make_secrets(
        folder,
        authentication=contract.security.authentication != "none",
        dashboard=True,
        ledger_keys=contract.ledger.key_file is not None,
    )


generator = Generator(
    id="compose",
    title=Text(
        en="Docker Compose: the service, Prometheus and Grafana, ready at the first up",
        ja="Docker Compose 一式: サービス・Prometheus・Grafana。最初の up でそのまま動きます",
    ),
    folder="deploy",
    render=_render,
    following=Text(
        en='docker compose --file {folder}/compose.yaml up --detach --build --wait, and infrastructure.compose = "{folder}/compose.yaml" in sekisho.toml',
        ja='docker compose --file {folder}/compose.yaml up --detach --build --wait を実行し、sekisho.toml に infrastructure.compose = "{folder}/compose.yaml" と書いてください',
    ),
    settings=(BASE_IMAGE,),
    validators=(
        Validator(tool="hadolint", arguments=("docker/Dockerfile",)),
        Validator(tool="docker-compose", arguments=("--file", "compose.yaml", "config", "--quiet")),
        Validator(tool="promtool", arguments=("check", "rules", "prometheus/alerts.yml")),
        Validator(tool="promtool", arguments=("test", "rules", "prometheus/tests/alerts.test.yml")),
    ),
    finish=_finish,
)
