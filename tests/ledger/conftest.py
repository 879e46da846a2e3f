"""A book in each database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sekisho.ledger.predictions import PredictionBook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "folder" / "predictions.sqlite")
    return str(request.getfixturevalue("postgres").url())


@pytest.fixture
def book(address: str) -> Iterator[PredictionBook]:
    with PredictionBook(address) as opened:
        yield opened
