"""What a model answered, checked before anybody sees it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from sekisho.errors import ModelFailed
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.column import Scalar
    from sekisho.artifact.formats.interface import Outputs
    from sekisho.artifact.signature import Output

LARGEST_SUM_ERROR: Final = 1e-3
"""How far the probabilities of one row may be from a sum of 1: 32-bit ensembles reach 1e-5."""


class Answers(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """The answers to ``n`` rows as JSON values.

    Attributes:
        predictions: ``n`` class labels or numbers.
        probabilities: ``n`` lists, in the order of the signature's classes; ``None`` if the model gives none.
        confidence: The probability of the class that is predicted, a row; ``None`` if the model gives none.
        unsound: The rows whose answer cannot be: not a number, not a class, probabilities that are none.

    """

    predictions: list[Scalar]
    probabilities: list[list[float]] | None
    confidence: list[float] | None
    unsound: frozenset[int]


class AnswerReader:
    """Turns a runtime's outputs into answers by the rules of a signature's output."""

    def __init__(self, output: Output) -> None:
        self._classes = None if output.classes is None else {label: place for place, label in enumerate(output.classes)}
        self._width = len(output.classes or ())

    def read(self, outputs: Outputs, rows: int) -> Answers:
        """Return the answers to ``rows`` rows.

        Raises:
            ModelFailed: There are fewer or more answers than rows, so that nobody can say whose they are (``invalid_output``).

        """
        predictions: list[Scalar] = outputs.values.tolist()
        table = outputs.probabilities
        if (
            len(predictions) != rows
            or outputs.values.ndim != 1
            or (table is not None and table.shape != (rows, self._width))
        ):
            raise invalid_output()
        if self._classes is None:
            unsound = [row for row, value in enumerate(predictions) if not _is_number(value)]
            return Answers(predictions=predictions, probabilities=None, confidence=None, unsound=frozenset(unsound))
        places = list(map(self._classes.get, predictions))
        unsound = [row for row, place in enumerate(places) if place is None]
        if table is None:
            return Answers(predictions=predictions, probabilities=None, confidence=None, unsound=frozenset(unsound))
        probabilities: list[list[float]] = table.tolist()
        for row, values in enumerate(probabilities):
            lowest, highest = min(values), max(values)
            # Written so that a NaN anywhere makes it false.
            if not (abs(sum(values) - 1.0) <= LARGEST_SUM_ERROR and lowest >= -LARGEST_SUM_ERROR):
                unsound.append(row)
            elif lowest < 0.0 or highest > 1.0:
                probabilities[row] = [min(max(value, 0.0), 1.0) for value in values]
        confidence = [row[place or 0] for row, place in zip(probabilities, places, strict=True)]
        return Answers(
            predictions=predictions, probabilities=probabilities, confidence=confidence, unsound=frozenset(unsound)
        )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def invalid_output() -> ModelFailed:
    """Return the error for an answer that cannot be."""
    return ModelFailed(
        "invalid_output",
        Text(en="the model gave an answer that cannot be", ja="モデルがあり得ない答えを返しました"),
        Text(
            en="tell the operator of the service, with the request id",
            ja="リクエスト ID を添えて、サービスの運用者に連絡してください",
        ),
    )


def model_failed(name: str) -> ModelFailed:
    """Return the error for a model that raised an exception called ``name``."""
    return ModelFailed(
        "model_failed",
        Text(en=f"the model raised {name}", ja=f"モデルが {name} を送出しました"),
        Text(
            en="tell the operator of the service, with the request id",
            ja="リクエスト ID を添えて、サービスの運用者に連絡してください",
        ),
    )
