"""A memory limit below what the largest legal request takes."""

from __future__ import annotations

import pytest
from tests.flaws.service.conftest import Edits, Judge

from sekisho.gate.verdict import Status

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def limited(size: str) -> Edits:
    return {
        "docker-compose.yml": (("    build: .\n", f"    build: .\n    mem_limit: {size}\n"),),
        "app.py": (('{"predictions": answered(rows)', '{"predictions": (bytearray(300 * 2**20), answered(rows))[1]'),),
    }


def test_f44a_memory_limit_below_the_peak(judge: Judge) -> None:
    item = judge("infrastructure/resources", limited("256m"))
    assert item.status is Status.FAIL, item.verdict.summary.en
    assert float(str(item.verdict.figures["peak_mib"])) > 330


def test_f44a_twin_a_limit_with_room(judge: Judge) -> None:
    item = judge("infrastructure/resources", limited("1536m"))
    assert item.status is Status.PASS, item.verdict.summary.en


def test_no_limit_at_all(judge: Judge) -> None:
    assert judge("infrastructure/resources", {}).status is Status.FAIL
