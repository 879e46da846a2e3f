"""Capacity below the peak, and a service that holds it for a minute only."""

from __future__ import annotations

import pytest
from tests.flaws.service.conftest import Edits, Judge

from sekisho.gate.verdict import Status

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ASKED = (
    "[infrastructure]\n",
    '[infrastructure]\npeak_per_second = 50\npeak_source = "access log"\nsoak_seconds = 9\n',
)
ANSWER = "outputs = artifact.predict(rows)"


def edits(*changes: tuple[str, str]) -> Edits:
    return {"sekisho.toml": (ASKED,), "app.py": changes}


def slowed(seconds: float) -> tuple[str, str]:
    """Let the service answer one request after the other, each after so long."""
    return (ANSWER, f"time.sleep({seconds}); {ANSWER}")


def test_f41a_capacity_below_the_stated_peak(judge: Judge) -> None:
    item = judge("infrastructure/traffic", edits(slowed(0.03)))
    assert item.status is Status.FAIL, item.verdict.summary.en
    assert float(str(item.verdict.figures["sustained_per_replica"])) < 40


def test_f41a_twin_capacity_above_it(judge: Judge) -> None:
    item = judge("infrastructure/traffic", edits(slowed(0.01)))
    assert item.status is Status.PASS, item.verdict.summary.en


def test_f41b_a_leak_shows_in_the_soak(judge: Judge) -> None:
    leak = ("PER_SECOND = ", "leaked = []\nPER_SECOND = ")
    item = judge(
        "infrastructure/traffic", edits(leak, slowed(0.01), ("began = ", "leaked.append(b'x' * 2**18); began = "))
    )
    assert item.status is Status.FAIL
    assert "memory grows" in item.verdict.summary.en


def test_f41b_a_cache_that_makes_every_request_slower(judge: Judge) -> None:
    item = judge(
        "infrastructure/traffic",
        edits(
            ("PER_SECOND = ", "seen = []\nPER_SECOND = "),
            (ANSWER, f"seen.append(0); time.sleep(len(seen) / 50_000); {ANSWER}"),
        ),
    )
    assert item.status is Status.FAIL, item.verdict.summary.en
