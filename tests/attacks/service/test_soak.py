"""A long run below the limit: nothing fails, grows or slows. ``SEKISHO_SOAK_MINUTES`` says how long (three minutes if it does not)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from benchmarks.soak import Soaked, Watched, _judged, is_slower, make, soak

MINUTES = float(os.environ.get("SEKISHO_SOAK_MINUTES", "3"))


@pytest.mark.slow
@pytest.mark.timeout(MINUTES * 60 + 300)
def test_nothing_fails_grows_or_slows(tmp_path: Path) -> None:
    make(tmp_path / "artifact")
    soaked = soak(tmp_path / "artifact", MINUTES)
    assert soaked.faults == []
    assert sum(soaked.statuses.values()) > 1_000


def seen(
    *, leak: float = 0.0, slower: float = 1.0, statuses: dict[int, int] | None = None, handles: float = 0.0
) -> Soaked:
    """Return what a run of three minutes might have shown."""
    random = np.random.default_rng(7)
    moments = np.arange(0.5, 180.0, 0.5)
    noise = random.integers(0, 2**20, len(moments))
    worker = Watched(
        name="worker 0",
        moments=moments.tolist(),
        resident=(100 * 2**20 + leak * moments + noise).astype(int).tolist(),
        descriptors=(40 + handles * moments).astype(int).tolist(),
        threads=[12] * len(moments),
    )
    p99 = random.lognormal(1.0, 0.4, 60) * np.linspace(1.0, slower, 60)
    return _judged(
        Soaked(
            capacity=1_000.0,
            rate=500.0,
            seconds=180.0,
            statuses=statuses or {200: 90_000},
            p99_ms=p99.tolist(),
            processes=[worker],
        )
    )


def test_noise_is_no_fault() -> None:
    assert seen().faults == []


def test_a_leak_is_seen() -> None:
    assert any("resident" in fault for fault in seen(leak=100 * 2**10).faults)  # 200 bytes a request


def test_descriptors_that_stay_open_are_seen() -> None:
    assert any("descriptors" in fault for fault in seen(handles=0.1).faults)


def test_one_failure_is_seen() -> None:
    assert seen(statuses={200: 90_000, 503: 1}).faults


def test_slower_answers_are_seen_and_chance_is_not() -> None:
    assert any("slower" in fault for fault in seen(slower=4.0).faults)
    random = np.random.default_rng(3)
    runs = [is_slower(random.lognormal(1, 0.5, 20), random.lognormal(1, 0.5, 20)) for _ in range(300)]
    assert sum(runs) <= 2  # a thousandth of them by definition
