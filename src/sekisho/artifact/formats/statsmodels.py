"""statsmodels: names and parameters as strict JSON. The answers are a product of matrices, proven equal when it is packed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from sekisho.artifact import strict_json
from sekisho.artifact.content import refuse_code
from sekisho.artifact.conversion.compiler import compile_sklearn
from sekisho.artifact.formats.interface import Format, Graph
from sekisho.artifact.linear import LINKS, BinaryModel, LinearModel
from sekisho.artifact.native import EstimatorRuntime
from sekisho.errors import IntegrityError
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.artifact.signature import Signature

_START: Final = b'{"binary":'


class _Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file holds; ``linear`` is the number of its layout."""

    linear: Literal[1] = 1
    binary: bool
    kind: str
    names: tuple[str, ...]
    weights: tuple[float, ...]
    constant: float
    link: str


class StatsmodelsFormat(Format):
    """``model.linear.json``."""

    id = "statsmodels"
    file = "model.linear.json"

    def recognises(self, data: bytes) -> bool:
        """Return whether ``data`` begins as such a file does."""
        return data.startswith(_START)

    def check(self, data: bytes, *, where: str) -> None:
        """Decode it strictly."""
        _decoded(data, where)

    def keeps(self, model: object) -> bool:
        """Return whether ``model`` has been taken over from statsmodels."""
        return isinstance(model, LinearModel)

    def write(self, model: Any, *, trusted: frozenset[str]) -> bytes:  # noqa: ARG002
        """Return the names and parameters."""
        return strict_json.encode(
            _Document(
                binary=isinstance(model, BinaryModel),
                kind=model.kind,
                names=model.names,
                weights=model.weights,
                constant=model.constant,
                link=model.link,
            )
        )

    def read(self, data: bytes, signature: Signature, *, trusted: frozenset[str], where: str) -> EstimatorRuntime:  # noqa: ARG002
        """Return the runtime of the model in ``data``."""
        return EstimatorRuntime(_decoded(data, where), signature)

    def compile(self, model: object, signature: Signature) -> Iterator[Graph]:
        """Yield the product of matrices as ONNX."""
        return compile_sklearn(model, signature)


def _decoded(data: bytes, where: str) -> LinearModel:
    if not data.startswith(_START):
        refuse_code(data, where=where)
    document = strict_json.decode(data, _Document, where=where)
    numbers = (*document.weights, document.constant)
    if (
        document.link not in LINKS
        or len(document.names) != len(document.weights)
        or len(set(document.names)) < len(document.names)
        or not all(map(math.isfinite, numbers))
    ):
        raise IntegrityError(
            Text(en="names, weights and link do not fit", ja="列名・係数・リンク関数が一致しません"),
            Text(en="pack the model again", ja="モデルをパックし直してください"),
            where=where,
        )
    return (BinaryModel if document.binary else LinearModel)(
        kind=document.kind,
        names=document.names,
        weights=document.weights,
        constant=document.constant,
        link=document.link,
    )


FORMAT: Final = StatsmodelsFormat()
