"""What a row costs when it is asked by itself and when many go together, and what one bad row does to its batch."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from sekisho.contract.sections import Serving
from sekisho.gate.probe import Progress, probe
from sekisho.probes.adapters.interface import Row
from sekisho.probes.resources.exposure import marks_place, names_row
from sekisho.probes.resources.instance import Instance
from sekisho.probes.resources.service import Service
from sekisho.probes.wire.message import Reply, Request
from sekisho.text import Text

SIZES: Final = (1, 8, 64, 512)
ROUNDS: Final = 5
BAD_AT: Final = (3, 1)
"""Where the bad row stands in a batch of five, counted from zero, the first time and the second."""
BATCH: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What one row costs.

    Attributes:
        rows: Rows of a request; 0: a single row on its own route.
        milliseconds: Of the fastest of several requests, divided by its rows.

    """

    rows: int
    milliseconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Modes:
    """How the service takes rows.

    Attributes:
        single: What a row costs by itself; ``None`` when no single row was answered.
        batches: What it costs in batches of rising size; empty without a batch route.
        bad_row_status: The status of a batch in which one row is bad; ``None`` without a batch route.
        bad_row_named: Whether that answer says which row, wherever it stands.

    """

    single: Cost | None
    batches: tuple[Cost, ...]
    bad_row_status: int | None
    bad_row_named: bool


@probe(
    "inference/modes",
    title=Text(en="Compare single rows and batches", ja="1件ずつとバッチを比較"),
    seconds=3,
    exclusive=True,
)
def modes(service: Service, serving: Serving, progress: Progress) -> Modes:
    """Ask for single rows and for batches, one request after the other, and for a batch with one bad row."""
    instance, adapter = service.main, service.adapter
    rows = service.rows
    single = _cost(instance, [adapter.one(rows[index % len(rows)]) for index in range(ROUNDS * 4)], 0)
    batches = []
    for step, size in enumerate(size for size in SIZES if size <= serving.maximum_rows):
        progress.advance(0.2 + 0.15 * step)
        requests = [adapter.many(_some(rows, size, turn * size)) for turn in range(ROUNDS)]
        offered = [request for request in requests if request is not None]
        if not offered:
            break
        cost = _cost(instance, offered, size)
        if cost is not None:
            batches.append(cost)
    instance.must_live()
    bad = [request for place in BAD_AT if (request := _bad_batch(service, place)) is not None]
    replies = instance.ask(bad)
    return Modes(
        single=single,
        batches=tuple(batches),
        bad_row_status=max((reply.status or 599 for reply in replies), default=None),
        bad_row_named=bool(replies)
        and all(_says_row(reply, place) for reply, place in zip(replies, BAD_AT, strict=False)),
    )


def _some(rows: tuple[Row, ...], size: int, start: int) -> list[Row]:
    return [rows[(start + index) % len(rows)] for index in range(size)]


def _cost(instance: Instance, requests: list[Request], size: int) -> Cost | None:
    """Return what a row costs; ``None`` when no request succeeds."""
    instance.ask(requests[:1])
    times = []
    for request in requests:
        begun = time.perf_counter()
        (reply,) = instance.ask([request])
        if reply.ok:
            times.append(min(reply.seconds, time.perf_counter() - begun))
    return Cost(rows=size, milliseconds=round(min(times) * 1e3 / max(size, 1), 5)) if times else None


def _bad_batch(service: Service, place: int) -> Request | None:
    """Return a batch of five rows of which one has a value of a kind that its feature never has."""
    rows: list[dict[str, object]] = [dict(row) for row in _some(service.rows, BATCH, 0)]
    name = service.signature.names[0]
    rows[place][name] = {"not": "a value"}
    return service.adapter.many(rows)


def _says_row(reply: Reply, place: int) -> bool:
    """Return whether the answer names the bad row: by its number, or by a fault in its place and answers in all others."""
    body = reply.json()
    return names_row(body, place) or marks_place(body, place, BATCH)
