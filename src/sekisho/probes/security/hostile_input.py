"""What the service does with values of the wrong type, with numbers beyond all reason, and with bodies beyond all size."""

from __future__ import annotations

import asyncio
import re
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Self

import msgspec

from sekisho.artifact.signature import Feature
from sekisho.contract.sections import Serving
from sekisho.gate.probe import Progress, probe
from sekisho.probes.adapters.interface import Row, Unreadable
from sekisho.probes.resources.exposure import exposed
from sekisho.probes.resources.instance import Instance
from sekisho.probes.resources.series import exposition
from sekisho.probes.resources.service import Service
from sekisho.probes.wire.client import Client, run
from sekisho.probes.wire.message import Reply, Request, post
from sekisho.text import Text

FEATURES: Final = 8
"""How many features the type battery tries, the first of every kind among them."""
PATIENCE: Final = 10.0
"""Seconds after which an answer is given up."""
_REMARK: Final = re.compile(r"out_of_range|outlier|unseen|unknown_categor|clip|flag|anomal|suspicious|input_warning")
BYSTANDER_PAUSE: Final = 0.02
DOUBTFUL_MS: Final = 400.0
"""A wait of the bystander that is tried once more."""
BASELINE: Final = 0.4
"""Seconds that the bystander is watched before the first large body."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TypeTrial:
    """One value of the wrong type in one feature.

    Attributes:
        feature: Its name; ``*`` where the features as a whole are wrong.
        value: What was sent, in words.
        status: What came; 0 when no answer came.
        echoed: Whether the answer repeats the value.

    """

    feature: str
    value: str
    status: int
    echoed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ValueTrial:
    """One value that the model has never met in one feature.

    Attributes:
        feature: Its name.
        kind: ``out of range``, ``unseen category`` or ``beyond numbers``.
        value: What was sent, in words.
        status: What came; 0 when no answer came.
        flagged: Whether the answer remarks on it.
        same_as_edge: Whether the answer is that of the nearest value in range; ``None`` where there is none.
        is_hollow: Whether it was answered with success and holds no prediction.

    """

    feature: str
    kind: str
    value: str
    status: int
    flagged: bool
    same_as_edge: bool | None
    is_hollow: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SizeTrial:
    """One request that is too large in some way.

    Attributes:
        name: What is too large.
        sent_bytes: The length of its body.
        status: What came; 0 when no answer came.
        fault: Why no answer came.
        seconds: How long it took.
        answer_bytes: The length of the answer.
        worst_wait_ms: The longest that another client waited for a small request meanwhile.

    """

    name: str
    sent_bytes: int
    status: int
    fault: str | None
    seconds: float
    answer_bytes: int
    worst_wait_ms: float


@dataclass(frozen=True, kw_only=True, slots=True)
class HostileInput:
    """What became of every trial.

    Attributes:
        types, values, sizes: The trials.
        counted: By how much counters of remarkable inputs rose in the metrics while the values were sent.
        usual_wait_ms: The longest that another client waited for a small request before.
        memory_before, memory_peak: Resident bytes of the service and its children; ``None`` when it is not ours to see.
        still_answers: Whether a right request is answered afterwards.

    """

    types: tuple[TypeTrial, ...]
    values: tuple[ValueTrial, ...]
    sizes: tuple[SizeTrial, ...]
    counted: int
    usual_wait_ms: float
    memory_before: int | None
    memory_peak: int | None
    still_answers: bool


@probe(
    "security/hostile-input",
    title=Text(en="Send hostile values and sizes", ja="悪意ある値と巨大な本文を送信"),
    seconds=5,
    exclusive=True,
)
def hostile_input(service: Service, serving: Serving, progress: Progress) -> HostileInput:
    """Send wrong types, unheard-of values and oversized bodies; watch another client and the memory meanwhile."""
    instance = service.main
    types = _try_types(service, instance)
    progress.advance(0.2)
    before = _remarks_counted(service, instance)
    values = _try_values(service, instance)
    counted = _remarks_counted(service, instance) - before
    progress.advance(0.4)
    with _Memory(instance) as memory:
        usual, sizes = run(_try_sizes(service, serving, instance, progress))
    (after,) = instance.ask([service.adapter.one(service.rows[0])], timeout=PATIENCE)
    return HostileInput(
        types=types,
        values=values,
        sizes=sizes,
        counted=counted,
        usual_wait_ms=round(usual * 1e3, 3),
        memory_before=memory.before,
        memory_peak=memory.peak,
        still_answers=after.ok,
    )


# Types


def _try_types(service: Service, instance: Instance) -> tuple[TypeTrial, ...]:
    trials, requests, planted = [], [], []
    for feature in _some(service.signature.features):
        for words, value, canary in _wrong_types(feature):
            trials.append((feature.name, words))
            requests.append(service.adapter.one({**service.rows[0], feature.name: value}))
            planted.append(canary)
    for words, request in _wrong_shapes(service):
        trials.append(("*", words))
        requests.append(request)
        planted.append("")
    replies = instance.ask(requests, connections=4, timeout=PATIENCE)
    return tuple(
        TypeTrial(
            feature=name,
            value=words,
            status=reply.status,
            echoed=bool(canary) and "value" in exposed(reply, (canary,)),
        )
        for (name, words), canary, reply in zip(trials, planted, replies, strict=True)
    )


def _wrong_shapes(service: Service) -> Iterator[tuple[str, Request]]:
    """Yield rows with a feature too few or too many, by name or by position as the service takes them."""
    row, adapter = service.rows[0], service.adapter
    needed = [feature.name for feature in service.signature.features if not feature.nullable]
    if needed:
        yield "a feature missing", adapter.one({name: value for name, value in row.items() if name != needed[-1]})
    yield "an unknown feature", adapter.one({**row, f"unknown_{secrets.token_hex(4)}": 1.0})
    if adapter.both:
        yield "an unknown feature", adapter.one({**row, f"unknown_{secrets.token_hex(4)}": 1.0}, positional=True)


def _some(features: tuple[Feature, ...]) -> list[Feature]:
    firsts: dict[str, Feature] = {}
    for feature in features:
        firsts.setdefault(feature.kind, feature)
    chosen = list(firsts.values())
    chosen += [feature for feature in features if feature not in chosen]
    return chosen[:FEATURES]


def _wrong_types(feature: Feature) -> Iterator[tuple[str, object, str]]:
    """Yield what to send in place of a value, in words and as it is, and what of it must not come back."""
    canary = f"SECRET-{secrets.token_hex(6)}"
    if feature.kind in {"category", "text"} and not _is_numbered(feature):
        yield "an object", {canary: 1}, canary
    else:
        yield "a word", canary, canary
    yield "a list", [feature.example], ""
    if feature.kind in {"float", "integer"}:
        for text in (str(feature.example), "nan", "inf", " 1", "1e3", "\u0661"):
            yield f"the string {text!r}", text, ""
        yield "true", True, ""
        for text in ("NaN", "Infinity", "-Infinity"):
            yield text, msgspec.Raw(text.encode()), ""
    elif feature.kind == "boolean":
        yield "the string 'true'", "true", ""
    else:
        if not _is_numbered(feature):
            yield "a number", 4_111_000_123, ""
        yield "true", True, ""
    if not feature.nullable:
        yield "null", None, ""


# Values


def _try_values(service: Service, instance: Instance) -> tuple[ValueTrial, ...]:
    """Send every unheard-of value, beside the nearest usual one where there is one, else beside a usual row."""
    sent: list[tuple[str, str, str, Row, Row | None]] = []
    for feature in _some(service.signature.features):
        sent += [(feature.name, *trial) for trial in _unheard_of(feature, service.rows[0])]
    replies = iter(
        instance.ask(
            [service.adapter.one(row) for *_, row, edge in sent for row in (row, edge or service.rows[0])],
            connections=4,
            timeout=PATIENCE,
        )
    )
    trials = []
    for (name, kind, words, _, edge), reply, beside in zip(sent, replies, replies, strict=False):
        flags, answer = _answer(service, reply)
        edge_flags, edge_answer = _answer(service, beside)
        trials.append(
            ValueTrial(
                feature=name,
                kind=kind,
                value=words,
                status=reply.status,
                flagged=bool(set(flags) - set(edge_flags)),
                same_as_edge=None if edge is None or answer is None or edge_answer is None else answer == edge_answer,
                is_hollow=reply.ok and answer is None,
            )
        )
    return tuple(trials)


def _unheard_of(feature: Feature, row: Mapping[str, object]) -> Iterator[tuple[str, str, Row, Row | None]]:
    """Yield kind, words, the row to send, and the row at the edge of what is usual."""
    low, high = feature.minimum, feature.maximum
    if feature.kind in {"float", "integer"} and low is not None and high is not None:
        a, b = float(low), float(high)
        reach = max(b - a, abs(b), 1.0)
        for words, value, edge in (("far above", b + 10 * reach, high), ("far below", a - 10 * reach, low)):
            number = round(value) if feature.kind == "integer" else value
            yield "out of range", words, {**row, feature.name: number}, {**row, feature.name: edge}
        for words, text in (("1e300", b"1e300"), ("2^53+1", b"9007199254740993"), ("2^64", b"18446744073709551616")):
            yield "beyond numbers", words, {**row, feature.name: msgspec.Raw(text)}, None
        digits = msgspec.Raw(b"1" + b"0" * 4_999)
        yield "beyond numbers", "5,000 digits", {**row, feature.name: digits}, None
    elif feature.kind == "category":
        yield "unseen category", "a category never seen", {**row, feature.name: _never_seen(feature)}, None


def _never_seen(feature: Feature) -> object:
    if _is_numbered(feature):
        return max(int(category) for category in feature.categories or () if category is not None) + 1_000_003
    return "never-seen-before"


def _is_numbered(feature: Feature) -> bool:
    """Return whether whole numbers name the categories."""
    known = feature.categories or ()
    return bool(known) and all(isinstance(category, int) and not isinstance(category, bool) for category in known)


def _answer(service: Service, reply: Reply) -> tuple[tuple[str, ...], object]:
    """Return the remarks in an answer, and the answer itself; ``None`` when it is none."""
    if not reply.ok:
        return (), None
    try:
        answer = service.adapter.read_one(reply)
    except Unreadable:
        return (), None
    return answer.flags, (answer.labels, answer.probability)


def _remarks_counted(service: Service, instance: Instance) -> int:
    """Return how many remarkable inputs the metrics have counted so far, by the names of their counters."""
    target = service.adapter.routes.metrics
    if target is None:
        return 0
    (reply,) = instance.ask([Request(target=target)], timeout=PATIENCE)
    scrape = exposition(reply)
    return round(
        sum(value for (name, _), value in scrape.samples.items() if name.endswith("_total") and _REMARK.search(name))
    )


# Sizes


async def _try_sizes(
    service: Service, serving: Serving, instance: Instance, progress: Progress
) -> tuple[float, tuple[SizeTrial, ...]]:
    client, other = (Client(instance.url, timeout=PATIENCE, trust=instance.trust) for _ in range(2))
    small = instance.signed(service.adapter.one(service.rows[0]))
    waits: list[float] = []

    async def stand_by() -> None:
        while True:
            began = time.monotonic()
            await other.send(small)
            waits.append(time.monotonic() - began)
            await asyncio.sleep(BYSTANDER_PAUSE)

    bystander = asyncio.create_task(stand_by())
    try:
        await asyncio.sleep(BASELINE)
        usual, trials = max(waits, default=PATIENCE), []
        large = list(_too_large(service, serving))
        for step, (name, request) in enumerate(large):
            trial = await _one_size(client, instance, name, request, waits)
            if trial.worst_wait_ms > DOUBTFUL_MS:  # once more: what disturbs one of two is not the service
                again = await _one_size(client, instance, name, request, waits)
                trial = min(trial, again, key=lambda each: each.worst_wait_ms)
            trials.append(trial)
            progress.advance(0.4 + 0.6 * (step + 1) / len(large))
    finally:
        bystander.cancel()
        client.close()
        other.close()
    return usual, tuple(trials)


async def _one_size(client: Client, instance: Instance, name: str, request: Request, waits: list[float]) -> SizeTrial:
    waits.clear()
    began = time.monotonic()
    reply = await client.send(instance.signed(request))
    seconds = time.monotonic() - began
    await asyncio.sleep(3 * BYSTANDER_PAUSE)
    # a bystander that still waits has waited at least since its last answer
    return _size_trial(name, request, reply, seconds, max(waits, default=seconds))


def _size_trial(name: str, request: Request, reply: Reply, seconds: float, worst: float) -> SizeTrial:
    return SizeTrial(
        name=name,
        sent_bytes=len(request.body),
        status=reply.status,
        fault=reply.fault,
        seconds=round(seconds, 4),
        answer_bytes=len(reply.body),
        worst_wait_ms=round(worst * 1e3, 3),
    )


def _too_large(service: Service, serving: Serving) -> Iterator[tuple[str, Request]]:
    """Yield requests over one limit each: first one that is right but for its size, so that it is answered where there is no limit."""
    adapter, row = service.adapter, service.rows[0]
    good = adapter.one(row)
    size = serving.maximum_body_bytes + 2 * 1024 * 1024
    # What counts stands at the end: a service that reads as far as its limit does not see it.
    yield "body", post(good.target, b" " * size + good.body)
    first = service.signature.features[0].name
    yield "body in chunks", post(good.target, b" " * size + good.body, chunked=True)
    numbers = msgspec.Raw(b"[" + b"0," * (serving.maximum_body_bytes // 2 - len(good.body)) + b"0]")
    yield "a long list", adapter.one({**row, first: numbers})
    deep = msgspec.Raw(b"[" * 100_000 + b"]" * 100_000)
    yield "nesting", adapter.one({**row, first: deep})
    if good.body.startswith(b"{"):
        keys = b"".join(b'"k%d":0,' % number for number in range(100_000))
        yield "keys", post(good.target, b"{" + keys + good.body[1:])
    rows = adapter.many([row] * (serving.maximum_rows + 1))
    if rows is not None:
        yield "rows", rows


class _Memory:
    """Watches the resident memory of an instance inside a ``with`` block."""

    def __init__(self, instance: Instance) -> None:
        self._child = instance.child
        self._done = threading.Event()
        self.before = None if self._child is None else self._child.memory
        self.peak = self.before
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while self._child is not None and not self._done.wait(0.03):
            self.peak = max(self.peak or 0, self._child.memory or 0)
