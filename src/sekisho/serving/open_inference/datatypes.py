"""The datatypes of the Open Inference Protocol, and which of them may carry which feature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.predict.cells import category_types

if TYPE_CHECKING:
    from sekisho.artifact.column import Scalar
    from sekisho.artifact.signature import Feature, Output

BYTES: Final = "BYTES"
BOOL: Final = "BOOL"
DTYPES: Final[dict[str, Any]] = {
    BOOL: np.dtype("?"),
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
}
"""The NumPy dtype of each datatype whose elements have a fixed size, little-endian as on the wire."""
BF16: Final = "BF16"
"""The upper half of FP32, which NumPy does not know."""
KNOWN: Final = (*DTYPES, BF16, BYTES)
NUMBERS: Final = frozenset((*(name for name in DTYPES if name != BOOL), BF16))
FLOATS: Final = frozenset((*(name for name in DTYPES if name.startswith("FP")), BF16))


def accepted(feature: Feature) -> frozenset[str]:
    """Return the datatypes that may carry ``feature``."""
    match feature.kind:
        case "float" | "integer":
            return NUMBERS
        case "boolean":
            return frozenset((BOOL,))
        case "category":
            kinds = {str: frozenset((BYTES,)), int: NUMBERS, bool: frozenset((BOOL,))}
            return frozenset().union(*(kinds[kind] for kind in category_types(feature)))
    return frozenset((BYTES,))


def usual(feature: Feature) -> str:
    """Return the datatype that suits ``feature`` best: one that can say null, where it may be null."""
    names = accepted(feature)
    if BYTES in names or BOOL in names:
        return BYTES if BYTES in names else BOOL
    return "INT64" if feature.kind != "float" and not feature.nullable else "FP64"


def of_predictions(output: Output) -> str:
    """Return the datatype of the predictions of one answer."""
    return of_values(output.classes) if output.classes else "FP64"


def of_values(values: tuple[Scalar, ...]) -> str:
    """Return the datatype that holds all of ``values``."""
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return BOOL
    if kinds == {int}:
        return "INT64"
    return "FP64" if kinds <= {int, float} else BYTES
