"""security/rate-limiting: how many may pass, and when more or fewer are excused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sekisho.checks.security.rate_limiting import _FLOOD, rate_limiting
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Status


@pytest.mark.parametrize(
    ("accepted", "in_all", "pause", "status"),
    [
        (300, 460, 0.0, Status.PASS),
        (315, 475, 0.0, Status.PASS),  # 5 % above
        (285, 445, 0.0, Status.PASS),  # 5 % below
        (316, 476, 0.0, Status.FAIL),
        (284, 444, 0.0, Status.FAIL),
        (316, 475, 0.0, Status.PASS),  # saved up before the count began: not more than the limit gives in all
        (600, 920, 0.0, Status.FAIL),  # two workers, each with a limit of its own
        (600, 920, 2.0, Status.FAIL),  # no pause excuses too many
        (260, 420, 0.3, Status.PASS),  # nothing was asked in a pause, so nothing passed
        (240, 400, 0.3, Status.FAIL),
    ],
)
def test_the_count_is_judged_within_five_per_cent(accepted: int, in_all: int, pause: float, status: Status) -> None:
    flood = replace(_FLOOD, accepted=accepted, accepted_in_all=in_all, seconds_in_all=3.6, pause=pause)
    assert rate_limiting.judge(contract=example_contract(security={"rate_limit": 100}), flood=flood).status is status
