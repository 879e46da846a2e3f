"""Judging a project in one call, as from a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sekisho.gate.graph import Units
from sekisho.gate.listener import Listener
from sekisho.gate.opening import open_project
from sekisho.gate.report import Report
from sekisho.gate.runner import run_gate


def check(
    project: Path | str = ".",
    ids: Sequence[str] | None = None,
    *,
    service: str | None = None,
    fresh: bool = False,
    listener: Listener | None = None,
) -> Report:
    """Judge the boxes of a deployment project; a notebook shows the report as a table.

    Args:
        project: The folder that holds ``sekisho.toml``, or the file itself.
        ids: Boxes, sections or patterns; by default all.
        service: The address of a running service to judge instead of the one that the contract names.
        fresh: Whether to measure again what the ledger holds already.
        listener: Who hears how far it is.

    Raises:
        NotFound: There is no contract, or ``ids`` names no box.
        ContractError: The contract has faults.
        WrongUse: ``service`` is not a web address.
        LedgerError: The book of evidence cannot be used.

    """
    units = Units.installed()
    opened = open_project(Path(project), units, service=service)
    return run_gate(opened, ids=ids, fresh=fresh, listener=listener, units=units)
