"""The rising load, against services that are made of numbers."""

from __future__ import annotations

import numpy as np
import pytest

from sekisho.probes.wire.load import Load
from sekisho.probes.wire.ramp import climb


def service(bears: float, *, late: float = 0.0, fails: bool = False):  # type: ignore[no-untyped-def]
    """Return how a service answers that bears so many requests a second; the generator is ``late`` beyond that."""

    def send(rate: float) -> Load:
        count = max(1, round(rate * 2))
        due = np.arange(count) / rate
        over = rate > bears
        latency = np.full(count, 0.9 if over and not fails else 0.01)
        status = np.full(count, 503 if over and fails else 200)
        return Load(due=due, lag=np.full(count, late if over else 0.0), latency=latency, status=status)

    return send


def test_the_largest_rate_lies_between_what_held_and_what_did_not() -> None:
    ramp = climb(service(700), 100, 5_000, 50, lambda: False)
    assert ramp.sustained == 700
    assert ramp.bound == "service"
    assert [step.rate for step in ramp.steps] == sorted(step.rate for step in ramp.steps)
    assert [step.held for step in ramp.steps] == [step.rate <= 700 for step in ramp.steps]


def test_failures_end_it_as_lateness_does() -> None:
    assert climb(service(150, fails=True), 100, 5_000, 50, lambda: False).sustained == 150


def test_a_generator_that_is_late_is_named() -> None:
    assert climb(service(700, late=0.4), 100, 5_000, 50, lambda: False).bound == "generator"


def test_the_end_is_tried_too() -> None:
    ramp = climb(service(1e9), 100, 1_500, 50, lambda: False)
    assert (ramp.sustained, ramp.bound) == (1_500, "end")


def test_none_holds() -> None:
    ramp = climb(service(10), 100, 1_500, 50, lambda: False)
    assert (ramp.sustained, ramp.bound) == (0.0, "service")


@pytest.mark.parametrize("after", [1, 2])
def test_it_stops_when_it_is_told(after: int) -> None:
    sent: list[float] = []

    def send(rate: float) -> Load:
        sent.append(rate)
        load: Load = service(1e9)(rate)
        return load

    ramp = climb(send, 100, 5_000, 50, lambda: len(sent) >= after)
    assert ramp.bound == "stopped"
    assert len(ramp.steps) == after
