"""What a model answered, checked before anybody sees it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from sekisho.artifact.column import Scalar
from sekisho.artifact.runtime import Outputs
from sekisho.artifact.several import slices_of
from sekisho.errors import ModelFailed
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sekisho.artifact.signature import Output

Prediction = Scalar | dict[str, Scalar]
"""What is answered to one row: a label or a number; of a model that gives several, all of them by name."""
Confidence = float | dict[str, float]
"""The probability of the class that is predicted; of several answers, by name."""

LARGEST_SUM_ERROR: Final = 1e-3
"""How far the probabilities of one row may be from a sum of 1: 32-bit ensembles reach 1e-5."""
MANY: Final = 64
"""Rows from which on array operations cost less than a loop."""


class Answers(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """The answers to ``n`` rows as JSON values.

    Attributes:
        predictions: ``n`` class labels or numbers; of a model that gives several answers a row, mappings from their names.
        probabilities: ``n`` lists, in the order of the signature's classes, those of several answers one after the other; ``None`` if
            the model gives none.
        confidence: The probability of the class that is predicted, a row; ``None`` if the model gives none.
        unsound: The rows whose answer cannot be: not a number, not a class, probabilities that are none.
        table: ``probabilities`` as one array, for those who have more use for it; ``None`` where there are few rows.

    """

    predictions: list[Prediction]
    probabilities: list[list[float]] | None
    confidence: list[Confidence] | None
    unsound: frozenset[int]
    table: NDArray[np.float64] | None = None


class AnswerReader:
    """Turns a runtime's outputs into answers by the rules of a signature's output: one answer a row."""

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
            return _without_probabilities(predictions, _no_numbers(outputs.values, predictions))
        places = list(map(self._classes.get, predictions))
        unsound = [row for row, place in enumerate(places) if place is None]
        if table is None:
            return _without_probabilities(predictions, unsound)
        probabilities: list[list[float]] = table.tolist()
        for row in range(rows) if rows < MANY else _suspects(table):
            values = probabilities[row]
            lowest, highest = min(values), max(values)
            # Written so that a NaN anywhere makes it false.
            if not (abs(sum(values) - 1.0) <= LARGEST_SUM_ERROR and lowest >= -LARGEST_SUM_ERROR):
                unsound.append(row)
            elif lowest < 0.0 or highest > 1.0:
                probabilities[row] = [min(max(value, 0.0), 1.0) for value in values]
                table = None
        confidence: list[Confidence] = [row[place or 0] for row, place in zip(probabilities, places, strict=True)]
        return Answers(
            predictions=list(predictions),
            probabilities=probabilities,
            confidence=confidence,
            unsound=frozenset(unsound),
            table=table if rows >= MANY else None,
        )


class SeveralReader:
    """Reads several answers a row, each as if it were the only one."""

    def __init__(self, output: Output) -> None:
        self._names = [one.name for one in output.outputs]
        self._readers = [AnswerReader(one) for one in output.outputs]
        self._parts = slices_of(output)
        self._width = output.width

    def read(self, outputs: Outputs, rows: int) -> Answers:
        """Return the answers to ``rows`` rows.

        Raises:
            ModelFailed: There are fewer or more answers than rows (``invalid_output``).

        """
        values, table = outputs.values, outputs.probabilities
        if values.shape != (rows, len(self._names)) or (table is not None and table.shape != (rows, self._width)):
            raise invalid_output()
        apart = [
            reader.read(Outputs(values=values[:, place], probabilities=None if table is None else table[:, part]), rows)
            for place, (reader, part) in enumerate(zip(self._readers, self._parts, strict=True))
        ]
        confidence: list[Confidence] | None = None
        probabilities: list[list[float]] | None = None
        if table is not None:
            confidence = self._by_name([one.confidence or [] for one in apart])
            pieces = zip(*(one.probabilities or [] for one in apart), strict=True)
            probabilities = [[value for piece in row for value in piece] for row in pieces]
        return Answers(
            predictions=self._by_name([one.predictions for one in apart]),
            probabilities=probabilities,
            confidence=confidence,
            unsound=frozenset().union(*(one.unsound for one in apart)),
        )

    def _by_name(self, columns: list[Any]) -> list[Any]:
        return [dict(zip(self._names, row, strict=True)) for row in zip(*columns, strict=True)]


def answer_reader(output: Output) -> AnswerReader | SeveralReader:
    """Return what reads the answers of a model."""
    return SeveralReader(output) if output.outputs else AnswerReader(output)


def _without_probabilities(predictions: list[Scalar], unsound: list[int]) -> Answers:
    return Answers(predictions=list(predictions), probabilities=None, confidence=None, unsound=frozenset(unsound))


def _no_numbers(values: NDArray[Any], predictions: Sequence[Scalar]) -> list[int]:
    """Return the rows whose answer is no finite number."""
    if len(predictions) >= MANY and values.dtype.kind in "iuf":
        finite = np.isfinite(values)
        return [] if finite.all() else [int(row) for row in np.flatnonzero(~finite)]
    return [row for row, value in enumerate(predictions) if not _is_number(value)]


def _suspects(table: NDArray[Any]) -> list[int]:
    """Return the rows of many whose probabilities need a closer look: some are none, or their sum is not quite 1."""
    # Written so that a NaN anywhere makes it false; the margin is for sums that are added up in another order.
    with np.errstate(invalid="ignore", over="ignore"):
        usual = np.abs(table @ np.ones(table.shape[1]) - 1.0) <= LARGEST_SUM_ERROR / 2
    if usual.all() and table.min() >= 0.0 and table.max() <= 1.0:
        return []
    usual &= (table.min(axis=1) >= 0.0) & (table.max(axis=1) <= 1.0)
    return [int(row) for row in np.flatnonzero(~usual)]


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
