"""How many requests the service lets through when one key sends three times as many as it may."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from sekisho.contract.sections import Security, Serving
from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress, probe
from sekisho.probes.resources.instance import TOO_MANY, Caller, Instance
from sekisho.probes.resources.service import Service
from sekisho.probes.wire.client import run
from sekisho.probes.wire.load import Load, fire, success, timetable
from sekisho.probes.wire.message import Reply, Request
from sekisho.text import Text

TIMES: Final = 3
"""How many times the limit is sent."""
SECONDS: Final = 3
"""How long: whole seconds, so that a limiter with windows of a second and one with tokens let the same number through."""
FEWEST_WORKERS: Final = 2
OWN_LIMIT: Final = 100.0
"""Requests per second at most that Sekisho's own server is set to for the flood; its mechanism does not depend on the number."""
OTHER_ADDRESS: Final = "127.0.0.2"
"""Where another caller comes from when nobody has a key, and callers can be told apart by their address alone."""
SECOND_RATE: Final = 5.0
"""Requests per second of the other key."""
CONNECTIONS: Final = 64
"""Connections that the flood is spread over: workers share connections, not requests."""
RUN_IN: Final = 0.3
"""Seconds of flood after the burst is used up, before anything counts."""
SHARE: Final = 0.05
"""The part of all connections from which on a process counts as one that was reached."""
FEWEST_CONNECTIONS: Final = 16
FASTEST: Final = 3_000.0
"""Requests per second that the load generator can surely send."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flood:
    """What became of the flood.

    Attributes:
        limit: Requests per second and key that were allowed; ``None`` when the contract states no limit, and nothing was sent.
        burst: Requests allowed at once, which were used up before the count began.
        workers: Processes of the service, as far as they can be told.
        seconds: How long the flood lasted after that.
        sent: Requests that were due or answered in that time.
        accepted: How many were answered with success in that time.
        limited: How many were refused with 429.
        other: Other statuses, and how many.
        retry_after: How many of the refusals say when to come back.
        accepted_per_second: Successes of each second.
        accepted_in_all: Successes since the first request, those of the burst among them.
        seconds_in_all: From the first request to the last success.
        pause: The longest time without any answer, in seconds: the machine, the service or the generator stood still.
        second_sent, second_accepted: Requests of another caller meanwhile; ``None`` when there was none: no second key.
        lag_p99_ms: How late the load generator itself was, at its 99th percentile.
        heard: How many requests were answered in that time, whatever the answer.
        spoofed_accepted: How many of the successes were of requests that named other addresses in ``X-Forwarded-For``.
        elsewhere_sent, elsewhere_accepted: Requests of the same key to the batch route meanwhile; ``None`` when there is none.
        busy_workers: How many processes held a good part of the connections; ``None`` where that cannot be told.

    """

    limit: float | None
    burst: int
    workers: int
    seconds: float
    sent: int
    accepted: int
    limited: int
    other: Mapping[str, int]
    retry_after: int
    accepted_per_second: tuple[int, ...]
    accepted_in_all: int
    seconds_in_all: float
    pause: float
    second_sent: int | None
    second_accepted: int | None
    lag_p99_ms: float
    heard: int | None = None
    spoofed_accepted: int = 0
    elsewhere_sent: int | None = None
    elsewhere_accepted: int | None = None
    busy_workers: int | None = None


_NOTHING: Final = Flood(
    limit=None,
    burst=0,
    workers=0,
    seconds=0.0,
    sent=0,
    accepted=0,
    limited=0,
    other={},
    retry_after=0,
    accepted_per_second=(),
    accepted_in_all=0,
    seconds_in_all=0.0,
    pause=0.0,
    second_sent=None,
    second_accepted=None,
    lag_p99_ms=0.0,
)


@probe(
    "security/flood", title=Text(en="Flood from one key", ja="1つのキーから過負荷をかける"), seconds=6, exclusive=True
)
def flood(service: Service, security: Security, serving: Serving, progress: Progress) -> Flood:
    """Use up the burst, then send three times the limit from one key for some seconds, and a little from another.

    Raises:
        NotMeasured: The contract states a limit that cannot be tried from here.

    """
    if security.rate_limit is None:
        return _NOTHING
    limit = min(security.rate_limit, OWN_LIMIT) if service.own else security.rate_limit
    if limit * TIMES > FASTEST:
        raise NotMeasured(
            Text(
                en=f"a limit of {limit:g} requests per second is more than can be tried from here",
                ja=f"毎秒 {limit:g} 件の制限は、ここからの負荷では試せません",
            ),
            Text(
                en="try the limit with a load generator on other machines, and sign off the box with its result",
                ja="別のマシンの負荷生成ツールで確認し、その結果で承認（sign-off）してください",
            ),
        )
    burst = security.burst or max(1, math.ceil(limit))
    asked = _Asked(one=service.adapter.one(service.rows[0]), many=service.adapter.many(service.rows[:1]))
    workers = max(FEWEST_WORKERS, serving.workers) if service.own else serving.workers
    with service.another(workers=workers, rate_limit=limit) as instance:
        spread = _Spread(instance=instance, progress=progress)
        # A caller that comes from a trusted proxy may name other addresses; no test then.
        spoofs = not security.trusted_proxies
        found = run(_flood(asked, instance, limit, burst, workers, spread, spoofs=spoofs))
        instance.must_live()
    return replace(found, busy_workers=spread.workers)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """What is asked: a row by itself, and one on the batch route; ``None`` where there is none of its own."""

    one: Request
    many: Request | None


@dataclass(kw_only=True, slots=True)
class _Spread:
    """Looks once, in the middle of the flood, at which processes hold its connections.

    Attributes:
        instance: What is flooded.
        progress: Where to say how far it is.
        workers: How many processes hold a good part of the connections; ``None`` where that cannot be told.

    """

    instance: Instance
    progress: Progress
    workers: int | None = None
    has_looked: bool = False

    def on_way(self, fraction: float) -> None:
        """Look, when it is time."""
        self.progress.advance(fraction)
        if fraction < 0.5 or self.has_looked or self.instance.child is None:
            return
        self.has_looked = True
        held = self.instance.child.callers(urlsplit(self.instance.url).port or 0).values()
        if sum(held) >= FEWEST_CONNECTIONS:
            self.workers = sum(each >= SHARE * sum(held) for each in held)


async def _flood(
    asked: _Asked,
    instance: Instance,
    limit: float,
    burst: int,
    workers: int,
    spread: _Spread,
    *,
    spoofs: bool,
) -> Flood:
    request = asked.one
    seconds = SECONDS * max(1.0, math.ceil(10 / (limit * SECONDS)))  # a slow limit needs time to let some through
    # First enough to use up the burst and what grows back meanwhile, then on without a pause: a pause would fill it again.
    rate = max(limit * TIMES, burst * 4.0)
    start = burst / (rate - limit) + RUN_IN
    moments = timetable(rate, start)
    moments += [start + moment for moment in timetable(limit * TIMES, seconds)]
    retry_after = 0

    def note(index: int, reply: Reply) -> None:
        nonlocal retry_after
        if reply.status == TOO_MANY and moments[index] >= start:
            retry_after += _says_when(reply.headers.get("retry-after", ""))

    # Every other request says that it comes from elsewhere: only a proxy that is trusted may say so.
    elsewheres = [request.with_headers(("X-Forwarded-For", f"198.51.100.{number}")) for number in range(1, 201)]
    spoofed = elsewheres if spoofs else [request]
    loads = [
        fire(
            instance.url,
            [instance.signed(each) for other in spoofed for each in (request, other)],
            moments,
            spread=CONNECTIONS,
            trust=instance.trust,
            on_reply=note,
            on_way=spread.on_way,
        )
    ]
    beside_moments = [start + moment for moment in timetable(SECOND_RATE, seconds)]
    if instance.keys.second is not None:
        loads.append(
            fire(instance.url, [instance.signed(request, Caller.SECOND)], beside_moments, trust=instance.trust)
        )
    elif instance.keys.full is None and instance.url.startswith("http://127.0.0.1:") and _has_other_address():
        loads.append(fire(instance.url, [request], beside_moments, source=OTHER_ADDRESS))
    has_second = len(loads) > 1
    if asked.many is not None and asked.many.target != request.target:
        elsewhere = [start + moment for moment in timetable(limit, seconds)]
        loads.append(fire(instance.url, [instance.signed(asked.many)], elsewhere, trust=instance.trust))
    load, *beside = await asyncio.gather(*loads)
    return _summary(
        load,
        beside[0].status if has_second else None,
        beside[has_second].status if len(beside) > has_second else None,
        spoofs=spoofs,
        start=start,
        seconds=seconds,
        limit=limit,
        burst=burst,
        workers=workers,
        retry_after=retry_after,
    )


def _says_when(text: str) -> bool:
    """Return whether a refusal says when to return: seconds, or a date (RFC 9110, section 10.2.3)."""
    if text.strip().isdecimal():
        return True
    try:
        parsedate_to_datetime(text)
    except ValueError:
        return False
    return True


def _has_other_address() -> bool:
    """Return whether this machine has the other address: Linux has all of 127.0.0.0/8, other systems need not."""
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.bind((OTHER_ADDRESS, 0))
        return True
    return False


def _summary(
    load: Load,
    second: NDArray[np.int64] | None,
    elsewhere: NDArray[np.int64] | None,
    *,
    spoofs: bool,
    start: float,
    seconds: float,
    limit: float,
    burst: int,
    workers: int,
    retry_after: int,
) -> Flood:
    counted = load.due >= start
    status = load.status[counted]
    rest = status[~success(status) & (status != TOO_MANY)]
    statuses, counts = np.unique(rest, return_counts=True)
    # Successes count by the moment of the answer: a service that falls behind answers later, when more is allowed.
    moments = load.due + load.latency - start
    passed = success(load.status)
    answered = moments[passed]
    heard = moments[(load.status > 0) & (moments >= 0) & (moments < seconds)]
    is_spoofed = np.arange(len(load.status)) % 2 == 1
    inside = passed & (moments >= 0) & (moments < seconds)
    per_second = np.bincount(answered[(answered >= 0) & (answered < seconds)].astype(np.int64), minlength=int(seconds))
    return Flood(
        limit=limit,
        burst=burst,
        workers=workers,
        seconds=seconds,
        sent=int((counted | inside).sum()),
        accepted=int(per_second.sum()),
        limited=int((status == TOO_MANY).sum()),
        other={str(code): int(count) for code, count in zip(statuses, counts, strict=True)},
        retry_after=retry_after,
        accepted_per_second=tuple(int(count) for count in per_second),
        accepted_in_all=len(answered),
        seconds_in_all=round(start + float(answered.max(initial=0.0)), 3),
        pause=round(float(np.diff(np.sort(moments)).max(initial=0.0)), 3),
        heard=len(heard),
        spoofed_accepted=int((inside & is_spoofed).sum()) if spoofs else 0,
        elsewhere_sent=None if elsewhere is None else len(elsewhere),
        elsewhere_accepted=None if elsewhere is None else int(success(elsewhere).sum()),
        second_sent=None if second is None else len(second),
        second_accepted=None if second is None else int(success(second).sum()),
        lag_p99_ms=round(float(np.quantile(load.lag, 0.99)) * 1e3, 3),
    )
