"""A measured fact, with all that is needed to judge and repeat it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

FactT = TypeVar("FactT")
"""The frozen dataclass that a probe returns."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence(Generic[FactT]):
    """What one probe measured, and under which conditions.

    Attributes:
        id: SHA-256 of the canonical JSON of all the rest, in hexadecimal.
        probe: The id of the probe.
        fact: The measurement itself: a frozen dataclass of JSON values.
        inputs: The digest of everything that the probe was given, by type name; empty string: has no digest.
        measured_at: RFC 3339, UTC.
        seconds: How long the measurement took.
        machine: Processor, cores, memory, operating system.
        versions: Python, Sekisho and the libraries that took part.
        command: The command that measures it again.

    """

    id: str
    probe: str
    fact: FactT
    inputs: Mapping[str, str]
    measured_at: str
    seconds: float
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    command: str


def evidence_id(fields: Mapping[str, object]) -> str:
    """Return the id of an evidence from its other fields."""
    return hashlib.sha256(msgspec.json.encode(fields, order="sorted")).hexdigest()
