"""The Compose file: the service, Prometheus and Grafana, ready at the first ``docker compose up``.

Format: *Compose Specification*. Everything listens on this machine only, runs without rights on a file system that cannot be
written, is bounded in memory, processors, processes and logs, and gets secrets as files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sekisho.targets.parts import image, secrets
from sekisho.targets.parts.monitoring.dashboard import DATA_SOURCE
from sekisho.targets.parts.naming import image_name, project_name

if TYPE_CHECKING:
    from sekisho.targets.interface import Plan
    from sekisho.targets.parts.yaml import Yaml

PROMETHEUS_IMAGE: Final = "prom/prometheus:v3.13.2"
GRAFANA_IMAGE: Final = "grafana/grafana:13.1.1"

SERVICE: Final = "model"
"""The name of the service inside the network."""

Service = dict[str, Any]


def composition(plan: Plan) -> Yaml:
    """Return the Compose file."""
    keys = plan.project.contract.security.authentication != "none"
    named = [*([secrets.KEYS, secrets.METRICS_KEY] if keys else []), *_book_keys(plan), secrets.PASSWORD]
    return {
        "name": project_name(plan),
        "services": {SERVICE: _model(plan, keys=keys), "prometheus": _prometheus(keys=keys), "grafana": _grafana()},
        "volumes": {"predictions": {}, "prometheus": {}, "grafana": {}},
        "secrets": {name: {"file": f"./{secrets.FOLDER}/{name}"} for name in named},
    }


def scraping(plan: Plan) -> Yaml:
    """Return the configuration of Prometheus: what it asks, how often, and with which key."""
    job: dict[str, Any] = {
        "job_name": plan.project.contract.model.name,
        "metrics_path": "/metrics",
        "static_configs": [{"targets": [f"{SERVICE}:{image.PORT}"]}],
    }
    if plan.project.contract.security.authentication != "none":
        job["authorization"] = {"type": "Bearer", "credentials_file": f"/run/secrets/{secrets.METRICS_KEY}"}
    return {
        "global": {"scrape_interval": "15s", "scrape_timeout": "10s", "evaluation_interval": "15s"},
        "rule_files": ["alerts.yml"],
        "scrape_configs": [job],
    }


def data_source() -> Yaml:
    """Return the data source that Grafana begins with."""
    return {
        "apiVersion": 1,
        "datasources": [
            {
                "name": "Prometheus",
                "uid": DATA_SOURCE,
                "type": "prometheus",
                "access": "proxy",
                "url": "http://prometheus:9090",
                "isDefault": True,
                "editable": False,
                "jsonData": {"timeInterval": "15s", "httpMethod": "POST"},
            }
        ],
    }


def dashboard_provider() -> Yaml:
    """Return where Grafana reads dashboards from."""
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": "sekisho",
                "type": "file",
                "disableDeletion": True,
                "allowUiUpdates": False,
                "updateIntervalSeconds": 30,
                "options": {"path": "/etc/grafana/dashboards"},
            }
        ],
    }


def _book_keys(plan: Plan) -> list[str]:
    """Return the secret that holds the keys of the book, if it has any."""
    return [secrets.LEDGER_KEYS] if plan.project.contract.ledger.key_file is not None else []


def _model(plan: Plan, *, keys: bool) -> Service:
    serving = plan.project.contract.serving
    held = [*([secrets.KEYS] if keys else []), *_book_keys(plan)]
    return {
        "image": image_name(plan),
        "build": {"context": f"./{image.FOLDER}"},
        "ports": _published("SEKISHO_PORT", serving.port or 8000, image.PORT),
        "volumes": [f"predictions:{image.STATE_PATH}"],
        **({"secrets": held} if held else {}),
        "healthcheck": _health(list(image.HEALTH_COMMAND), start="60s"),
        "stop_grace_period": "40s",
        **_guarded(
            memory=512 * (serving.workers + 1), processors=serving.workers, processes=64 * (serving.workers + 1)
        ),
    }


def _prometheus(*, keys: bool) -> Service:
    return {
        "image": PROMETHEUS_IMAGE,
        "command": [
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            "--storage.tsdb.retention.time=30d",
            "--storage.tsdb.retention.size=4GB",
        ],
        "ports": _published("PROMETHEUS_PORT", 9090, 9090),
        "volumes": ["./prometheus:/etc/prometheus:ro", "prometheus:/prometheus"],
        **({"secrets": [secrets.METRICS_KEY]} if keys else {}),
        "healthcheck": _health(["promtool", "query", "instant", "http://127.0.0.1:9090", "vector(1)"], start="30s"),
        **_guarded(memory=1024, processors=1, processes=128),
    }


def _grafana() -> Service:
    return {
        "image": GRAFANA_IMAGE,
        "environment": {
            "GF_SECURITY_ADMIN_PASSWORD__FILE": f"/run/secrets/{secrets.PASSWORD}",
            "GF_USERS_ALLOW_SIGN_UP": "false",
            "GF_AUTH_ANONYMOUS_ENABLED": "false",
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
            "GF_PLUGINS_PREINSTALL_DISABLED": "true",
            "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": "/etc/grafana/dashboards/model.json",
        },
        "ports": _published("GRAFANA_PORT", 3000, 3000),
        "volumes": [
            "./grafana/provisioning:/etc/grafana/provisioning:ro",
            "./grafana/dashboards:/etc/grafana/dashboards:ro",
            "grafana:/var/lib/grafana",
        ],
        "secrets": [secrets.PASSWORD],
        "healthcheck": _health(["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:3000/api/health"], start="60s"),
        **_guarded(memory=512, processors=1, processes=256, group=0),
    }


def _guarded(*, memory: int, processors: int, processes: int, group: int = secrets.CONTAINER_USER) -> Service:
    """Return what every service has: no rights, nothing to write to but ``/tmp``, and bounds.

    Args:
        memory: The most, in MiB.
        processors: The most.
        processes: The most, threads included.
        group: The group that its image lets write to its volume.

    """
    return {
        "user": f"${{SEKISHO_UID:-{secrets.CONTAINER_USER}}}:{group}",
        "read_only": True,
        "tmpfs": ["/tmp:size=64m,mode=1777"],  # noqa: S108 - a file system of the container's own
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "restart": "unless-stopped",
        "deploy": {"resources": {"limits": {"memory": f"{memory}m", "cpus": str(processors), "pids": processes}}},
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}},
    }


def _published(variable: str, usual: int, target: int) -> list[Yaml]:
    """Return one port, open to this machine alone; the environment may choose another number."""
    return [{"target": target, "published": f"${{{variable}:-{usual}}}", "host_ip": "127.0.0.1", "protocol": "tcp"}]


def _health(command: list[str], *, start: str) -> Yaml:
    return {"test": ["CMD", *command], "interval": "10s", "timeout": "5s", "retries": 3, "start_period": start}
