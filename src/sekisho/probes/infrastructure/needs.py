"""What one replica needs: memory at rest, under load and with the largest requests that are allowed, and processor time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sekisho.contract.sections import Serving
from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress, probe
from sekisho.probes.resources.instance import Instance
from sekisho.probes.resources.process import Child
from sekisho.probes.resources.service import Service
from sekisho.probes.wire.message import Reply, Request
from sekisho.text import Text

SINGLE: Final = 2_000
"""Single predictions whose processor time is counted."""
ROUNDS: Final = 3
"""How often the largest requests are sent, all workers at once."""
CONNECTIONS: Final = 8
MOSTLY: Final = 0.99
"""The part of usual rows that must be answered, so that what was measured is answering."""
EVERY: Final = 0.02
"""Seconds between two looks at the memory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """What one replica was seen to use.

    Attributes:
        workers: Its processes.
        rest_bytes: Memory when it is ready and nobody asks.
        load_bytes: The most while single rows were asked.
        peak_bytes: The most at any moment, the largest requests included.
        largest_rows: Rows of the largest request that it took; 1 when it has no batch route.
        processor_seconds: Processor time of a thousand single predictions, in seconds.

    """

    workers: int
    rest_bytes: int
    load_bytes: int
    peak_bytes: int
    largest_rows: int
    processor_seconds: float


@probe(
    "infrastructure/needs",
    title=Text(en="Measure memory and processor time", ja="メモリーと CPU 時間を測定"),
    seconds=6,
    exclusive=True,
)
def needs(service: Service, serving: Serving, progress: Progress) -> Needs:
    """Start a replica, ask it single rows and the largest batches that the contract allows, and look at its processes.

    Raises:
        NotMeasured: Somebody else started the service, or the system does not tell what processes use.

    """
    with service.another() as instance:
        child = instance.child
        rest = None if child is None else child.footprint
        if child is None or rest is None:
            raise NotMeasured(
                Text(
                    en="a service that is given by its address does not show its memory from here",
                    ja="アドレスで指定されたサービスのメモリーは、ここからは見えません",
                ),
                Text(
                    en="name its command in serving.command, so that it can be started here",
                    ja="ここで起動できるように serving.command でコマンドを指定してください",
                ),
            )
        rows = [service.rows[index % len(service.rows)] for index in range(SINGLE)]
        before = child.processor_seconds
        with _peak_of(child) as load:
            replies = instance.ask(
                [service.adapter.one(row) for row in rows], connections=CONNECTIONS, progress=progress, share=(0.0, 0.4)
            )
        instance.must_live(replies)
        _must_answer(replies)
        spent = child.processor_seconds - before
        progress.advance(0.5)
        largest, count = _largest(service, serving, instance)
        with _peak_of(child) as peak:
            if largest is not None:
                for _ in range(ROUNDS):
                    instance.ask(
                        [largest] * max(2, serving.workers), connections=max(2, serving.workers), timeout=120.0
                    )
                    progress.advance(0.8)
    return Needs(
        workers=serving.workers,
        rest_bytes=rest,
        load_bytes=max(load),
        peak_bytes=max(*peak, *load, rest),
        largest_rows=count,
        processor_seconds=round(spent / SINGLE * 1_000, 4),
    )


def _must_answer(replies: Sequence[Reply]) -> None:
    succeeded = sum(reply.ok for reply in replies)
    if succeeded < MOSTLY * len(replies):
        raise NotMeasured(
            Text(
                en=f"only {succeeded:,} of {len(replies):,} usual rows were answered: what the others would need is not known",
                ja=f"通常の行 {len(replies):,} 件中 {succeeded:,} 件にしか応答がなく、必要な資源を測れません",
            ),
            Text(en="see inference/api first", ja="先に inference/api を確認してください"),
        )


def _largest(service: Service, serving: Serving, instance: Instance) -> tuple[Request | None, int]:
    """Return the largest batch that the contract allows and the service takes, and its number of rows."""
    count = serving.maximum_rows
    request = service.adapter.many([service.rows[0]])
    if request is None:
        return None, 1
    sample = service.adapter.many(service.rows[:100])
    assert sample is not None
    each = len(sample.body) / len(service.rows[:100])
    count = max(1, min(count, int(serving.maximum_body_bytes * 0.95 / each)))
    while True:
        largest = service.adapter.many([service.rows[index % len(service.rows)] for index in range(count)])
        assert largest is not None
        (reply,) = instance.ask([largest], timeout=120.0)
        if not reply.refused or count == 1:
            return largest, count
        count = max(1, count // 2)  # the service has a limit of its own


@contextmanager
def _peak_of(child: Child) -> Iterator[list[int]]:
    """Note the memory of ``child`` again and again; at least once."""
    seen: list[int] = [child.footprint or 0]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(EVERY):
            seen.append(child.footprint or 0)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        time.sleep(EVERY)
        ended.set()
        thread.join()
