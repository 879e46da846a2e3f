"""Tables of plain Python and NumPy: a dict of lists, a list of dicts, a 2-D array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sekisho.artifact.column import Column, listed, plain
from sekisho.errors import WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


def of_array(data: NDArray[np.generic], names: Sequence[str] | None) -> tuple[Column, ...]:
    """Return the columns of an array of shape ``(n, k)``; without names they are ``x0`` to ``x{k-1}``.

    Raises:
        WrongUse: The array is not 2-D, or the names are not ``k``.

    """
    if data.ndim != 2:
        raise WrongUse(
            Text(en=f"an array of shape {data.shape} is not a table", ja=f"形状 {data.shape} の配列は表ではありません"),
            Text(en="give an array of shape (rows, features)", ja="形状 (行数, 特徴量数) の配列を渡してください"),
        )
    width = data.shape[1]
    chosen = list(names) if names is not None else [f"x{index}" for index in range(width)]
    if len(chosen) != width:
        raise WrongUse(
            Text(
                en=f"{len(chosen)} names for {width} columns", ja=f"列は {width} 個ですが、名前は {len(chosen)} 個です"
            ),
            Text(en="give one name a column", ja="列ごとに名前を1つ渡してください"),
        )
    return tuple(plain(name, np.ascontiguousarray(data[:, index])) for index, name in enumerate(chosen))


def of_mapping(data: Mapping[str, Iterable[object]]) -> tuple[Column, ...]:
    """Return the columns of a mapping from names to lists or 1-D arrays."""
    return tuple(
        plain(str(name), values) if isinstance(values, np.ndarray) and values.ndim == 1 else listed(str(name), values)
        for name, values in data.items()
    )


def of_records(data: Sequence[Mapping[str, object]]) -> tuple[Column, ...]:
    """Return the columns of a list of rows; a key that a row lacks is null there. Names stand in the order first seen."""
    names = dict.fromkeys(name for record in data for name in record)
    return tuple(listed(str(name), [record.get(name) for record in data]) for name in names)
