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

    @property
    def body(self) -> bytes:
        """The canonical JSON of all but the id: what :attr:`id` is the digest of, and what the ledger keeps."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "id"}
        return msgspec.json.encode(fields, order="sorted")


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The JSON of an evidence without its id, the fact still unread."""

    probe: str
    fact: msgspec.Raw
    inputs: dict[str, str]
    measured_at: str
    seconds: float
    machine: dict[str, str]
    versions: dict[str, str]
    command: str


def evidence_of(fact: FactT, **fields: object) -> Evidence[FactT]:
    """Return the evidence for ``fact``, with its id.

    Args:
        fact: What was measured.
        fields: All other attributes of :class:`Evidence` but the id.

    Raises:
        ValueError: The fact does not come back from JSON as it went in: it holds a NaN, an infinity or something that
            JSON has no word for.

    """
    body = msgspec.json.encode({"fact": fact, **fields}, order="sorted")
    evidence = read_evidence(body, type(fact))
    if evidence.fact != fact:
        raise ValueError(f"{type(fact).__qualname__} does not come back from JSON as it went in")
    return evidence


def read_evidence(body: bytes, kind: type[FactT]) -> Evidence[FactT]:
    """Return the evidence whose :attr:`~Evidence.body` is ``body``.

    Args:
        body: Canonical JSON.
        kind: The type of the fact.

    Raises:
        ValueError: It is not the JSON of such an evidence.

    """
    read = msgspec.json.decode(body, type=_Body)
    fields = {name: getattr(read, name) for name in read.__struct_fields__ if name != "fact"}
    return Evidence(
        id=hashlib.sha256(body).hexdigest(), fact=msgspec.json.decode(bytes(read.fact), type=kind), **fields
    )


def fact_digest(fact: object) -> str:
    """Return the SHA-256 of the canonical JSON of a fact or a section of the contract, in hexadecimal."""
    return hashlib.sha256(msgspec.json.encode(fact, order="sorted")).hexdigest()
