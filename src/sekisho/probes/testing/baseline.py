"""The load test of the last release: a file beside the project, and whether this one may be compared with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import Meta

from sekisho.contract.project import Project
from sekisho.errors import NotMeasured
from sekisho.files import write_atomically
from sekisho.gate.machine import machine_facts
from sekisho.gate.probe import probe
from sekisho.probes.inference.latency import Latency
from sekisho.probes.statistics.intervals import Interval
from sekisho.text import Text

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_FILE: Final = 1024 * 1024
SAME_RATE: Final = 0.01
"""Rates that differ by no more than this part are one scenario."""


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A load test as it is kept: scenario, percentiles, histogram, machine.

    Attributes:
        format: The number of this layout.
        rate, seconds, sent: The scenario: requests per second, for how long, how many.
        percentiles: In milliseconds, with their 95 % intervals.
        edges_ms, counts: The histogram.
        machine: Processor, cores, memory, operating system.

    """

    format: Literal[1] = 1
    rate: Annotated[float, Meta(gt=0)]
    seconds: Annotated[float, Meta(gt=0)]
    sent: Annotated[int, Meta(ge=1)]
    percentiles: dict[str, Interval]
    edges_ms: tuple[float, ...]
    counts: tuple[int, ...]
    machine: dict[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """What the last release reached.

    Attributes:
        file: Where it stands, from the project's folder; ``None``: none is named.
        rate: Requests per second.
        percentiles: In milliseconds, with their intervals.
        same_machine: Whether it was measured on a machine like this one.
        is_whole: Whether it sent what was due at its rate, and its histogram holds all of it.

    """

    file: str | None
    rate: float
    percentiles: dict[str, Interval]
    same_machine: bool
    is_whole: bool = True


@probe(
    "testing/baseline",
    title=Text(en="Read the load test of the last release", ja="前回リリースの負荷試験を読む"),
    seconds=0.2,
)
def baseline(project: Project) -> Baseline:
    """Read the file that the contract names.

    Raises:
        NotMeasured: It is named and not there, or is no such record.

    """
    name = project.contract.tests.load_baseline
    if name is None:
        return Baseline(file=None, rate=0.0, percentiles={}, same_machine=False)
    record = read_record(project.path(name), where=name)
    return Baseline(
        file=name,
        rate=record.rate,
        percentiles=record.percentiles,
        same_machine=_alike(record.machine) == _alike(machine_facts()),
        is_whole=_is_whole(record),
    )


def _is_whole(record: Record) -> bool:
    due = record.rate * record.seconds
    return abs(record.sent - due) <= max(2.0, SAME_RATE * due) and sum(record.counts) == record.sent


def read_record(path: Path, *, where: str) -> Record:
    """Return the load test kept in a file.

    Raises:
        NotMeasured: It is not there, or is no such record.

    """
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_FILE)
        return msgspec.json.decode(data, type=Record)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        raise NotMeasured(
            Text(en="this is no kept load test", ja="保存された負荷試験の結果ではありません"),
            Text(
                en="make it with sekisho load URL --save FILE on the released version",
                ja="リリース済みの版に対して sekisho load URL --save FILE で作成してください",
            ),
            where=where,
        ) from None


def write_record(path: Path, latency: Latency) -> None:
    """Keep a load test in a file.

    Raises:
        OSError: It cannot be written.

    """
    record = Record(
        rate=latency.rate,
        seconds=latency.seconds,
        sent=latency.sent,
        percentiles=dict(latency.percentiles),
        edges_ms=latency.edges_ms,
        counts=latency.counts,
        machine=machine_facts(),
    )
    write_atomically(path, msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")


def _alike(machine: dict[str, str]) -> tuple[str | None, str | None]:
    return machine.get("processor"), machine.get("cores")
