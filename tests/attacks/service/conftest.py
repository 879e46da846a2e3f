"""The services under attack: one of each configuration for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.attacks.service.own import Targets, Workshop


@pytest.fixture(scope="session")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Targets]:
    with Targets(Workshop(tmp_path_factory.mktemp("attacked"))) as made:
        yield made
