"""Asking for odd rows: through the running service, or the artifact itself behind a fence; and what became of each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol

import msgspec

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.column import Scalar
from sekisho.artifact.formats.interface import Outputs
from sekisho.artifact.formats.onnx import OnnxFormat
from sekisho.artifact.signature import Output, Signature
from sekisho.errors import InvalidInput, ModelFailed, SekishoError
from sekisho.predict.answers import Answers
from sekisho.predict.fence import Fence, FencedRuntime
from sekisho.predict.predictor import Predictor, Prepared
from sekisho.probes.adapters.interface import Answer, Unreadable, class_of
from sekisho.probes.resources.labels import spelling
from sekisho.probes.resources.service import Service
from sekisho.probes.wire.message import Reply, Request
from sekisho.text import Text

Row = Mapping[str, object]
Outcome = Literal["answered", "refused", "failed"]

_AGAIN: Final = "\u0001again"
AT_ONCE: Final = 256
"""Rows of one request, where only the answers matter."""
PATIENCE: Final = 5.0
"""Seconds beyond the deadline of the service after which a request has hung."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What became of one row.

    Attributes:
        outcome: ``answered`` with a finite answer of the declared kind, ``refused`` as the caller's fault, or ``failed``.
        words: The status or the code; of a failure, what was wrong.
        flagged: Whether the answer remarks on the row.
        answer: What was answered.

    """

    outcome: Outcome
    words: str
    flagged: bool = False
    answer: Answer | None = None


class Asker(Protocol):
    """Somebody who answers rows."""

    signature: Signature
    through: str

    def ask(self, rows: Sequence[Row]) -> list[Told]:
        """Ask for each row by itself."""
        ...

    def ask_in_turn(self, rows: Sequence[Row]) -> list[Told]:
        """Ask for one row after the other, so that nobody can put them together."""
        ...

    def ask_together(self, rows: Sequence[Row]) -> Told | None:
        """Ask for all rows in one request; ``None`` when there is no way to."""
        ...

    def answers(self, rows: Sequence[Row]) -> list[Told]:
        """Ask for all rows in few requests where that works, else for each by itself."""
        ...


class ServiceAsker:
    """Asks the running service."""

    through = "service"

    def __init__(self, service: Service, *, deadline_ms: int) -> None:
        self.signature = service.signature
        self._service = service
        self._timeout = deadline_ms / 1_000 + PATIENCE

    def ask(self, rows: Sequence[Row]) -> list[Told]:
        """Ask for each row by itself, four at a time."""
        adapter = self._service.adapter
        return [self._told(reply, 1) for reply in self._send([adapter.one(_wire(row)) for row in rows])]

    def ask_in_turn(self, rows: Sequence[Row]) -> list[Told]:
        """Ask for one row after the other on one connection."""
        adapter = self._service.adapter
        return [self._told(reply, 1) for reply in self._send([adapter.one(_wire(row)) for row in rows], connections=1)]

    def ask_together(self, rows: Sequence[Row]) -> Told | None:
        """Ask for all rows in one request."""
        request = self._service.adapter.many([_wire(row) for row in rows])
        if request is None:
            return None
        (reply,) = self._send([request])
        return self._told(reply, len(rows), batch=True)

    def ask_twice_named(self, row: Row, name: str) -> Told | None:
        """Ask for one row in which a name stands twice; ``None`` where rows do not go by name."""
        adapter = self._service.adapter
        if not adapter.named:
            return None
        request = adapter.one(_wire(row) | {_AGAIN: row[name]})
        written, name_written = msgspec.json.encode(_AGAIN), msgspec.json.encode(name)
        if written not in request.body:
            return None
        (reply,) = self._send([replace(request, body=request.body.replace(written, name_written))])
        return self._told(reply, 1)

    def answers(self, rows: Sequence[Row]) -> list[Told]:
        """Ask for all rows in few requests, where the service takes batches and answers them whole."""
        found: list[Told] = []
        for first in range(0, len(rows), AT_ONCE):
            some = rows[first : first + AT_ONCE]
            found += self._together(some) or self.ask(some)
        return found

    def _together(self, rows: Sequence[Row]) -> list[Told] | None:
        adapter = self._service.adapter
        request = adapter.many([_wire(row) for row in rows])
        if request is None:
            return None
        (reply,) = self._send([request])
        try:
            answers = adapter.read_many(reply) if reply.ok else []
        except Unreadable:
            return None
        if len(answers) != len(rows):
            return None
        output = self.signature.output
        return [
            Told(outcome="failed", words=fault)
            if (fault := _unsound(answer, output)) is not None
            else Told(outcome="answered", words="HTTP 200", flagged=bool(answer.flags), answer=answer)
            for answer in answers
        ]

    def _send(self, requests: Sequence[Request], *, connections: int = 4) -> list[Reply]:
        return self._service.main.ask(requests, connections=connections, timeout=self._timeout)

    def _told(self, reply: Reply, rows: int, *, batch: bool = False) -> Told:
        if reply.fault is not None:
            return Told(outcome="failed", words=f"no answer ({reply.fault})")
        if reply.refused:
            return Told(outcome="refused", words=f"HTTP {reply.status}")
        if not reply.ok:
            return Told(outcome="failed", words=f"HTTP {reply.status}")
        adapter = self._service.adapter
        try:
            answers = adapter.read_many(reply) if batch else [adapter.read_one(reply)]
        except Unreadable as error:
            return Told(outcome="failed", words=error.what.en)
        if len(answers) != rows:
            return Told(outcome="failed", words=f"{len(answers)} answers to {rows} rows")
        wrong = next(
            (fault for fault in (_unsound(answer, self.signature.output) for answer in answers) if fault), None
        )
        if wrong is not None:
            return Told(outcome="failed", words=wrong)
        return Told(
            outcome="answered",
            words=f"HTTP {reply.status}",
            flagged=any(answer.flags for answer in answers),
            answer=None if batch else answers[0],
        )


class ArtifactAsker:
    """Asks the artifact itself as the service would: a graph in this process, once a child has loaded it; anything else in the child."""

    through = "artifact"

    def __init__(self, artifact: ModelArtifact, child: FencedRuntime, *, deadline_ms: int) -> None:
        self.signature = artifact.signature
        runtime = artifact.runtime() if artifact.runtime_name == OnnxFormat.id else None
        self._predictor = Predictor(artifact.signature, runtime)
        self._in_process = runtime is not None
        self._child = child
        self._seconds = deadline_ms / 1_000

    def ask(self, rows: Sequence[Row]) -> list[Told]:
        """Ask for each row by itself."""
        return [self._ask([row])[0] for row in rows]

    def ask_in_turn(self, rows: Sequence[Row]) -> list[Told]:
        """Ask for one row after the other."""
        return self.ask(rows)

    def ask_together(self, rows: Sequence[Row]) -> Told | None:
        """Ask for all rows at once; the artifact knows no request without rows."""
        if not rows:
            return None
        told = self._ask(rows)
        return next((each for each in told if each.outcome != "answered"), told[0])

    def answers(self, rows: Sequence[Row]) -> list[Told]:
        """Ask for all rows, many at once; one that spoils the others is asked for by itself."""
        found: list[Told] = []
        for first in range(0, len(rows), AT_ONCE):
            some = rows[first : first + AT_ONCE]
            told = self._ask(some)
            found += told if all(each.outcome == "answered" for each in told) else self.ask(some)
        return found

    def _ask(self, rows: Sequence[Row]) -> list[Told]:
        """Return what became of each row; a fault of one is that of all."""
        try:
            read = [self._predictor.reader.read(_decoded(row), row=place) for place, row in enumerate(rows)]
            prepared = self._predictor.prepare(read)
            if prepared.findings is not None and prepared.findings.refusals:
                raise next(iter(prepared.findings.refusals.values()))
            answers = self._predictor.read(self._run(prepared), len(rows))
        except InvalidInput as refusal:
            return [Told(outcome="refused", words=refusal.code)] * len(rows)
        except ModelFailed as failure:
            return [Told(outcome="failed", words=f"{failure.code}: {failure.what.en}")] * len(rows)
        if answers.unsound:
            return [Told(outcome="failed", words="invalid_output")] * len(rows)
        flags = {} if prepared.findings is None else prepared.findings.flags
        return [
            Told(outcome="answered", words="answered", flagged=place in flags, answer=self._answer(answers, place))
            for place in range(len(rows))
        ]

    def _answer(self, answers: Answers, place: int) -> Answer:
        output = self.signature.output
        stated = () if answers.probabilities is None else answers.probabilities[place]
        answered = answers.predictions[place]
        if isinstance(answered, dict):
            each = [class_of(one.name, spelling(label)) for one in output.outputs for label in one.classes or ()]
            return Answer(label=None, outputs=answered, probabilities=dict(zip(each, stated, strict=False)))
        names = [spelling(label) for label in output.classes or ()]
        confidence = None if answers.confidence is None else answers.confidence[place]
        return Answer(
            label=answered,
            probability=confidence if isinstance(confidence, float) else None,
            probabilities=dict(zip(names, stated, strict=False)),
        )

    def _run(self, prepared: Prepared) -> Outputs:
        if self._in_process:
            return self._predictor.run(prepared)
        return self._child.run(self._predictor.columns(prepared), seconds=self._seconds)


@contextmanager
def opened(service: Service | None, artifact: ModelArtifact | None, *, deadline_ms: int) -> Iterator[Asker | None]:
    """Yield who can be asked: the service if it runs, else the artifact; ``None`` when neither is there.

    Raises:
        SekishoError: The service does not start and there is no artifact, or the artifact does not load.

    """
    if service is not None:
        try:
            _ = service.main
        except SekishoError:
            if artifact is None:
                raise
        else:
            yield ServiceAsker(service, deadline_ms=deadline_ms)
            return
    if artifact is None or artifact.folder is None:
        yield None
        return
    child = FencedRuntime(artifact.folder, Fence())
    try:
        child.wait_until_ready(Fence().start_seconds)
        yield ArtifactAsker(artifact, child, deadline_ms=deadline_ms)
    finally:
        child.stop()


def answers_apart(one: Answer, other: Answer) -> float:
    """Return the largest difference of two answers' scores, for values beside their size; infinity for other labels."""
    if [name for name, _ in sorted(one.labels)] != [name for name, _ in sorted(other.labels)]:
        return float("inf")
    after = dict(other.labels)
    values = [_labels_apart(label, after[name]) for name, label in one.labels]
    if any(values) or all(type(label) is float for _, label in one.labels):
        return max(values)
    scores = [abs(value - other.probabilities.get(name, math.nan)) for name, value in one.probabilities.items()]
    if one.probability is not None and other.probability is not None:
        scores.append(abs(one.probability - other.probability))
    largest = max(scores, default=0.0)
    return largest if math.isfinite(largest) else float("inf")


