"""Whether the running service shows its drift as metrics."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from sekisho.gate.probe import Progress, probe
from sekisho.probes.resources.series import exposition
from sekisho.probes.resources.service import Service
from sekisho.probes.wire.message import Request
from sekisho.text import Text

GAUGES: Final = (
    "ml_drift_effect",
    "ml_drift_detected",
    "ml_drift_window_rows",
    "ml_drift_last_evaluated_timestamp_seconds",
)
PATIENCE: Final = 5.0
"""Seconds that the watcher beside the service may need for its first report."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftGauges:
    """What a service that watches its own drift shows.

    Attributes:
        expected: Whether the service is one that does; another team's may watch its drift elsewhere.
        missing: The gauges that are not there.

    """

    expected: bool
    missing: tuple[str, ...]


@probe(
    "monitoring/drift-gauges", title=Text(en="Look for live drift metrics", ja="ライブのドリフト指標を確認"), seconds=1
)
def drift_gauges(service: Service, progress: Progress) -> DriftGauges:
    """Scrape the service until every gauge is there."""
    target = service.adapter.routes.metrics
    if not service.own or target is None:
        return DriftGauges(expected=False, missing=())
    deadline = time.monotonic() + PATIENCE
    while True:
        (reply,) = service.main.ask([Request(target=target)])
        families = exposition(reply).types
        missing = tuple(name for name in GAUGES if name not in families)
        if not missing or time.monotonic() > deadline:
            return DriftGauges(expected=True, missing=missing)
        progress.advance(0.5)
        time.sleep(0.25)
