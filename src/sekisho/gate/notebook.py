"""Judging a project in one call, as ``sekisho check`` and notebooks do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from sekisho.contract.loader import load_project
from sekisho.contract.project import Project
from sekisho.contract.rules import broken_rules
from sekisho.contract.sections import Serving
from sekisho.errors import WrongUse
from sekisho.gate.graph import Units
from sekisho.gate.listener import Listener
from sekisho.gate.report import Report
from sekisho.gate.runner import run_gate
from sekisho.gate.selection import in_order


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
    loaded = load_project(Path(project), boxes=in_order(units.checks))
    if service is not None:
        loaded = with_service(loaded, service)
    return run_gate(loaded, ids=ids, fresh=fresh, listener=listener, units=units)


def with_service(project: Project, url: str) -> Project:
    """Return ``project`` with a running service in place of the one that its contract names.

    Raises:
        WrongUse: ``url`` is not a web address.

    """
    for fault in broken_rules(Serving, {"url": url}):
        raise WrongUse(fault.what, fault.remedy, where=" ".join(url.split())[:200])
    serving = msgspec.structs.replace(project.contract.serving, url=url, command=())
    return Project(root=project.root, contract=msgspec.structs.replace(project.contract, serving=serving))
