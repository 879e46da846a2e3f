"""The table: all attacks of all areas, found by scanning the folder."""

from __future__ import annotations

import importlib
from pathlib import Path

from tests.attacks.service.attack import AREAS, Attack, Kind


def kinds() -> list[Kind]:
    """Return what every area keeps in its ``KINDS``, area by area, in the order of their ids.

    An area is one file, such as ``auth.py``, or several, such as ``http_framing.py`` and ``http_head.py``.

    Raises:
        ValueError: Two kinds, or two attacks, have one id.

    """
    found: list[Kind] = []
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if any(path.stem == area or path.stem.startswith(f"{area}_") for area in AREAS):
            module = importlib.import_module(f"tests.attacks.service.{path.stem}")
            # One file of an area may gather what the others keep.
            found.extend(kind for kind in getattr(module, "KINDS", ()) if kind not in found)
    ids = [kind.id for kind in found] + [attack.id for kind in found for attack in kind.attacks if attack.variant]
    if len(set(ids)) < len(ids):
        raise ValueError(f"there is more than one of {sorted({one for one in ids if ids.count(one) > 1})}")
    return sorted(found, key=lambda kind: (AREAS.index(kind.area), kind.id.startswith("X-"), kind.id))


def attacks() -> list[Attack]:
    """Return every attack."""
    return [attack for kind in kinds() for attack in kind.attacks]
