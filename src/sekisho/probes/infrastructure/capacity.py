"""How much traffic one replica bears: a load that rises until answers come late, and a long one below that."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from sekisho.contract.sections import Infrastructure, Serving
from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress, probe
from sekisho.probes.inference.latency import PERCENTILES
from sekisho.probes.resources.instance import TOO_MANY, Instance
from sekisho.probes.resources.service import Service
from sekisho.probes.statistics.intervals import Interval
from sekisho.probes.statistics.quantiles import quantile_interval, values_needed
from sekisho.probes.statistics.trend import slope
from sekisho.probes.wire.client import run
from sekisho.probes.wire.load import Load, fire, success, timetable
from sekisho.probes.wire.message import Request
from sekisho.text import Text

CONFIDENCE: Final = 0.95
LARGEST_ERROR_SHARE: Final = 0.001
STEP_SECONDS: Final = 0.8
HOLD_SECONDS: Final = 3.0
FASTEST: Final = 20_000.0
"""Requests per second, the most that are tried."""
CUTS: Final = 2
"""Once a rate is found that is too high, the gap to the last that held is halved as often."""
LATE: Final = 0.25
"""The part of the limit by which the generator may itself be late before it, and not the service, is the limit."""
SOAK_SHARE: Final = 0.7
SOAK_FASTEST: Final = 2_000.0
QUIET_SHARE: Final = 0.3
QUIET_SECONDS: Final = 2.0
SETTLING: Final = 1 / 3
"""The part of the soak in which caches fill and allocators settle; memory counts from then on."""
FEWEST_SIZES: Final = 8
LARGEST_GROWTH: Final = 768 * 1024 * 1024
"""Bytes by which the service may grow before the load ends: a leak must not take the machine with it."""
PAYLOADS: Final = 1_000
GIVE_UP: Final = 5.0
SEED: Final = 20_240_601


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A constant rate, and what became of it.

    Attributes:
        rate: Requests per second that were due.
        sent, succeeded, limited: Requests; those that succeeded; those refused with 429.
        p99_ms: The 99th percentile of the latency from the moment due, in milliseconds.
        lag_ms: How late the generator was, at its 99th percentile.
        held: Whether nearly all succeeded, in time.

    """

    rate: float
    sent: int
    succeeded: int
    limited: int
    p99_ms: float
    lag_ms: float
    held: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Soak:
    """A long load below the limit.

    Attributes:
        rate, seconds: Requests per second, and for how long.
        sent, failed: Requests; those without success.
        memory: Resident bytes of all processes, at regular moments after the settling; empty where nobody can tell.
        growth_per_request: Bytes by which memory grew for each request, with its interval; ``None`` where nobody can tell.
        before_ms, after_ms: Percentiles of the latency under a light load before and after it, with intervals; one is missing where there
            were too few requests for it.

    """

    rate: float
    seconds: float
    sent: int
    failed: int
    memory: tuple[int, ...]
    growth_per_request: Interval | None
    before_ms: Mapping[str, Interval]
    after_ms: Mapping[str, Interval]


@dataclass(frozen=True, kw_only=True, slots=True)
class Capacity:
    """What one replica bears.

    Attributes:
        limit_ms: The response time that the 99th percentile must keep.
        workers: Processes of the replica.
        needed: Requests per second that one replica must bear.
        hold: The longer test at that rate.
        hold_p99: Its 99th percentile with the interval, in milliseconds; ``None`` when there were too few requests.
        steps: The rising load, by rate.
        sustained: The highest rate that held; 0 when none did.
        bound: What ended the rise: ``service``, ``generator`` (the service bears at least as much), ``rate-limit``, or ``memory`` (it had
            grown by more than :data:`LARGEST_GROWTH`, and the machine is not ours to fill).
        soak: The long load; ``None`` when no rate held.
        cores: Processors of the machine, shared by service and generator.

    """

    limit_ms: float
    workers: int
    needed: float
    hold: Step
    hold_p99: Interval | None
    steps: tuple[Step, ...]
    sustained: float
    bound: str
    soak: Soak | None
    cores: int


