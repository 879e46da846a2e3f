"""Whether the service gives the answers of the model, on every route, in every order, alone and in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.signature import Output
from sekisho.contract.sections import Serving
from sekisho.gate.probe import Progress, probe
from sekisho.predict.naming import class_name
from sekisho.probes.adapters.interface import Answer, Row, Scalar, Unreadable, class_of, is_number
from sekisho.probes.resources.service import Service
from sekisho.probes.wire.message import Reply, Request
from sekisho.text import Text

ROWS: Final = 1_000
"""How many rows of the test set are compared; all of them when there are fewer."""
FEWER: Final = 200
"""How many for the forms that differ in spelling alone."""
TOLERANCE: Final = 1e-6
"""How far a value may be off, relative beyond 1."""
SEED: Final = 20_240_601
CONNECTIONS: Final = 4
CROWD: Final = 16
"""How many callers ask at once, so that an answer that goes to another caller is seen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """One way to ask the same rows.

    Attributes:
        name: Such as ``single``, ``batch of 7``, ``names shuffled``.
        against: What its answers are compared with: ``offline`` (the artifact, without a server) or ``single``.
        rows: How many rows were asked.
        unanswered: How many of them got no answer.
        other_labels: How many got another label (for a regressor: a value more than 1e-6 away, relative beyond 1).
        largest_gap: The largest difference of a probability or value; ``None`` when neither gives one.

    """

    name: str
    against: str
    rows: int
    unanswered: int
    other_labels: int
    largest_gap: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedParity:
    """The same rows asked in many ways.

    Attributes:
        available: How many rows of the test set fit the signature.
        offline: Whether there was an artifact to compare with.
        forms: Every way.

    """

    available: int
    offline: bool
    forms: tuple[Form, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Expected:
    """What one row should be answered.

    Attributes:
        labels: The class label or the value; every one of several answers by name.
        classes: The probability of every class, by the label's text; empty when unknown.
        scores: What "the probability" may be: that of the label in some services, that of the positive class in others.

    """

    labels: Mapping[str, Scalar]
    classes: Mapping[str, float]
    scores: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Way:
    """Requests for the rows at ``order``; ``size`` rows in each, or one by itself when it is ``None``."""

    name: str
    order: list[int]
    requests: list[Request]
    size: int | None = None
    connections: int = CONNECTIONS


@probe("inference/parity", title=Text(en="Compare served answers", ja="応答を照合"), seconds=4)
def parity(service: Service, serving: Serving, artifact: ModelArtifact | None, progress: Progress) -> ServedParity:
    """Ask up to a thousand rows alone, by name and by position, shuffled, in batches, and as invocations."""
    random, instance = np.random.default_rng(SEED), service.main
    picked = np.sort(random.permutation(len(service.rows))[:ROWS])
    rows = [service.rows[index] for index in picked]
    replies = instance.ask(
        [service.adapter.one(row) for row in rows], connections=CONNECTIONS, progress=progress, share=(0.0, 0.5)
    )
    instance.must_live(replies)
    single = [_one(service, reply) for reply in replies]
    regression = service.signature.output.numeric
    if artifact is None:
        truth, against = [None if answer is None else _from_answer(answer) for answer in single], "single"
        forms = []
    else:
        truth, against = _offline(artifact, service, picked), "offline"
        forms = [_compare("single", against, single, truth, regression=regression)]
    ways = list(_ways(service, serving, rows, random))
    for step, way in enumerate(ways):
        progress.advance(0.5 + 0.5 * step / len(ways))
        replies = instance.ask(way.requests, connections=way.connections)
        instance.must_live(replies)
        answers = _spread(service, way, replies)
        forms.append(_compare(way.name, against, answers, [truth[index] for index in way.order], regression=regression))
    return ServedParity(available=len(service.rows), offline=artifact is not None, forms=tuple(forms))


def _ways(
    service: Service, serving: Serving, rows: Sequence[Mapping[str, Scalar]], random: np.random.Generator
) -> Iterator[_Way]:
    adapter, count = service.adapter, len(rows)
    few = list(range(min(FEWER, count)))
    names = service.signature.names
    at_once = [adapter.one(rows[index]) for index in few]
    yield _Way(name=f"{CROWD} at once", order=few, requests=at_once, connections=CROWD)
    if adapter.named:
        shuffled = [{names[at]: rows[index][names[at]] for at in random.permutation(len(names))} for index in few]
        yield _Way(name="names shuffled", order=few, requests=[adapter.one(row) for row in shuffled])
    if adapter.both:
        yield _Way(name="by position", order=few, requests=[adapter.one(rows[index], positional=True) for index in few])
    most = min(count, serving.maximum_rows)
    for size in sorted({1, 7, min(100, most), most}):
        if size <= most:
            order = random.permutation(count)[: FEWER // size * size if size < 100 else count].tolist()
            yield from _in_batches(f"batch of {size}", adapter.many, rows, order, size)
    yield from _in_batches("invocations", adapter.invocation, rows, list(range(count)), min(100, serving.maximum_rows))


def _in_batches(
    name: str,
    encode: Callable[[Sequence[Row]], Request | None],
    rows: Sequence[Row],
    order: list[int],
    size: int,
) -> Iterator[_Way]:
    requests = [encode([rows[at] for at in order[start : start + size]]) for start in range(0, len(order), size)]
    offered = [request for request in requests if request is not None]
    if offered:
        yield _Way(name=name, order=order, requests=offered, size=size)


def _one(service: Service, reply: Reply) -> Answer | None:
    try:
        return service.adapter.read_one(reply) if reply.ok else None
    except Unreadable:
        return None


def _spread(service: Service, way: _Way, replies: Sequence[Reply]) -> list[Answer | None]:
    """Return one answer for each row; a batch that fails, or has another length, leaves all its rows without."""
    if way.size is None:
        return [_one(service, reply) for reply in replies]
    answers: list[Answer | None] = []
    for start, reply in zip(range(0, len(way.order), way.size), replies, strict=True):
        count = min(way.size, len(way.order) - start)
        try:
            given: list[Answer] = service.adapter.read_many(reply) if reply.ok else []
        except Unreadable:
            given = []
        answers += given if len(given) == count else [None] * count
    return answers


def _offline(artifact: ModelArtifact, service: Service, picked: NDArray[np.int64]) -> list[_Expected | None]:
    """Return what the artifact itself answers, without a server."""
    outputs = artifact.predict(service.table.take(picked))
    output = service.signature.output
    labels = outputs.values.tolist()
    if output.outputs:
        return _several(output, labels, outputs.probabilities)
    if outputs.probabilities is None:
        return [_Expected(labels={"": label}, classes={}, scores=()) for label in labels]
    classes = [str(label) for label in output.classes or ()]
    expected: list[_Expected | None] = []
    for label, scores in zip(labels, outputs.probabilities.tolist(), strict=True):
        of_class = dict(zip(classes, scores, strict=True))
        readings = (of_class[str(label)], scores[1]) if len(scores) == 2 else (of_class[str(label)],)
        expected.append(_Expected(labels={"": label}, classes=of_class, scores=readings))
    return expected


def _several(
    output: Output, rows: Sequence[Sequence[Scalar]], probabilities: NDArray[np.float64] | None
) -> list[_Expected | None]:
    """Return what an artifact that gives several answers a row answers."""
    names = [one.name for one in output.outputs]
    classes = [class_of(one.name, class_name(label)) for one in output.outputs for label in one.classes or ()]
    stated: list[list[float]] = [[]] * len(rows) if probabilities is None else probabilities.tolist()
    return [
        _Expected(
            labels=dict(zip(names, row, strict=True)), classes=dict(zip(classes, scores, strict=False)), scores=()
        )
        for row, scores in zip(rows, stated, strict=True)
    ]


def _from_answer(answer: Answer) -> _Expected:
    scores = () if answer.probability is None else (answer.probability,)
    return _Expected(labels=dict(answer.labels), classes=answer.probabilities, scores=scores)


def _compare(
    name: str,
    against: str,
    answers: Sequence[Answer | None],
    expected: Sequence[_Expected | None],
    *,
    regression: bool,
) -> Form:
    pairs = [(a, e) for a, e in zip(answers, expected, strict=True) if a is not None and e is not None]
    if regression:
        gaps = [_farthest(dict(answer.labels), right.labels) for answer, right in pairs]
        other = sum(gap is None or gap > TOLERANCE for gap in gaps)
    else:
        gaps = _score_gaps(pairs)
        other = sum(not _same_labels(dict(answer.labels), right.labels) for answer, right in pairs)
    known = [gap for gap in gaps if gap is not None]
    return Form(
        name=name,
        against=against,
        rows=len(answers),
        unanswered=len(answers) - len(pairs),
        other_labels=other,
        largest_gap=max(known) if known else None,
    )


def _score_gaps(pairs: Sequence[tuple[Answer, _Expected]]) -> list[float | None]:
    """Return how far each probability is off, under that reading of "the probability" which fits all rows best."""
    if all(answer.probabilities and right.classes for answer, right in pairs):
        return [_largest_of_classes(answer.probabilities, right.classes) for answer, right in pairs]
    readings = min((len(right.scores) for _, right in pairs), default=0)
    each: list[list[float | None]] = [
        [None if answer.probability is None else abs(answer.probability - right.scores[at]) for answer, right in pairs]
        for at in range(readings)
    ]
    return min(each, key=lambda gaps: max((gap for gap in gaps if gap is not None), default=0.0), default=[])


def _largest_of_classes(given: Mapping[str, float], right: Mapping[str, float]) -> float:
    return max(abs(given.get(name, 0.0) - right.get(name, 0.0)) for name in {*given, *right})


def _farthest(one: Mapping[str, Scalar], other: Mapping[str, Scalar]) -> float | None:
    """Return how far two answers are apart where they differ most; ``None`` where one is no number, or missing."""
    if one.keys() != other.keys():
        return None
    gaps = [_distance(value, other[name]) for name, value in one.items()]
    known = [gap for gap in gaps if gap is not None]
    return max(known) if len(known) == len(gaps) else None


def _same_labels(one: Mapping[str, Scalar], other: Mapping[str, Scalar]) -> bool:
    return one.keys() == other.keys() and all(_same_label(label, other[name]) for name, label in one.items())


def _distance(one: Scalar, other: Scalar) -> float | None:
    if not is_number(one) or not is_number(other):
        return None
    return abs(one - other) / max(1.0, abs(other))


def _same_label(one: Scalar, other: Scalar) -> bool:
    """Return whether two labels are the same; 1 and 1.0 are, 1 and "1" are not."""
    return one == other if is_number(one) and is_number(other) else type(one) is type(other) and one == other
