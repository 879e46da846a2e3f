"""What the service says of itself, under attack: metrics, logs, drift, alerts, health."""

from __future__ import annotations

from tests.attacks.service import observed_alerts, observed_health, observed_logs, observed_metrics
from tests.attacks.service.attack import Kind

KINDS: list[Kind] = sorted(
    (kind for part in (observed_metrics, observed_logs, observed_alerts, observed_health) for kind in part.KINDS),
    key=lambda kind: (kind.id.startswith("X-"), kind.id),
)
"""L08, L09 and L11 (personal fields, erasure, retention) are attacks on the book of predictions: tests/ledger and tests/serving/test_recorder."""
