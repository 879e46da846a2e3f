"""The dashboard of one model, as Grafana reads it.

Format: *Grafana, Dashboard JSON model*. Every query is PromQL that stands by itself, but for ``$__rate_interval``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from sekisho.targets.parts.monitoring.promql import string
from sekisho.text import Text

DATA_SOURCE: Final = "sekisho-prometheus"
"""The uid of the data source."""
_WIDTH: Final = 24
_HEIGHT: Final = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """One line, or one family of lines.

    Attributes:
        expression: In PromQL.
        legend: What each line is called; may name labels as ``{{feature}}``.

    """

    expression: str
    legend: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One picture.

    Attributes:
        title: What it shows.
        description: How to read it.
        queries: What is drawn.
        unit: Grafana's id of the unit.
        shape: ``timeseries`` for lines, ``stat`` for one figure, ``heatmap`` for a histogram over time.
        threshold: Where it turns red.
        width: Of 24.

    """

    title: Text
    description: Text
    queries: tuple[Query, ...]
    unit: str = "short"
    shape: Literal["timeseries", "stat", "heatmap"] = "timeseries"
    threshold: float | None = None
    width: int = 12


def dashboard_of(model: str, panels: tuple[Panel, ...], *, uid: str, description: str) -> dict[str, Any]:
    """Return the dashboard of ``model`` with its panels set from left to right and downwards."""
    return {
        "uid": uid,
        "title": str(Text(en=f"Model {model}", ja=f"モデル {model}")),
        "description": description,
        "tags": ["sekisho"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": [_data_source()]},
        "annotations": {"list": [_alerts(model)]},
        "panels": _placed(panels),
    }


def _data_source() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": str(Text(en="Data source", ja="データソース")),
        "type": "datasource",
        "query": "prometheus",
        "current": {"text": "Prometheus", "value": DATA_SOURCE},
        "hide": 0,
    }


def _alerts(model: str) -> dict[str, Any]:
    return {
        "name": str(Text(en="Alerts", ja="アラート")),
        "datasource": _reference(),
        "enable": True,
        "iconColor": "red",
        "expr": f'ALERTS{{alertstate="firing",job={string(model)}}}',
        "titleFormat": "{{alertname}}",
        "textFormat": "{{feature}}",
        "step": "60s",
    }


def _reference() -> dict[str, str]:
    return {"type": "prometheus", "uid": "${datasource}"}


def _placed(panels: tuple[Panel, ...]) -> list[dict[str, Any]]:
    placed: list[dict[str, Any]] = []
    x = y = 0
    for number, panel in enumerate(panels, start=1):
        if x + panel.width > _WIDTH:
            x, y = 0, y + _HEIGHT
        placed.append(_panel(panel, number) | {"gridPos": {"x": x, "y": y, "w": panel.width, "h": _HEIGHT}})
        x += panel.width
    return placed


def _panel(panel: Panel, number: int) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.threshold is not None:
        steps.append({"color": "red", "value": panel.threshold})
    custom = {"thresholdsStyle": {"mode": "line" if panel.threshold is not None else "off"}}
    return {
        "id": number,
        "type": panel.shape,
        "title": str(panel.title),
        "description": str(panel.description),
        "datasource": _reference(),
        "targets": [_target(panel, query, number) for number, query in enumerate(panel.queries)],
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "thresholds": {"mode": "absolute", "steps": steps},
                **({"custom": custom} if panel.shape == "timeseries" else {}),
            },
            "overrides": [],
        },
        "options": {"calculate": False} if panel.shape == "heatmap" else {},
    }


def _target(panel: Panel, query: Query, number: int) -> dict[str, Any]:
    return {
        "refId": chr(ord("A") + number),
        "datasource": _reference(),
        "expr": query.expression,
        "legendFormat": query.legend or "__auto",
        "format": "heatmap" if panel.shape == "heatmap" else "time_series",
        "instant": panel.shape == "stat",
        "range": panel.shape != "stat",
    }
