"""What a Parquet file would take in memory, read from its footer and the headers of its pages (Apache Parquet format, Thrift compact protocol).

The footer tells sizes too, and may lie; the library allocates what the header of each page says. A page that says less than it holds is
refused by the library itself. The footer is read here as well, because the library ends the whole process on some that are damaged when it is
asked about their columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_PAGES: Final = 100_000
MOST_GROUPS: Final = 1_024
_MOST_VALUES: Final = 1_000_000
"""Values of a footer."""
_MOST_DEPTH: Final = 12
_MARK: Final = b"PAR1"
# Fields of FileMetaData, RowGroup, ColumnChunk, ColumnMetaData and PageHeader.
_ROWS_OF_FILE, _GROUPS = 3, 4
_COLUMNS, _ROWS_OF_GROUP = 1, 3
_META_DATA: Final = 3
_SIZE, _DATA_OFFSET, _DICTIONARY_OFFSET = 7, 9, 11
_UNPACKED, _PACKED = 2, 3
_DATA_PAGES: Final = (5, 8)
"""The fields of ``PageHeader`` for data pages; field 1 of each counts the values."""


class Unreadable(Exception):
    """The file is not what it says."""


def measure(data: memoryview, *, most_rows: int, most_bytes: int) -> tuple[int, int]:
    """Return the rows of a file, and the bytes that all its pages take when they are unpacked.

    Args:
        data: The whole file.
        most_rows: The reading stops when there are more.
        most_bytes: And when the pages take more.

    Raises:
        Unreadable: Something is not where or what the footer says.

    """
    footer = _footer(data)
    groups = footer.get(_GROUPS, [])
    if not isinstance(groups, list) or len(groups) > MOST_GROUPS:
        raise Unreadable
    rows = max(_number(footer, _ROWS_OF_FILE), sum(_number(group, _ROWS_OF_GROUP) for group in groups))
    size = pages = 0
    if rows > most_rows:
        return rows, size
    for group in groups:
        columns = group.get(_COLUMNS)
        if not isinstance(columns, list):
            raise Unreadable
        for column in columns:
            values = 0
            for unpacked, counted in _pages(data, column):
                size += unpacked
                values += counted
                pages += 1
                if size > most_bytes:
                    return rows, size
                if values > rows or pages > MOST_PAGES:
                    raise Unreadable
    return rows, size


def _footer(data: memoryview) -> dict[int, Any]:
    if len(data) < 12 or bytes(data[:4]) != _MARK or bytes(data[-4:]) != _MARK:
        raise Unreadable
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    if start < 4:
        raise Unreadable
    return _Reader(data[:-8], start).struct()


def _number(fields: object, number: int) -> int:
    found = fields.get(number) if isinstance(fields, dict) else None
    if type(found) is not int or found < 0:
        raise Unreadable
    return found


def _pages(data: memoryview, column: object) -> Iterator[tuple[int, int]]:
    """Yield the unpacked size and the number of values of each page of a column."""
    described = column.get(_META_DATA) if isinstance(column, dict) else None
    if not isinstance(described, dict):
        raise Unreadable
    at = _number(described, _DATA_OFFSET)
    first = described.get(_DICTIONARY_OFFSET)
    if isinstance(first, int) and 0 < first < at:
        at = first
    end = at + _number(described, _SIZE)
    if at < len(_MARK) or end > len(data):
        raise Unreadable
    while at < end:
        reader = _Reader(data, at)
        header = reader.struct()
        inner = next((header[field] for field in _DATA_PAGES if isinstance(header.get(field), dict)), None)
        yield _number(header, _UNPACKED), 0 if inner is None else _number(inner, 1)
        at = reader.at + _number(header, _PACKED)


class _Reader:
    """Reads values of the Thrift compact protocol."""

    def __init__(self, data: memoryview, at: int) -> None:
        self._data = data
        self.at = at
        self._values = 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Return the fields of a struct by their numbers."""
        if depth > _MOST_DEPTH:
            raise Unreadable
        found: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            found[number] = self._value(head & 0x0F, depth)
            if len(found) > 64:
                raise Unreadable
        return found

    def _value(self, kind: int, depth: int) -> Any:
        self._values += 1
        if self._values > _MOST_VALUES:
            raise Unreadable
        match kind:
            case 1 | 2:
                return kind == 1
            case 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._zigzag()
            case 7:
                return self._skip(8)
            case 8:
                return self._skip(self._varint())
            case 9 | 10:
                return self._list(depth)
            case 12:
                return self.struct(depth + 1)
        raise Unreadable

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count = head >> 4 if head >> 4 != 0x0F else self._varint()
        kind = head & 0x0F
        if count > len(self._data) - self.at:
            raise Unreadable
        if kind in {1, 2}:
            self._skip(count)
            return []
        return [self._value(kind, depth + 1) for _ in range(count)]

    def _skip(self, size: int) -> None:
        self.at += size
        if self.at > len(self._data):
            raise Unreadable

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise Unreadable
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while shift < 70:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
            shift += 7
        raise Unreadable

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
