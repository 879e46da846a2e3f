"""Names that other systems accept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sekisho.targets.interface import Plan


def image_name(plan: Plan) -> str:
    """Return the name and tag of the image: the tag holds the version and the first digits of the artifact's digest.

    Format: *Docker image reference*: names are lower case, and separators stand alone between letters and digits.
    """
    version = re.sub(r"[^A-Za-z0-9.-]+", "-", plan.artifact.version)[:60].strip(".-") or "0"
    return f"{_lower(plan, '-')}:{version}-{plan.artifact.digest[:12]}"


def project_name(plan: Plan) -> str:
    """Return the name of the Compose project: lower case letters, digits and hyphens."""
    return _lower(plan, "-")


def _lower(plan: Plan, separator: str) -> str:
    name = re.sub(r"[^a-z0-9]+", separator, plan.project.contract.model.name.lower()).strip(separator)
    return name or "model"
