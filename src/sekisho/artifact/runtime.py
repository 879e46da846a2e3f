"""A loaded model: what it is given, what it answers, and what it may be compiled to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[np.generic]]
"""One array a feature, shape ``(n,)``, as in :class:`~sekisho.artifact.column.Column`. Integer and boolean features that are
nullable come as float64 with NaN."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Outputs:
    """What a model answered to ``n`` rows.

    Attributes:
        values: Shape ``(n,)``. Classifier: the class labels, in the dtype of the training labels. Regressor: float64. Of a model that gives
            several answers a row: shape ``(n, outputs)``, labels as objects.
        probabilities: Shape ``(n, k)``, float64, in the order of the signature's classes, those of several answers side by side; ``None``
            for a regressor or a classifier without probabilities.

    """

    values: NDArray[np.generic]
    probabilities: NDArray[np.float64] | None


class Runtime(Protocol):
    """A loaded model."""

    @property
    def fenced(self) -> bool:
        """Whether it may run inside the serving process: it cannot run code of its own."""
        ...

    def run(self, columns: Columns) -> Outputs:
        """Answer the rows of ``columns``. Thread-safe.

        Raises:
            ModelFailed: The model raised, or its answer has another shape than the signature says.

        """
        ...


NULL_TEXT: Final = "\ufdd0"
"""How a null string is sent to an ONNX graph: a Unicode noncharacter, which no text holds."""
INPUTS_KEY: Final = "sekisho"
"""The key of an ONNX model's metadata that says which features make up each of its inputs, as JSON."""


class NotConvertible(Exception):
    """A model has no ONNX form that is known here. The message, in English, says what is missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Graph:
    """A model compiled to ONNX, not yet proven to answer as the model does.

    Attributes:
        precision: What it computes in.
        onnx: The serialized graph.

    """

    precision: str
    onnx: bytes
