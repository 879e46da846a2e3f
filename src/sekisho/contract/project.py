"""A deployment project: a folder with a ``sekisho.toml``."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from sekisho.contract.sections import Contract

if TYPE_CHECKING:
    from pathlib import Path

CONTRACT_NAME: Final = "sekisho.toml"
STATE_FOLDER: Final = ".sekisho"


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """The folder that is judged, and the contract it is judged by.

    Attributes:
        root: The folder of the contract, absolute.
        contract: The contract, loaded.

    """

    root: Path
    contract: Contract

    @property
    def digest(self) -> str:
        """SHA-256 of the contract's canonical JSON, in hexadecimal."""
        return contract_digest(self.contract)

    @property
    def state(self) -> Path:
        """Where Sekisho keeps its ledger and reports."""
        return self.root / STATE_FOLDER

    def path(self, relative: str) -> Path:
        """Return a path that the contract names, taken from the project's folder."""
        return self.root / relative


def contract_digest(contract: Contract) -> str:
    """Return the SHA-256 of the canonical JSON of ``contract``, in hexadecimal: layout and comments do not count."""
    return hashlib.sha256(msgspec.json.encode(contract, order="sorted")).hexdigest()
