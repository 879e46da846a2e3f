"""What every model format gives: a way to write, a way to read that runs no code, and a runtime that answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sekisho.artifact.signature import Signature

Columns = Mapping[str, NDArray[np.generic]]
"""One array a feature, shape ``(n,)``, as in :class:`~sekisho.artifact.column.Column`. Integer and boolean features that are
nullable come as float64 with NaN."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Outputs:
    """What a model answered to ``n`` rows.

    Attributes:
        values: Shape ``(n,)``. Classifier: the class labels, in the dtype of the training labels. Regressor: float64.
        probabilities: Shape ``(n, k)``, float64, in the order of the signature's classes; ``None`` for a regressor or a classifier
            without probabilities.

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


class Format(ABC):
    """One format that a model can be kept in."""

    id: str
    """Its name, as ``runtime`` of a manifest."""
    file: str
    """The name of its file in an artifact."""
    libraries: tuple[str, ...] = ()
    """The distributions whose version must be the one that wrote the file, up to the second number."""

    @abstractmethod
    def recognises(self, data: bytes) -> bool:
        """Return whether ``data`` is in this format, told by its content."""

    @abstractmethod
    def check(self, data: bytes, *, where: str) -> None:
        """Look at all of ``data`` without rebuilding anything.

        Raises:
            UntrustedFormat: It could run code.
            IntegrityError: It is damaged, or beyond the limits.

        """

    @abstractmethod
    def keeps(self, model: object) -> bool:
        """Return whether :meth:`write` can be asked for ``model``, told without importing its library."""

    @abstractmethod
    def write(self, model: object, *, trusted: frozenset[str]) -> bytes:
        """Return ``model`` in this format.

        Args:
            model: An object that :meth:`keeps`.
            trusted: Names of types that the deployer trusts beyond the curated list.

        Raises:
            CannotPack: It holds something that cannot be kept safely.

        """

    @abstractmethod
    def read(self, data: bytes, signature: Signature, *, trusted: frozenset[str], where: str) -> Runtime:
        """Return the runtime of the model in ``data``. Runs no code of the file.

        Raises:
            UntrustedFormat: Reading it could run code, or it holds a type that nobody trusts.
            IntegrityError: It is damaged, or beyond the limits.
            ArtifactError: It does not fit ``signature``, or the libraries here.

        """

    def compile(self, model: object, signature: Signature) -> Iterator[Graph]:  # noqa: ARG002
        """Yield ONNX graphs of ``model``, the fastest first.

        Raises:
            NotConvertible: It has none; raised when the first is asked for.

        """
        raise NotConvertible(f"models kept as {self.id} are not compiled")
