"""Golden rows: a few real rows with the answers that the model gave when it was packed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import numpy as np
from msgspec import Meta

from sekisho.artifact.column import Scalar
from sekisho.artifact.native import column_of_scalars
from sekisho.artifact.several import slices_of
from sekisho.artifact.table import Table
from sekisho.errors import IntegrityError
from sekisho.text import Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sekisho.artifact.runtime import Outputs
    from sekisho.artifact.signature import Output, Signature

ROWS: Final = 64
NAME: Final = "golden.json"


class Golden(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows and answers.

    Attributes:
        rows: Each a mapping from feature to JSON value. Features marked personal are shuffled among the rows, so that no row is a person.
        values: The answer to each row: a label, or a number; of a model that gives several, all of them in the order of its outputs.
        probabilities: The probabilities of each row in the order of the classes, those of several answers side by side, or ``None``.
        tolerance: How far a number may be off: absolute for probabilities, of the largest of these answers for a regressor.

    """

    rows: tuple[dict[str, Scalar], ...] = ()
    values: tuple[Scalar | tuple[Scalar, ...], ...] = ()
    probabilities: tuple[tuple[float, ...], ...] | None = None
    tolerance: Annotated[float, Meta(ge=0.0, le=1e-3)] = 1e-6

    def table(self, signature: Signature) -> Table:
        """Return the rows as a table with the kinds of the signature.

        Raises:
            IntegrityError: A cell does not fit its feature.

        """
        try:
            return table_of_records(list(self.rows), signature)
        except (ValueError, TypeError, OverflowError):
            raise IntegrityError(
                Text(en="a golden row does not fit the signature", ja="ゴールデン行が入力仕様と合いません"),
                Text(en="pack the artifact again", ja="成果物をパックし直してください"),
                where=NAME,
            ) from None


def choose(table: Table, labels: NDArray[np.generic] | None, signature: Signature) -> Table:
    """Return up to :data:`ROWS` rows that between them hold every extreme, a null of each nullable feature, and each class.

    Args:
        table: The features.
        labels: Shape ``(n,)``, or ``(n, outputs)``: what the model answers to them, where that is known.
        signature: Says which features are personal.

    """
    wanted: dict[int, None] = {}
    if labels is not None and not signature.output.numeric:
        for place, one in enumerate(signature.output.each):
            mine = labels if labels.ndim == 1 else labels[:, place]
            for label in one.classes or ():
                wanted.update(dict.fromkeys(np.flatnonzero(mine == label)[:4].tolist()))
    for column in table.columns:
        wanted.update(dict.fromkeys(np.flatnonzero(column.null)[:1].tolist()))
        if column.kind in {"float", "integer", "datetime"} and not column.null.all():
            present = np.flatnonzero(~column.null)
            ends = column.values[present].argsort()[[0, -1]]
            wanted.update(dict.fromkeys(present[ends].tolist()))
    rest = np.random.default_rng(0).permutation(table.rows)[:ROWS].tolist()
    wanted.update(dict.fromkeys(rest))
    chosen = table.take(sorted(list(wanted)[:ROWS]))
    return Table(
        columns=tuple(
            column.take(np.roll(np.arange(len(column)), index + 1)) if feature.personal else column
            for index, (column, feature) in enumerate(zip(chosen.columns, signature.features, strict=True))
        )
    )


def answers_of(golden: Golden, output: Output, place: int) -> Golden:
    """Return the golden rows with one of their several answers alone; each row must have them all."""
    part, stated = slices_of(output)[place], golden.probabilities
    return msgspec.structs.replace(
        golden,
        values=tuple(value[place] for value in golden.values if isinstance(value, tuple)),
        probabilities=None if stated is None else tuple(row[part] for row in stated),
    )


def golden_of(rows: Table, answers: Outputs, *, tolerance: float) -> Golden:
    """Return the golden rows from a table and the answers to it."""
    probabilities = answers.probabilities
    return Golden(
        rows=tuple(rows.records()),
        values=tuple(tuple(value) if isinstance(value, list) else value for value in answers.values.tolist()),
        probabilities=None if probabilities is None else tuple(map(tuple, probabilities.tolist())),
        tolerance=tolerance,
    )


def same_answers(golden: Golden, answers: Outputs) -> tuple[int, ...]:
    """Return the indexes of the golden rows to which ``answers`` says something else; empty when all agree."""
    if not golden.rows:
        return ()
    rows = len(golden.rows)
    if len(answers.values) != rows:
        return tuple(range(rows))
    if golden.probabilities is None and _are_numbers(golden.values[0]) and answers.values.dtype.kind == "f":
        expected = np.array(golden.values, dtype=np.float64)
        if expected.shape != answers.values.shape:
            return tuple(range(rows))
        allowed = golden.tolerance * np.maximum(1e-300, np.abs(expected).max(axis=0))  # each answer by its own size
        wrong = ~(np.abs(answers.values.astype(np.float64) - expected) <= allowed)
        return tuple(np.flatnonzero(wrong if wrong.ndim == 1 else wrong.any(axis=1)).tolist())
    wrong = np.array(
        [
            (tuple(given) if isinstance(given, list) else given) != expected
            for given, expected in zip(answers.values.tolist(), golden.values, strict=True)
        ]
    )
    if golden.probabilities is not None:
        if answers.probabilities is None or answers.probabilities.shape != np.shape(golden.probabilities):
            return tuple(range(rows))
        differences = np.abs(answers.probabilities - np.array(golden.probabilities))
        wrong |= ~(differences <= golden.tolerance).all(axis=1)
    return tuple(np.flatnonzero(wrong).tolist())


def _are_numbers(answer: Scalar | tuple[Scalar, ...]) -> bool:
    return all(isinstance(each, float) for each in answer) if isinstance(answer, tuple) else isinstance(answer, float)


def table_of_records(records: list[dict[str, Scalar]], signature: Signature) -> Table:
    """Return rows of JSON values as a table with the kinds and dtypes of ``signature``; they must fit it."""
    return Table(
        columns=tuple(
            column_of_scalars(feature, [record.get(feature.name) for record in records])
            for feature in signature.features
        )
    )
