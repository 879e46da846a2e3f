"""The table: all attacks of all areas, found by scanning the folder."""

from __future__ import annotations

import importlib
from pathlib import Path

from tests.attacks.service.attack import AREAS, Attack, Kind


def kinds() -> list[Kind]:
    """Return what every area keeps in its ``KINDS``, in the order of the areas.

    Raises:
        ValueError: Two attacks have one id.

    """
    found: list[Kind] = []
    for area in AREAS:
        if (Path(__file__).parent / f"{area}.py").exists():
            found.extend(importlib.import_module(f"tests.attacks.service.{area}").KINDS)
    seen: set[str] = set()
    for attack in (attack for kind in found for attack in kind.attacks):
        if attack.id in seen:
            raise ValueError(f"two attacks have the id {attack.id}")
        seen.add(attack.id)
    return found


def attacks() -> list[Attack]:
    """Return every attack."""
    return [attack for kind in kinds() for attack in kind.attacks]
