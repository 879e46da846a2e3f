"""Opening the project that is to be judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sekisho.contract.loader import load_project
from sekisho.contract.project import Project
from sekisho.contract.rules import broken_rules
from sekisho.contract.sections import Serving
from sekisho.errors import WrongUse
from sekisho.gate.selection import in_order

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.gate.graph import Units


def open_project(path: Path, units: Units, *, service: str | None = None) -> Project:
    """Load a project whose contract may speak of every box that is installed.

    Args:
        path: The folder that holds ``sekisho.toml``, or the file itself.
        units: What is installed.
        service: The address of a running service to judge instead of the one that the contract names.

    Raises:
        NotFound: There is no contract.
        ContractError: The contract has faults.
        WrongUse: ``service`` is not a web address.

    """
    project = load_project(path, boxes=in_order(units.checks))
    return project if service is None else _with_service(project, service)


def _with_service(project: Project, url: str) -> Project:
    for fault in broken_rules(Serving, {"url": url}):
        raise WrongUse(fault.what, fault.remedy, where=" ".join(url.split())[:200])
    serving = msgspec.structs.replace(project.contract.serving, url=url, command=())
    return Project(root=project.root, contract=msgspec.structs.replace(project.contract, serving=serving))
