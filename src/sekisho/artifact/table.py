"""A table as Sekisho sees it: named columns of five kinds, whatever library it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["float", "integer", "boolean", "category", "text", "datetime"]
Scalar = float | int | bool | str | None
"""A JSON value of one cell; a datetime is RFC 3339 in UTC, a null is ``None``."""


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Column:
    """One column.

    Attributes:
        name: Its name.
        kind: What its values mean.
        dtype: The dtype that its own library gave it, such as ``int64`` or ``category``; the native runtime restores it.
        values: Shape ``(n,)``. float: float64, null is NaN. integer: int64. boolean: bool. category, text: object, of
            ``str``, ``int`` or ``bool``; null is ``None``. datetime: datetime64[us] in UTC, null is NaT.
        null: Shape ``(n,)``, bool: where a value is missing. Integer and boolean cells hold 0 and False there.

    """

    name: str
    kind: Kind
    dtype: str
    values: NDArray[np.generic]
    null: NDArray[np.bool_]
