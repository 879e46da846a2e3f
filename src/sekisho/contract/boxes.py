"""The stable ids of the forty boxes of the deployment checklist, in its order.

They stand here, below the checks that judge them, because a contract names them in its sign-offs and waivers. Installed
checks may add more; a caller that knows them passes them to the loader.
"""

from __future__ import annotations

from typing import Final

BOXES: Final[tuple[str, ...]] = (
    "quality/requirements",
    "quality/test-evaluation",
    "quality/production-data",
    "quality/edge-cases",
    "quality/fairness",
    "artifact/format",
    "artifact/versioning",
    "artifact/metadata",
    "artifact/dependencies",
    "artifact/reproducibility",
    "inference/api",
    "inference/latency",
    "inference/mode",
    "inference/errors",
    "inference/logging",
    "infrastructure/traffic",
    "infrastructure/autoscaling",
    "infrastructure/load-balancing",
    "infrastructure/resources",
    "infrastructure/cost",
    "security/input-validation",
    "security/authentication",
    "security/encryption",
    "security/rate-limiting",
    "security/vulnerabilities",
    "monitoring/performance",
    "monitoring/drift",
    "monitoring/system",
    "monitoring/alerts",
    "monitoring/logs",
    "documentation/api",
    "documentation/model-card",
    "documentation/operations",
    "documentation/rollback",
    "documentation/troubleshooting",
    "testing/unit",
    "testing/integration",
    "testing/load",
    "testing/ab-plan",
    "testing/progressive-delivery",
)
"""Section and name of every box."""
