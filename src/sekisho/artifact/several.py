"""Models that give several answers a row: what scikit-learn's own estimators answer, brought into one form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sekisho.artifact.signature import Output


def values_of(given: Any, output: Output) -> NDArray[np.generic]:
    """Return what ``predict`` gave as an array of shape ``(n, outputs)``: numbers as float64, labels as those of the signature.

    A chain answers whole labels as floats, and a table of labels of several kinds comes as objects: each label is what the training set had.
    """
    table = np.asarray(given.toarray() if hasattr(given, "toarray") else given)
    if output.numeric:
        return table.astype(np.float64)
    if table.ndim != 2 or table.shape[1] != len(output.outputs):
        return table
    values = np.empty(table.shape, dtype=object)
    for place, one in enumerate(output.outputs):
        known = {label: label for label in one.classes or ()}
        values[:, place] = [known.get(label, label) for label in table[:, place].tolist()]
    return values


def probabilities_of(given: Any) -> NDArray[np.float64]:
    """Return what ``predict_proba`` gave as one array, the classes of each answer side by side.

    It comes as one array an answer, or (from chains and models of many labels) as the probability of the second of two classes.
    """
    if not isinstance(given, list | tuple):
        second = np.asarray(given.toarray() if hasattr(given, "toarray") else given, dtype=np.float64)
        given = [np.column_stack([1.0 - column, column]) for column in second.T]
    return np.column_stack([np.asarray(one, dtype=np.float64) for one in given])


def slices_of(output: Output) -> tuple[slice, ...]:
    """Return where the probabilities of each answer stand in a row."""
    ends = np.cumsum([len(one.classes or ()) for one in output.each]).tolist()
    return tuple(slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True))
