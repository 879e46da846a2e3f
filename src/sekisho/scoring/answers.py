"""Answers as columns: what :mod:`sekisho.predict.answers` tells of single rows, told of many at once.

Both follow the same rules, and a test holds them against each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sekisho.artifact.several import slices_of
from sekisho.predict.answers import LARGEST_SUM_ERROR, invalid_output
from sekisho.predict.naming import class_name, free_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sekisho.artifact.column import Scalar
    from sekisho.artifact.runtime import Outputs
    from sekisho.artifact.signature import Output


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Answered:
    """The answers to some rows.

    Attributes:
        columns: Arrays of Arrow, in the order of :meth:`AnswerColumns.fields` without the flags.
        unsound: Which rows have an answer that cannot be.

    """

    columns: list[Any]
    unsound: NDArray[np.bool_]


class AnswerColumns:
    """Turns a runtime's outputs into columns, by the rules of a signature's output."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._each = output.each
        self._parts = slices_of(output)
        self._several = bool(output.outputs)
        self._labels = [_Labels(one) for one in self._each]

    def fields(self) -> list[tuple[str, Any]]:
        """Return name and type of every column; the flags come last."""
        import pyarrow as pa

        found: dict[str, Any] = {}
        if self._several:
            found |= {
                f"prediction_{one.name}": labels.type() for one, labels in zip(self._each, self._labels, strict=True)
            }
        else:
            found["prediction"] = self._labels[0].type()
        if self._output.probabilities:
            for one in self._classified():
                stem = f"probability_{one.name}" if self._several else "probability"
                found[free_name(stem, found)] = pa.float64()
                for label in one.classes or ():
                    found[free_name(f"{stem}_{class_name(label)}", found)] = pa.float64()
        found["flags"] = pa.string()
        return list(found.items())

    def _classified(self) -> list[Output]:
        return [one for one in self._each if one.classes]

    def read(self, outputs: Outputs, rows: int) -> Answered:
        """Return the answers to ``rows`` rows.

        Raises:
            ModelFailed: There are fewer or more answers than rows (``invalid_output``).

        """
        values, table = outputs.values, outputs.probabilities
        shape = (rows, len(self._each)) if self._several else (rows,)
        if values.shape != shape or (table is not None and table.shape != (rows, self._output.width)):
            raise invalid_output()
        unsound = np.zeros(rows, dtype=np.bool_)
        predicted: list[Any] = []
        stated: list[Any] = []
        for at, labels in enumerate(self._labels):
            one = values[:, at] if self._several else values
            places = labels.places(one)
            unsound |= places < 0 if labels.classes is not None else ~_finite(one)
            predicted.append(labels.column(one, places))
            if table is not None and self._output.probabilities and labels.classes:
                stated += _probabilities(table[:, self._parts[at]], places, unsound)
        return Answered(columns=predicted + stated, unsound=unsound)


class _Labels:
    """The classes of one answer."""

    def __init__(self, output: Output) -> None:
        self.classes: tuple[Scalar, ...] | None = output.classes
        self._places = {label: place for place, label in enumerate(output.classes or ())}
        kinds = {type(label) for label in output.classes or ()}
        self._named = len(kinds) > 1 and not kinds <= {int, float}

    def type(self) -> Any:
        """Return the type of the column."""
        import pyarrow as pa

        if self.classes is None:
            return pa.float64()
        return pa.string() if self._named else pa.array(self.classes).type

    def places(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Return the place of each label among the classes, -1 for one that is none."""
        if self.classes is None:
            return np.zeros(len(values), dtype=np.int64)
        if values.dtype.kind in "iufb" and len(self.classes) > 1:
            known = np.array(self.classes)
            if known.dtype.kind in "iufb":
                order = np.argsort(known, kind="stable")
                found = np.minimum(np.searchsorted(known[order], values), len(known) - 1)
                places: NDArray[np.int64] = order[found]
                return np.where(known[places] == values, places, -1)
        get = self._places.get
        return np.fromiter((get(label, -1) for label in values.tolist()), dtype=np.int64, count=len(values))

    def column(self, values: NDArray[Any], places: NDArray[np.int64]) -> Any:
        """Return the labels, or the numbers, as an array of Arrow."""
        import pyarrow as pa

        if self.classes is None:
            return pa.array(values.astype(np.float64), type=pa.float64())
        words: Sequence[Any] = list(map(class_name, self.classes)) if self._named else self.classes
        return pa.array(words, type=self.type()).take(pa.array(np.maximum(places, 0)))


def _finite(values: NDArray[Any]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.isfinite(values.astype(np.float64))
    return found


def _probabilities(table: NDArray[np.float64], places: NDArray[np.int64], unsound: NDArray[np.bool_]) -> list[Any]:
    """Return the probability of what is predicted, and of every class; note in ``unsound`` rows whose probabilities are none."""
    import pyarrow as pa

    with np.errstate(invalid="ignore", over="ignore"):
        total = np.zeros(len(table))
        for column in table.T:  # one after the other, as a row is summed
            total += column
        # Written so that a NaN anywhere makes it false.
        sound = (np.abs(total - 1.0) <= LARGEST_SUM_ERROR) & (table.min(axis=1) >= -LARGEST_SUM_ERROR)
    unsound |= ~sound
    if table.size and not (table.min() >= 0.0 and table.max() <= 1.0):
        table = np.clip(table, 0.0, 1.0)
    chosen = table[np.arange(len(table)), np.maximum(places, 0)]
    return [pa.array(chosen), *(pa.array(np.ascontiguousarray(column)) for column in table.T)]
