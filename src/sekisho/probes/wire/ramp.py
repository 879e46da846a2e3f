"""A load that rises step by step until answers come late: the largest rate that holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from sekisho.probes.statistics.intervals import Interval
from sekisho.probes.statistics.quantiles import quantile_interval
from sekisho.probes.wire.load import Load, success

CONFIDENCE: Final = 0.95
LARGEST_ERROR_SHARE: Final = 0.001
CUTS: Final = 2
"""Once a rate is found that is too high, the gap to the last that held is halved as often."""
LATE: Final = 0.25
"""The part of the limit by which the generator may itself be late before it, and not the service, is the limit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RampStep:
    """A constant rate, and what became of it.

    Attributes:
        rate: Requests per second that were due.
        sent, succeeded: How many requests, and how many of them succeeded.
        p50, p99: Of the latency from the moment due, in milliseconds, with their 95 % intervals; ``None``: too few requests.
        lag_p99_ms: How late the generator was, at its 99th percentile.
        held: Whether nearly all succeeded, and the bound of the 99th percentile meets the limit.

    """

    rate: float
    sent: int
    succeeded: int
    p50: Interval | None
    p99: Interval | None
    lag_p99_ms: float
    held: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Ramp:
    """A rising load.

    Attributes:
        limit_ms: What the 99th percentile must surely stay below.
        steps: By rate.
        sustained: The largest rate that held; 0 when none did.
        bound: What ended the rise: ``service``, ``generator`` (the service bears at least as much), ``end`` (the last rate held too), or
            ``stopped``.

    """

    limit_ms: float
    steps: tuple[RampStep, ...]
    sustained: float
    bound: str


def climb(
    send: Callable[[float], Load], start: float, end: float, limit_ms: float, stopped: Callable[[], bool]
) -> Ramp:
    """Double the rate from ``start`` until it does not hold, or ``end`` is reached; then look between the last two.

    Args:
        send: Sends at a rate for a while.
        start: The first rate, requests per second.
        end: The last.
        limit_ms: What the 99th percentile must surely stay below.
        stopped: Asked between steps whether to go no further.

    """
    steps: list[RampStep] = []

    def holds(rate: float) -> bool:
        steps.append(_step(send(rate), rate, limit_ms))
        return steps[-1].held

    held, broken, rate = 0.0, None, start
    while broken is None and rate <= end and not stopped():
        held, broken = (rate, None) if holds(rate) else (held, rate)
        rate = end if rate < end < rate * 2 else rate * 2
    for _ in range(CUTS if held and broken is not None else 0):
        if broken is None or stopped():
            break
        middle = (held + broken) / 2
        held, broken = (middle, broken) if holds(middle) else (held, middle)
    bound = "stopped" if stopped() else "end" if broken is None else _culprit(steps, limit_ms)
    return Ramp(limit_ms=limit_ms, steps=tuple(sorted(steps, key=lambda step: step.rate)), sustained=held, bound=bound)


def _culprit(steps: list[RampStep], limit_ms: float) -> str:
    worst = min((step for step in steps if not step.held), key=lambda step: step.rate)
    return "generator" if worst.lag_p99_ms > LATE * limit_ms else "service"


def _step(load: Load, rate: float, limit_ms: float) -> RampStep:
    ordered = np.sort(load.latency * 1e3)
    succeeded = int(success(load.status).sum())
    p50, p99 = (_rounded(quantile_interval(ordered, share, CONFIDENCE)) for share in (0.50, 0.99))
    in_time = len(ordered) > 0 and (float(np.quantile(ordered, 0.99)) if p99 is None else p99.high) <= limit_ms
    return RampStep(
        rate=round(rate, 3),
        sent=len(ordered),
        succeeded=succeeded,
        p50=p50,
        p99=p99,
        lag_p99_ms=round(float(np.quantile(load.lag, 0.99)) * 1e3, 3) if len(ordered) else 0.0,
        held=in_time and len(ordered) - succeeded <= LARGEST_ERROR_SHARE * len(ordered),
    )


def _rounded(interval: Interval | None) -> Interval | None:
    if interval is None:
        return None
    return Interval(point=round(interval.point, 3), low=round(interval.low, 3), high=round(interval.high, 3))
