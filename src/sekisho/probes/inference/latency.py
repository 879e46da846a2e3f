"""How long the service takes to answer at the stated rate, and how long its first answer takes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sekisho.contract.sections import Serving
from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress, probe
from sekisho.probes.adapters.interface import Adapter, Unreadable
from sekisho.probes.resources.service import Service
from sekisho.probes.statistics.intervals import Interval
from sekisho.probes.statistics.quantiles import quantile_interval, values_needed
from sekisho.probes.wire.client import run
from sekisho.probes.wire.load import Load, fire, timetable
from sekisho.probes.wire.message import Reply
from sekisho.text import Text

CONFIDENCE: Final = 0.95
WARM_UP: Final = 1.0
"""Seconds at the same rate before anything counts."""
LONGEST: Final = 60.0
"""Seconds that a slow rate may need to bound its 99th percentile."""
PAYLOADS: Final = 1_000
MOST_READ: Final = 2_000
"""How many answers are looked into, about."""
LARGEST_KEPT: Final = 64 * 1024
PERCENTILES: Final = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
SEED: Final = 20_240_601


@dataclass(frozen=True, kw_only=True, slots=True)
class Latency:
    """The latencies of a load that did not wait for answers.

    Attributes:
        rate: Requests per second that were due.
        seconds: How long.
        sent: How many requests.
        unexpected: How many answers had each status that is no success; ``0``: no answer.
        percentiles: In milliseconds, from the moment a request was due, with their 95 % intervals; a bound is missing from
            the mapping when there were too few answers for it.
        edges_ms, counts: The histogram: ``counts[i]`` latencies from ``edges_ms[i]`` to ``edges_ms[i + 1]``.
        largest_ms: The longest.
        lag_p99_ms: How late the load generator itself was, at its 99th percentile.
        first_ms: The first prediction after the service said that it was ready; ``None`` when somebody else started it.
        first_ok: Whether that one succeeded.
        start_seconds: From its start until it said so.
        cores: Processors of the machine, shared by service and load generator.
        read: How many answers with a status of success were looked into.
        unreadable: How many of them held no answer of the model.

    """

    rate: float
    seconds: float
    sent: int
    unexpected: Mapping[str, int]
    percentiles: Mapping[str, Interval]
    edges_ms: tuple[float, ...]
    counts: tuple[int, ...]
    largest_ms: float
    lag_p99_ms: float
    first_ms: float | None
    first_ok: bool | None
    start_seconds: float | None
    cores: int
    read: int = 0
    unreadable: int = 0


@dataclass(kw_only=True, slots=True)
class Looked:
    """Keeps some of the answers of a load, spread over all of it, to be looked into afterwards.

    Attributes:
        every: Which are kept: each so many.
        kept: The replies.

    """

    every: int
    kept: list[Reply] = field(default_factory=list)

    def note(self, index: int, reply: Reply) -> None:
        """Keep a reply, if it is its turn."""
        if index % self.every == 0 and reply.ok and len(reply.body) <= LARGEST_KEPT:
            self.kept.append(reply)

    def unreadable(self, adapter: Adapter) -> int:
        """Return how many hold no answer to one row."""
        return sum(not _is_answer(adapter, reply) for reply in self.kept)


@probe(
    "inference/load", title=Text(en="Load at the stated rate", ja="規定レートで負荷を測定"), seconds=10, exclusive=True
)
def latency(service: Service, serving: Serving, progress: Progress) -> Latency:
    """Send rows of the test set at ``serving.rate_per_second`` for ``serving.load_seconds``.

    Raises:
        NotMeasured: The contract states no rate or no limit.

    """
    if serving.rate_per_second is None or serving.latency_p99_ms is None:
        raise NotMeasured(
            Text(
                en="the contract states no response time, or no rate at which it must hold",
                ja="応答時間の目標か、それを満たすべきリクエスト頻度が契約に書かれていません",
            ),
            Text(
                en="set serving.latency_p99_ms and serving.rate_per_second in sekisho.toml",
                ja="sekisho.toml に serving.latency_p99_ms と serving.rate_per_second を書いてください",
            ),
        )
    rate = serving.rate_per_second
    least = values_needed(PERCENTILES["p99"], CONFIDENCE) + 10
    seconds = max(serving.load_seconds, min(least / rate, LONGEST))
    instance = service.main
    random = np.random.default_rng(SEED)
    picked = random.permutation(len(service.rows))[:PAYLOADS]
    requests = [instance.signed(service.adapter.one(service.rows[index])) for index in picked]
    moments = timetable(rate, WARM_UP + seconds)
    looked = Looked(every=len(moments) // MOST_READ + 1)
    load = run(
        fire(instance.url, requests, moments, trust=instance.trust, on_way=progress.advance, on_reply=looked.note)
    )
    instance.must_live()
    first = instance.first_reply
    if first is not None and not first.ok:  # the protocol was not known yet
        with service.another() as fresh:
            first = fresh.first_reply
    found = summary_of(
        load,
        counted=load.due >= WARM_UP,
        rate=rate,
        seconds=seconds,
        first_ms=None if first is None else first.seconds * 1e3,
        first_ok=None if first is None else first.ok,
        start_seconds=instance.start_seconds,
    )
    return replace(found, read=len(looked.kept), unreadable=looked.unreadable(service.adapter))


def _is_answer(adapter: Adapter, reply: Reply) -> bool:
    try:
        adapter.read_one(reply)
    except Unreadable:
        return False
    return True


def summary_of(
    load: Load,
    *,
    counted: NDArray[np.bool_],
    rate: float,
    seconds: float,
    first_ms: float | None = None,
    first_ok: bool | None = None,
    start_seconds: float | None = None,
) -> Latency:
    """Return what became of a load.

    Args:
        load: All of it.
        counted: Shape ``(n,)``, bool: the requests after the warm-up.
        rate: As in :class:`Latency`, like all that follow.
        seconds: How long was counted.
        first_ms: The first prediction.
        first_ok: Whether it succeeded.
        start_seconds: From the start until it was ready.

    """
    status = load.status[counted]
    milliseconds = np.sort(load.latency[counted] * 1e3)
    intervals = {name: quantile_interval(milliseconds, share, CONFIDENCE) for name, share in PERCENTILES.items()}
    edges = _edges(milliseconds)
    statuses, counts = np.unique(status[(status < 200) | (status > 299)], return_counts=True)
    return Latency(
        rate=rate,
        seconds=seconds,
        sent=len(status),
        unexpected={str(code): int(count) for code, count in zip(statuses, counts, strict=True)},
        percentiles={name: _rounded(interval) for name, interval in intervals.items() if interval is not None},
        edges_ms=tuple(round(float(edge), 4) for edge in edges),
        counts=tuple(int(count) for count in np.histogram(milliseconds, edges)[0]),
        largest_ms=round(float(milliseconds[-1]), 3),
        lag_p99_ms=round(float(np.quantile(load.lag[counted], 0.99)) * 1e3, 3),
        first_ms=None if first_ms is None else round(first_ms, 3),
        first_ok=first_ok,
        start_seconds=None if start_seconds is None else round(start_seconds, 3),
        cores=os.cpu_count() or 1,
    )


def _edges(milliseconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the edges of a histogram that is as fine at one millisecond as at one second."""
    low, high = max(float(milliseconds[0]), 0.01), max(float(milliseconds[-1]), 0.02)
    edges = np.geomspace(low, high, 41)
    edges[0], edges[-1] = 0.0 if low == 0.01 else low * 0.999, high * 1.001
    return edges


def _rounded(interval: Interval) -> Interval:
    return Interval(point=round(interval.point, 3), low=round(interval.low, 3), high=round(interval.high, 3))