@probe(
    "infrastructure/capacity",
    title=Text(en="Raise the load to the knee", ja="限界まで負荷を上げる"),
    seconds=25,
    exclusive=True,
)
def capacity(service: Service, serving: Serving, infrastructure: Infrastructure, progress: Progress) -> Capacity:
    """Hold the rate that the peak asks of one replica, raise the load until answers come late, then soak below.

    Raises:
        NotMeasured: The contract states no peak, or no response time.

    """
    if infrastructure.peak_per_second is None:
        raise NotMeasured(
            Text(
                en="nobody has stated the expected peak (infrastructure.peak_per_second)",
                ja="想定ピーク（infrastructure.peak_per_second）が示されていません",
            ),
            Text(
                en="set infrastructure.peak_per_second and its source in sekisho.toml",
                ja="infrastructure.peak_per_second とその根拠を sekisho.toml に書いてください",
            ),
        )
    if serving.latency_p99_ms is None:
        raise NotMeasured(
            Text(en="the contract states no response time", ja="応答時間の目標が契約に書かれていません"),
            Text(en="set serving.latency_p99_ms in sekisho.toml", ja="serving.latency_p99_ms を書いてください"),
        )
    needed = infrastructure.peak_per_second * infrastructure.headroom / infrastructure.replicas
    with service.another() as instance, _Watch(instance) as watch:
        random = np.random.default_rng(SEED)
        picked = random.permutation(len(service.rows))[:PAYLOADS]
        requests = [instance.signed(service.adapter.one(service.rows[index])) for index in picked]
        limit_ms = serving.latency_p99_ms
        trial = _Trial(instance=instance, requests=requests, limit_ms=limit_ms, progress=progress, watch=watch)
        trial.step(needed)  # warms up; counts for nothing
        trial.steps.clear()
        hold, hold_p99 = trial.hold(needed)
        progress.advance(0.2)
        sustained, bound = trial.knee(needed, hold)
        progress.advance(0.5)
        soak = trial.soak(sustained, infrastructure.soak_seconds) if sustained else None
        instance.must_live()
    return Capacity(
        limit_ms=serving.latency_p99_ms,
        workers=serving.workers,
        needed=needed,
        hold=hold,
        hold_p99=hold_p99,
        steps=tuple(sorted(trial.steps, key=lambda step: step.rate)),
        sustained=sustained,
        bound=bound,
        soak=soak,
        cores=os.cpu_count() or 1,
    )


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class _Trial:
    """One running instance under load."""

    instance: Instance
    requests: list[Request]
    limit_ms: float
    progress: Progress
    watch: _Watch
    steps: list[Step] = field(default_factory=list)

    def step(self, rate: float, seconds: float = STEP_SECONDS) -> Step:
        """Send at ``rate`` for a moment."""
        step = self._judged(self._load(rate, seconds), rate)
        self.steps.append(step)
        return step

    def hold(self, rate: float) -> tuple[Step, Interval | None]:
        """Send at ``rate`` for so long that the 99th percentile has a bound."""
        seconds = max(HOLD_SECONDS, min((values_needed(0.99, CONFIDENCE) + 10) / rate, 30.0))
        load = self._load(rate, seconds)
        interval = quantile_interval(np.sort(load.latency * 1e3), 0.99, CONFIDENCE)
        return self._judged(load, rate), interval

    def knee(self, start: float, known: Step) -> tuple[float, str]:
        """Return the highest rate that held, and what ended the rise; ``known`` is what became of ``start``."""
        held, broken = (start, None) if known.held else (0.0, start)
        rate = start * 2
        while broken is None and rate <= FASTEST and not self.watch.is_full:
            step = self.step(rate)
            held, broken = (rate, None) if step.held else (held, rate)
            rate *= 2
        while not held and broken is not None and broken / 2 >= 1.0 and not self.watch.is_full:
            step = self.step(broken / 2)
            held, broken = (broken / 2, broken) if step.held else (0.0, broken / 2)
        if self.watch.is_full:
            return held, "memory"
        if broken is None:
            return held, "generator"
        for _ in range(CUTS if held else 0):
            step = self.step((held + broken) / 2)
            held, broken = ((held + broken) / 2, broken) if step.held else (held, (held + broken) / 2)
        # Judged by the lowest rate that broke: beyond it everything is late.
        worst = min((step for step in [*self.steps, known] if not step.held), key=lambda step: step.rate)
        return held, self._culprit(worst)

    def soak(self, sustained: float, seconds: float) -> Soak:
        """Send at a good part of ``sustained`` for long; watch memory meanwhile, and compare how fast answers come before and after.

        Under load a queue multiplies whatever else disturbs the machine; under a light load what has become slower shows by itself.
        """
        rate, quiet = min(SOAK_SHARE * sustained, SOAK_FASTEST), min(QUIET_SHARE * sustained, SOAK_FASTEST)
        if self.watch.is_full:
            return self._overgrown(rate)
        before = self._load(quiet, QUIET_SECONDS)
        begun = self.watch.now
        load = self._load(rate, seconds, told=(0.5, 0.9))
        watched = [(moment - begun, size) for moment, size in self.watch.seen if moment >= begun]
        if self.watch.is_full:
            return self._overgrown(rate)
        after = [self._load(quiet, QUIET_SECONDS) for _ in range(2)]  # what disturbs one of two is not the service
        moments = np.array([moment for moment, _ in watched])
        sizes = np.array([size for _, size in watched], dtype=np.float64)
        late = (moments >= seconds * SETTLING) & (moments <= seconds)
        growth = slope(moments[late], sizes[late], CONFIDENCE) if late.sum() >= FEWEST_SIZES else None
        return Soak(
            rate=round(rate, 3),
            seconds=seconds,
            sent=len(load.status),
            failed=int((~success(load.status)).sum()),
            memory=tuple(int(size) for size in sizes[late]),
            growth_per_request=None if growth is None else _per_request(growth, rate),
            before_ms=_percentiles(before.latency),
            after_ms=_percentiles(min((each.latency for each in after), key=lambda latency: float(np.mean(latency)))),
        )

    def _overgrown(self, rate: float) -> Soak:
        """Return a soak that was not run to its end, because the memory had grown too much already."""
        sizes = [size for _, size in self.watch.seen]
        each = round((max(sizes) - sizes[0]) / max(self.watch.requests, 1), 3)
        return Soak(
            rate=round(rate, 3),
            seconds=round(self.watch.now, 1),
            sent=self.watch.requests,
            failed=0,
            memory=(sizes[0], max(sizes)),
            growth_per_request=Interval(point=each, low=each, high=each),
            before_ms={},
            after_ms={},
        )

    def _load(self, rate: float, seconds: float, told: tuple[float, float] | None = None) -> Load:
        def on_way(fraction: float) -> None:
            if told is not None:
                self.progress.advance(told[0] + (told[1] - told[0]) * fraction)

        moments = timetable(rate, seconds)
        return run(self._fire(moments, on_way))

    async def _fire(self, moments: list[float], on_way: Callable[[float], None]) -> Load:
        load = await fire(
            self.instance.url,
            self.requests,
            moments,
            timeout=GIVE_UP,
            trust=self.instance.trust,
            on_way=on_way,
            stop=lambda: self.watch.is_full,
        )
        self.watch.requests += len(load.status)
        return load

    def _judged(self, load: Load, rate: float) -> Step:
        succeeded = int(success(load.status).sum())
        p99 = _p99(load.latency)
        few_failed = len(load.status) - succeeded <= LARGEST_ERROR_SHARE * len(load.status)
        return Step(
            rate=round(rate, 3),
            sent=len(load.status),
            succeeded=succeeded,
            limited=int((load.status == TOO_MANY).sum()),
            p99_ms=p99,
            lag_ms=round(float(np.quantile(load.lag, 0.99)) * 1e3, 3) if len(load.lag) else 0.0,
            held=few_failed and p99 <= self.limit_ms,
        )

    def _culprit(self, broken: Step) -> str:
        if broken.limited > LARGEST_ERROR_SHARE * broken.sent:
            return "rate-limit"
        return "generator" if broken.lag_ms > LATE * self.limit_ms else "service"


