from __future__ import annotations

from pathlib import Path

import pytest

from sekisho.contract.project import Project
from sekisho.gate.testing import example_contract


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty deployment project."""
    return Project(root=tmp_path, contract=example_contract())
