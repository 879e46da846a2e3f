"""Target: the dashboard of a model, for a Grafana that is there already."""

from __future__ import annotations

from sekisho.targets.interface import Generator
from sekisho.targets.parts.monitoring.files import dashboard_files
from sekisho.text import Text

generator = Generator(
    id="dashboard",
    title=Text(en="A Grafana dashboard of the model", ja="モデルの Grafana ダッシュボード"),
    folder="deploy",
    render=dashboard_files,
    following=Text(
        en="import {folder}/grafana/dashboards/model.json in Grafana (Dashboards, New, Import)",
        ja="Grafana の「Dashboards → New → Import」で {folder}/grafana/dashboards/model.json を読み込んでください",
    ),
)
