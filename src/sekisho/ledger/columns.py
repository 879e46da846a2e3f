"""A large entry of the book, column by column in a compact binary form: a thousand rows of twenty numbers in tens of microseconds.

Numbers of one kind stand in one block, in the narrowest type that holds every one of them exactly; everything else is a list. The whole is
MessagePack, so that no code of anybody's runs when it is read. :data:`FORMAT` stands first in each.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sekisho.ledger.values import Scalar

FORMAT: Final = 1
FEWEST_ROWS: Final = 32
"""Entries with fewer rows are JSON."""
Kind = Literal["float", "integer", "boolean", "datetime", "any"]
"""What the cells of a block mean: NaN in numbers and NaT in moments are null."""

_DTYPES: Final = frozenset(("<f8", "<f4", "<i8", "<i4", "<i2", "|i1", "|b1"))
_NARROW: Final = (np.int8, np.int16, np.int32)
_NO_MOMENT: Final = np.iinfo(np.int64).min
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Columns:
    """The rows of an entry, column by column.

    Attributes:
        rows: How many.
        cells: The place of each column among the model's features, what its cells mean, and the cells: an array of ``float64``,
            ``int64``, ``bool`` or ``datetime64[us]``, or a list of JSON values.

    """

    rows: int
    cells: Sequence[tuple[int, Kind, NDArray[Any] | Sequence[Scalar]]]

    def __len__(self) -> int:
        return self.rows


class Block(msgspec.Struct, frozen=True, array_like=True):
    """Columns of one kind.

    Attributes:
        kind: What their cells mean.
        dtype: The type of the numbers, little-endian; empty for a list.
        places: Which features they are.
        data: The numbers, one column after the other; or the list of one column.

    """

    kind: Kind
    dtype: str
    places: list[int]
    data: bytes | list[Any]


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """An entry as it is stored; the names are those of :class:`~sekisho.ledger.chunks.Entry`."""

    format: int
    request_id: str
    at: str
    latency_ms: float
    rows: int
    blocks: list[Block]
    predictions: list[Any]
    probabilities: list[float] | None
    flags: Mapping[int, Sequence[str]]
    subjects: str | list[str | None] | None = None


def packed(columns: Columns) -> list[Block]:
    """Return columns as blocks."""
    blocks = []
    groups: dict[tuple[Kind, str], list[tuple[int, NDArray[Any]]]] = {}
    for place, kind, cells in columns.cells:
        if isinstance(cells, np.ndarray) and cells.dtype != object:
            groups.setdefault((kind, cells.dtype.str), []).append((place, cells))
        else:
            listed = cells.tolist() if isinstance(cells, np.ndarray) else list(cells)
            blocks.append(Block(kind="any", dtype="", places=[place], data=listed))
    for (kind, _), members in groups.items():
        numbers = _narrow(np.stack([cells for _, cells in members]))
        places = [place for place, _ in members]
        blocks.append(Block(kind=kind, dtype=numbers.dtype.str, places=places, data=numbers.tobytes()))
    return blocks


def unpacked(stored: Stored, names: Sequence[str]) -> list[dict[str, Scalar]]:
    """Return the rows of an entry by name.

    Raises:
        ValueError: It is not what :func:`packed` made.

    """
    columns: dict[int, Sequence[Scalar]] = {}
    for block in stored.blocks:
        if isinstance(block.data, list):
            columns[block.places[0]] = block.data
            continue
        if block.dtype not in _DTYPES:
            raise ValueError("the block has no known type")
        numbers = np.frombuffer(block.data, block.dtype).reshape(len(block.places), stored.rows)
        columns |= {place: _cells(block.kind, row) for place, row in zip(block.places, numbers, strict=True)}
    if any(len(cells) != stored.rows for cells in columns.values()):
        raise ValueError("the columns have several lengths")
    shown = sorted(columns)
    if not shown:
        return [{} for _ in range(stored.rows)]
    kept = [names[place] for place in shown]
    return [dict(zip(kept, row, strict=True)) for row in zip(*(columns[place] for place in shown), strict=True)]


def encode(stored: Stored) -> bytes:
    """Return an entry as bytes."""
    return msgspec.msgpack.encode(stored)


def decode(data: bytes) -> Stored:
    """Return the entry in some bytes.

    Raises:
        ValueError: They are none, or of a later format.

    """
    try:
        stored = msgspec.msgpack.decode(data, type=Stored)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error
    if stored.format != FORMAT:
        raise ValueError("the format is not known")
    return stored


def _narrow(numbers: NDArray[Any]) -> NDArray[Any]:
    """Return numbers in the narrowest type that holds all of them exactly."""
    if numbers.dtype.kind == "M":
        return numbers.astype("<M8[us]").view("<i8")
    if numbers.dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            half = numbers.astype("<f4")
            same = half == numbers
        return half if bool((same | np.isnan(numbers)).all()) else numbers.astype("<f8", copy=False)
    if numbers.dtype.kind in "iu" and numbers.size:
        low, high = int(numbers.min()), int(numbers.max())
        for kind in _NARROW:
            if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
                return numbers.astype(np.dtype(kind).newbyteorder("<"))
        return numbers.astype("<i8", copy=False)
    return numbers


def _cells(kind: Kind, numbers: NDArray[Any]) -> list[Scalar]:
    """Return the cells of a column as JSON values."""
    if kind == "datetime":
        return [None if one == _NO_MOMENT else _words(one) for one in numbers.tolist()]
    values: list[Any] = numbers.tolist()
    if numbers.dtype.kind != "f":
        return [bool(value) for value in values] if kind == "boolean" else values
    if numbers.dtype.itemsize < 8:
        values = numbers.astype(np.float64).tolist()
    made: Any = {"boolean": bool, "integer": int}.get(kind, float)
    return [None if value != value else made(value) for value in values]


def _words(microseconds: int) -> str:
    words = msgspec.to_builtins(_EPOCH + dt.timedelta(microseconds=microseconds))
    assert isinstance(words, str)
    return words
