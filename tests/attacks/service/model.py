"""Models that raise, answer what cannot be, hang, die, leak, shout, meddle, or cannot be loaded: it hurts whoever made them do so, and nobody else."""

from __future__ import annotations

from tests.attacks.service import model_faults, model_loading, model_repeated, model_resources
from tests.attacks.service.attack import Kind

KINDS: list[Kind] = sorted(
    (kind for part in (model_faults, model_repeated, model_resources, model_loading) for kind in part.KINDS),
    key=lambda kind: (kind.id.startswith("X-"), kind.id),
)