def _labels_apart(one: Scalar, other: Scalar) -> float:
    """Return how far two numbers are apart beside their size; infinity for other labels."""
    if float in {type(one), type(other)} and {type(one), type(other)} <= {int, float}:
        before, after = float(str(one)), float(str(other))
        return abs(before - after) / max(1.0, abs(before))
    return 0.0 if type(one) is type(other) and one == other else float("inf")


def _unsound(answer: Answer, output: Output) -> str | None:
    """Return what is wrong with an answer; ``None`` when it is one that the model declares."""
    if output.outputs:
        if answer.outputs.keys() != {one.name for one in output.outputs}:
            return "the answer lacks one of the model's outputs, or has others"
        stated = [Answer(label=answer.outputs[one.name]) for one in output.outputs]
        faults = (_unsound(each, one) for each, one in zip(stated, output.outputs, strict=True))
        return next((fault for fault in faults if fault is not None), _unlikely(answer))
    if output.task == "regression":
        if isinstance(answer.label, bool | str) or answer.label is None or not math.isfinite(answer.label):
            return "the answer is no finite number"
        return None
    if output.classes is not None and spelling(answer.label) not in {spelling(label) for label in output.classes}:
        return "the answer is no class of the model"
    return _unlikely(answer)


def _unlikely(answer: Answer) -> str | None:
    stated: list[Scalar] = [answer.probability, *answer.probabilities.values()]
    if any(isinstance(value, float) and not 0 <= value <= 1 for value in stated):
        return "a probability is not between 0 and 1"
    return None


def _wire(row: Row) -> dict[str, object]:
    """Return a row for a request: numbers that JSON does not know as the words that other languages write."""
    return {name: _word(value) for name, value in row.items()}


def _word(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return msgspec.Raw(b"NaN" if value != value else b"Infinity" if value > 0 else b"-Infinity")
    return value


def _decoded(row: Row) -> dict[str, object]:
    """Return a row as a lenient decoder would have read it: numbers that JSON does not know, but no half characters."""
    return {name: _lenient(value, name) if isinstance(value, msgspec.Raw) else value for name, value in row.items()}


def _lenient(value: msgspec.Raw, name: str) -> object:
    try:
        return float(bytes(value))
    except ValueError:
        pass
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidInput(
            "invalid_json",
            Text(en="this is not JSON", ja="JSON ではありません"),
            Text(en="send JSON", ja="JSON を送ってください"),
            field=name,
        ) from None
