"""Questions whose answers are known: the golden rows of an artifact, as a service that was deployed is asked them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from sekisho.artifact.golden import answers_of
from sekisho.errors import TargetError
from sekisho.predict.naming import class_name
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.artifact import ModelArtifact
    from sekisho.artifact.column import Scalar
    from sekisho.artifact.golden import Golden
    from sekisho.artifact.signature import Output


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One row and what the model must answer.

    Attributes:
        features: The row, by feature.
        label: The class, or the number; of a model that gives several answers, all of them by name.
        probabilities: By the name of the class; ``None`` where the model gives none. Several by name.
        tolerance: How far a number may be off, absolute. Several by name.

    """

    features: dict[str, Scalar]
    label: Scalar | dict[str, Scalar]
    probabilities: dict[str, float] | dict[str, dict[str, float] | None] | None
    tolerance: float | dict[str, float]

    @property
    def invocation(self) -> bytes:
        """The row as a body for ``POST /invocations``."""
        return msgspec.json.encode({"instances": [self.features]})


def questions(artifact: ModelArtifact, *, most: int) -> tuple[Question, ...]:
    """Return up to ``most`` golden rows whose answers differ as much as they can: no constant model answers all of them.

    Raises:
        TargetError: The artifact has no golden rows, or the same answer to all of them.

    """
    golden, output = artifact.golden, artifact.signature.output
    chosen = _varied(golden.values, most)
    if len({golden.values[place] for place in chosen}) < 2:
        raise TargetError(
            Text(
                en="the golden rows all have one answer, so they cannot tell the model from a constant",
                ja="ゴールデン行の正解がすべて同じで、定数を返すモデルと区別できません",
            ),
            Text(
                en="pack again with a reference set that has several answers",
                ja="複数の答えを含む参照データでパックし直してください",
            ),
            where=artifact.folder,
        )
    if not output.outputs:
        return tuple(_asked(golden, output, place) for place in chosen)
    apart = [(one.name, one, answers_of(golden, output, place)) for place, one in enumerate(output.outputs)]
    return tuple(_together({name: _asked(each, one, place) for name, one, each in apart}) for place in chosen)


def _asked(golden: Golden, output: Output, place: int) -> Question:
    """Return the question of one golden row with one answer."""
    names = [class_name(label) for label in output.classes or ()]
    largest = max((abs(value) for value in golden.values if isinstance(value, float)), default=1.0)
    label = golden.values[place]
    assert not isinstance(label, tuple)
    return Question(
        features=dict(golden.rows[place]),
        label=label,
        probabilities=None
        if golden.probabilities is None
        else dict(zip(names, golden.probabilities[place], strict=True)),
        tolerance=golden.tolerance if output.task != "regression" else golden.tolerance * max(largest, 1e-300),
    )


def _together(apart: dict[str, Question]) -> Question:
    """Return one question with several answers."""
    first = next(iter(apart.values()))
    stated = {name: each.probabilities for name, each in apart.items()}
    return Question(
        features=first.features,
        label={name: each.label for name, each in apart.items()},  # type: ignore[misc] # each has one
        probabilities=None if first.probabilities is None else stated,  # type: ignore[arg-type]
        tolerance={name: each.tolerance for name, each in apart.items()},  # type: ignore[misc]
    )


def differs(question: Question, body: bytes) -> bool:
    """Return whether the answer of ``/invocations`` to one question is another than the model's."""
    try:
        (answer,) = msgspec.json.decode(body)["predictions"]
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        return True
    if isinstance(question.label, dict):
        if not isinstance(answer, dict) or answer.keys() != question.label.keys():
            return True
        tolerance = question.tolerance
        assert isinstance(tolerance, dict)
        return any(_is_other(answer[name], label, tolerance[name]) for name, label in question.label.items())
    assert isinstance(question.tolerance, float)
    return _is_other(answer, question.label, question.tolerance)


def _is_other(answer: object, label: Scalar, tolerance: float) -> bool:
    if isinstance(label, float) and isinstance(answer, int | float) and not isinstance(answer, bool):
        return not abs(answer - label) <= tolerance
    return type(answer) is not type(label) or answer != label


def _varied(values: Sequence[Scalar | tuple[Scalar, ...]], most: int) -> list[int]:
    """Return the places of up to ``most`` values: each different value in turn, then the next of each."""
    rounds: dict[tuple[str, object], int] = {}
    order = []
    for place, value in enumerate(values):
        key = (type(value).__name__, value)
        rounds[key] = rounds.get(key, 0) + 1
        order.append((rounds[key], place))
    return [place for _, place in sorted(order)[:most]]