class _Watch:
    """Notes the resident memory of a service every quarter of a second inside a ``with`` block.

    Attributes:
        seen: Seconds since the beginning, and bytes.
        requests: How many requests it had meanwhile, as far as it was told.

    """

    def __init__(self, instance: Instance) -> None:
        self._child = instance.child
        self._ended = threading.Event()
        self._begun = time.monotonic()
        self.seen: list[tuple[float, int]] = []
        self.requests = 0
        self._thread = threading.Thread(target=self._look, daemon=True)

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begun

    @property
    def is_full(self) -> bool:
        """Whether the memory has grown by more than may be filled here."""
        return bool(self.seen) and self.seen[-1][1] - self.seen[0][1] > LARGEST_GROWTH

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            size = None if self._child is None else self._child.memory
            if size is None:
                return
            self.seen.append((self.now, size))
            if self._ended.wait(0.25):
                return


def _per_request(growth: Interval, rate: float) -> Interval:
    point, low, high = (round(value / rate, 3) for value in (growth.point, growth.low, growth.high))
    return Interval(point=point, low=low, high=high)


def _p99(latency: NDArray[np.float64]) -> float:
    return round(float(np.quantile(latency, 0.99)) * 1e3, 3) if len(latency) else 0.0


def _percentiles(latency: NDArray[np.float64]) -> dict[str, Interval]:
    ordered = np.sort(latency * 1e3)
    # Several are compared at once: each is held to more than the usual confidence.
    found = {
        name: quantile_interval(ordered, share, 1 - (1 - CONFIDENCE) / len(PERCENTILES))
        for name, share in PERCENTILES.items()
    }
    return {
        name: Interval(point=round(each.point, 3), low=round(each.low, 3), high=round(each.high, 3))
        for name, each in found.items()
        if each is not None
    }
