"""Whether the service's metrics can be read, and whether they count what happened."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sekisho.contract.sections import Serving
from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress, probe
from sekisho.probes.resources.instance import Instance
from sekisho.probes.resources.series import (
    Counted,
    Exposition,
    Sent,
    counted_by_counter,
    counted_by_histogram,
    exposition,
    never_falls,
)
from sekisho.probes.resources.service import Service
from sekisho.probes.wire.message import Reply, Request
from sekisho.text import Text

GOOD: Final = 40
BAD: Final = 17
"""How many right and wrong predictions are sent; two numbers that no other count is likely to be."""
STRANGERS: Final = 60
"""How many requests with random paths, agents and ids are sent."""
SCRAPES: Final = 10
FEWEST_WORKERS: Final = 2
CONNECTIONS: Final = 8
SETTLING: Final = 0.25
"""Seconds after which a service that counts in batches has counted."""
PATIENCE: Final = 3.0
"""Seconds at most until the counters have caught up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scrape:
    """What the metrics said before and after requests whose number is known.

    Attributes:
        target: Where they are.
        status, media_type: Of the answer.
        parses: Whether Prometheus' own parser reads it.
        families: The names of all metrics, by type.
        good, bad: Right and wrong predictions that were sent.
        counted_good, counted_bad: By how much the counter that fits best rose for each; ``None`` when there is none.
        counter: Its name.
        histogram: The latency histogram that rose with them; ``None`` when there is none.
        observed: By how much its count rose.
        bounds: Its finite upper bounds, in seconds.
        new_series: How many series were added by random paths, agents and ids.
        agree: Whether no counter fell from one scrape to the next, each on a new connection that any worker may answer.
        workers: Processes of the service, as far as they can be told.
        alone: Whether nobody else can have used the service meanwhile.

    """

    target: str
    status: int
    media_type: str
    parses: bool
    families: Mapping[str, str]
    good: int
    bad: int
    counted_good: int | None
    counted_bad: int | None
    counter: str | None
    histogram: str | None
    observed: int | None
    bounds: tuple[float, ...]
    new_series: int
    agree: bool
    workers: int
    alone: bool


@probe("monitoring/scrape", title=Text(en="Scrape the metrics", ja="メトリクスを取得"), seconds=4)
def scrape(service: Service, serving: Serving, progress: Progress) -> Scrape:
    """Send predictions whose number is known, over several connections and workers, and compare the counters.

    Raises:
        NotMeasured: The protocol has no route for metrics.

    """
    target = service.adapter.routes.metrics
    if target is None:
        raise NotMeasured(
            Text(en="no route for metrics is known", ja="メトリクスのルートが分かりません"),
            Text(en="set serving.mapping.metrics", ja="serving.mapping.metrics を指定してください"),
        )
    workers = max(FEWEST_WORKERS, serving.workers) if service.own else serving.workers
    with service.another(workers=workers) as instance:
        return _scrape(service, instance, target, workers, progress)


def _scrape(service: Service, instance: Instance, target: str, workers: int, progress: Progress) -> Scrape:
    good = service.adapter.one(service.rows[0])
    bad = service.adapter.one({**service.rows[0], service.signature.names[0]: {"wrong": "type"}})
    instance.ask([good, bad])  # the series that the first of each kind makes
    time.sleep(SETTLING)
    reply = _metrics(instance, target)
    before = exposition(reply)
    replies = instance.ask([good] * GOOD + [bad] * BAD, connections=CONNECTIONS)
    progress.advance(0.4)
    sent = Sent(good=sum(reply.ok for reply in replies), bad=sum(not reply.ok for reply in replies))
    route = service.adapter.routes.predict
    after, counted = _settled(instance, target, before, sent, route)
    progress.advance(0.6)
    new_series = _new_series(instance, target, good)
    progress.advance(0.8)
    again = [exposition(_metrics(instance, target)) for _ in range(SCRAPES)]
    histogram = counted_by_histogram(before, after, sent, route)
    return Scrape(
        target=target,
        status=reply.status,
        media_type=reply.media_type,
        parses=bool(before.types),
        families=before.types,
        good=sent.good,
        bad=sent.bad,
        counter=None if counted is None else counted.name,
        counted_good=None if counted is None else counted.good,
        counted_bad=None if counted is None else counted.bad,
        histogram=None if histogram is None else histogram.name,
        observed=None if histogram is None else histogram.good,
        bounds=() if histogram is None else after.bounds(histogram.name),
        new_series=new_series,
        agree=never_falls(again),
        workers=workers,
        alone=not service.is_remote,
    )


def _metrics(instance: Instance, target: str) -> Reply:
    """Scrape on a connection of its own, so that any worker may answer."""
    (reply,) = instance.ask([Request(target=target, headers=(("Accept", "text/plain"),))], timeout=10.0)
    return reply


def _settled(
    instance: Instance, target: str, before: Exposition, sent: Sent, route: str
) -> tuple[Exposition, Counted | None]:
    """Scrape until the counters have caught up, which they may do a little after the answers."""
    deadline = time.monotonic() + (PATIENCE if before.types else 0.0)
    while True:
        after = exposition(_metrics(instance, target))
        counted = counted_by_counter(before, after, sent, route)
        if (
            counted is not None and (counted.good, counted.bad) == (sent.good, sent.bad)
        ) or time.monotonic() > deadline:
            return after, counted
        time.sleep(SETTLING)


def _new_series(instance: Instance, target: str, good: Request) -> int:
    """Return how many series random paths, agents, ids and keys add, beyond those that the first few add."""
    counts = []
    for count in (6, STRANGERS):
        requests = []
        for _ in range(count // 3):
            name = secrets.token_hex(8)
            headers = (("User-Agent", f"agent-{name}"), ("X-Request-ID", name))
            requests += [
                Request(target=f"/no-such-route-{name}", headers=headers),
                good.with_headers(*headers),
                Request(target=f"{target}/{name}?q={name}", headers=headers),
            ]
        instance.ask(requests, connections=CONNECTIONS)
        time.sleep(SETTLING)
        counts.append(len(exposition(_metrics(instance, target)).samples))
    return counts[1] - counts[0]
