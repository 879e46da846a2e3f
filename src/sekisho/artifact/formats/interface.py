"""What every model format gives: a way to write, a way to read that runs no code, and a runtime that answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from sekisho.artifact import boosting
from sekisho.artifact.conversion.compiler import compile_sklearn
from sekisho.artifact.native import EstimatorRuntime
from sekisho.artifact.runtime import INPUTS_KEY, NULL_TEXT, Columns, Graph, NotConvertible, Outputs, Runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.artifact.boosters.interface import Booster
    from sekisho.artifact.signature import Signature

__all__ = [
    "INPUTS_KEY",
    "NULL_TEXT",
    "BoosterFormat",
    "Columns",
    "Format",
    "Graph",
    "NotConvertible",
    "Outputs",
    "Runtime",
]


class Format(ABC):
    """One format that a model can be kept in."""

    id: str
    """Its name, as ``runtime`` of a manifest."""
    file: str
    """The name of its file in an artifact."""
    libraries: tuple[str, ...] = ()
    """The distributions whose version must be the one that wrote the file, up to the second number."""
    companions: tuple[str, ...] = ()
    """Further distributions of which the same holds, where the artifact names them."""
    answers: bool = True
    """Whether what is kept can answer by itself; if not, only a graph that is proven equal can."""

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

    def original(self, model: Any, data: bytes, signature: Signature, *, trusted: frozenset[str]) -> Runtime:  # noqa: ARG002
        """Return what a compiled model is compared with: the model as it is read from ``data``."""
        return self.read(data, signature, trusted=trusted, where=self.file)

    def compile(self, model: object, signature: Signature) -> Iterator[Graph]:  # noqa: ARG002
        """Yield ONNX graphs of ``model``, the fastest first.

        Raises:
            NotConvertible: It has none; raised when the first is asked for.

        """
        raise NotConvertible(f"models kept as {self.id} are not compiled")


class BoosterFormat(Format):
    """The file of a boosting library, with its own reader.

    Args:
        booster: The library.
        file: The name of the file in an artifact.

    """

    def __init__(self, booster: Booster, file: str) -> None:
        self.booster = booster
        self.id = booster.id
        self.file = file
        self.libraries = booster.distributions[:1]

    def recognises(self, data: bytes) -> bool:
        """Return whether ``data`` is in the library's format."""
        return self.booster.recognises(data)

    def check(self, data: bytes, *, where: str) -> None:
        """Look at all of ``data`` without the library."""
        self.booster.check(data, where=where)

    def keeps(self, model: object) -> bool:
        """Return whether ``model`` is one of the library."""
        return self.booster.owns(model)

    def write(self, model: object, *, trusted: frozenset[str]) -> bytes:  # noqa: ARG002
        """Return ``model`` in the library's format."""
        return boosting.write(self.booster, model)

    def read(self, data: bytes, signature: Signature, *, trusted: frozenset[str], where: str) -> EstimatorRuntime:  # noqa: ARG002
        """Return the runtime of the model in ``data``."""
        return EstimatorRuntime(boosting.read(self.booster, data, where=where), signature)

    def compile(self, model: object, signature: Signature) -> Iterator[Graph]:
        """Yield ONNX graphs of the trees."""
        return compile_sklearn(model, signature)
