"""A run of rows, small enough to be held, in one of two forms: columns of Arrow, or cells that were read one by one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np

from sekisho.errors import InvalidInput
from sekisho.predict.arrow_columns import arrow_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from sekisho.artifact.signature import Feature
    from sekisho.predict.rows import Row

Places = Any
"""Which rows of a block: an array of their indexes, or a slice."""


class Block(ABC):
    """A run of rows.

    Attributes:
        count: How many rows, good and bad.

    """

    count: int

    @abstractmethod
    def faults(self) -> dict[int, InvalidInput]:
        """Return the rows that do not fit, by index, each with its first fault."""

    @abstractmethod
    def rows(self, places: Places) -> Sequence[Row]:
        """Return rows that fit."""

    @abstractmethod
    def kept(self, places: Places) -> list[Any]:
        """Return the columns that are passed through, as arrays of Arrow."""

    @abstractmethod
    def content(self, place: int) -> Any:
        """Return one row as a JSON value, for whoever must mend it."""


class ArrowBlock(Block):
    """Rows as columns of Arrow.

    Args:
        features: What the columns must be.
        columns: A chunked array for each feature.
        kept: The columns that are passed through, by name.

    """

    def __init__(self, features: Sequence[Feature], columns: Sequence[Any], kept: Mapping[str, Any]) -> None:
        import pyarrow as pa

        self._arrow = pa
        self._features = features
        self._columns = columns
        self._kept = kept
        self._read: Sequence[Row] | None = None
        self.count = len(columns[0])

    def faults(self) -> dict[int, InvalidInput]:
        """Return the rows that do not fit: runs with a fault are halved until it stands alone."""
        found: dict[int, InvalidInput] = {}
        runs = [(0, self.count)] if self.count else []
        while runs:
            start, ends = runs.pop()
            try:
                read = self.rows(slice(start, ends))
                if ends - start == self.count:
                    self._read = read
            except InvalidInput as error:
                if ends - start == 1:
                    found[start] = error
                else:
                    middle = (start + ends) // 2
                    runs += [(start, middle), (middle, ends)]
        return found

    def rows(self, places: Places) -> Sequence[Row]:
        """Return rows as they are judged, column by column."""
        if self._read is not None and isinstance(places, slice):
            return self._read
        return arrow_rows(self._arrow, self._features, [_taken(self._arrow, each, places) for each in self._columns])

    def kept(self, places: Places) -> list[Any]:
        """Return the columns that are passed through."""
        return [_taken(self._arrow, each, places).combine_chunks() for each in self._kept.values()]

    def content(self, place: int) -> Any:
        """Return one row by name."""
        named = {feature.name: column for feature, column in zip(self._features, self._columns, strict=True)}
        return {name: _plain(column[place].as_py()) for name, column in {**self._kept, **named}.items()}


class CellsBlock(Block):
    """Rows that were read one by one.

    Args:
        rows: The cells of each row, or what is wrong with it.
        kept: The columns that are passed through, as arrays of Arrow.
        contents: Each row as it came, for those that do not fit.

    """

    def __init__(self, rows: Sequence[Row | InvalidInput], kept: Sequence[Any], contents: Mapping[int, Any]) -> None:
        self._rows = rows
        self._kept = kept
        self._contents = contents
        self.count = len(rows)

    def faults(self) -> dict[int, InvalidInput]:
        """Return what was found when they were read."""
        return {place: row for place, row in enumerate(self._rows) if isinstance(row, InvalidInput)}

    def rows(self, places: Places) -> Sequence[Row]:
        """Return rows that fit."""
        chosen: Any = self._rows[places] if isinstance(places, slice) else [self._rows[place] for place in places]
        return chosen  # type: ignore[no-any-return]

    def kept(self, places: Places) -> list[Any]:
        """Return the columns that are passed through."""
        if isinstance(places, slice):
            return list(self._kept)
        return [column.take(_indexes(places)) for column in self._kept]

    def content(self, place: int) -> Any:
        """Return one row as it came."""
        row = self._rows[place]
        given = self._contents.get(place)
        return given if given is not None or isinstance(row, InvalidInput) else list(map(_plain, row))


def _taken(arrow: Any, column: Any, places: Places) -> Any:
    if isinstance(places, slice):
        return column.slice(places.start, None if places.stop is None else places.stop - places.start)
    return arrow.chunked_array([column.combine_chunks().take(_indexes(places))], type=column.type)


def _indexes(places: NDArray[np.int64]) -> Any:
    import pyarrow as pa

    return pa.array(places, type=pa.int64())


def _plain(value: Any) -> Any:
    """Return a cell as JSON knows it."""
    if isinstance(value, float) and value - value != 0.0:
        return str(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)
