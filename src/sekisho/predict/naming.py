"""What answers are called where they stand in columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Container

    from sekisho.artifact.column import Scalar


def class_name(label: Scalar) -> str:
    """Return the key of a class in ``probabilities``: a string as it is, anything else as its JSON."""
    return label if isinstance(label, str) else msgspec.json.encode(label).decode()


def free_name(name: str, taken: Container[str]) -> str:
    """Return a name that is not taken: the answer ``a`` may have a class that ends another answer's name."""
    return name if name not in taken else free_name(f"{name}_", taken)
