"""What a Parquet file would take in memory, read from the headers of its pages (Apache Parquet format, Thrift compact protocol).

The footer tells sizes too, and may lie; the library allocates what the header of each page says. A page that says less than it holds is
refused by the library itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_PAGES: Final = 100_000
_MOST_DEPTH: Final = 8
_UNPACKED, _PACKED = 2, 3
"""Fields of ``PageHeader``."""
_DATA_PAGES: Final = (5, 8)
"""The fields of ``PageHeader`` for data pages; field 1 of each counts the values."""


class Unreadable(Exception):
    """The file is not what it says."""


def measure(data: memoryview, metadata: Any, *, most_bytes: int) -> int:
    """Return the bytes that all pages take when they are unpacked; the reading stops when there are more than ``most_bytes``.

    Args:
        data: The whole file.
        metadata: Its footer, as ``pyarrow.parquet`` reads it.
        most_bytes: The limit.

    Raises:
        Unreadable: A page is not where or what the footer says.

    """
    size = pages = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for at in range(group.num_columns):
            column = group.column(at)
            values = 0
            for unpacked, counted in _pages(data, column):
                size += unpacked
                values += counted
                pages += 1
                if size > most_bytes:
                    return size
                if values > group.num_rows or pages > MOST_PAGES:
                    raise Unreadable
    return size


def _pages(data: memoryview, column: Any) -> Iterator[tuple[int, int]]:
    """Yield the unpacked size and the number of values of each page of a column."""
    first = column.dictionary_page_offset or 0
    at = first if 0 < first < column.data_page_offset else column.data_page_offset
    end = at + column.total_compressed_size
    if at < 4 or end > len(data):
        raise Unreadable
    while at < end:
        reader = _Reader(data, at)
        header = reader.struct()
        unpacked, packed = header.get(_UNPACKED), header.get(_PACKED)
        if not isinstance(unpacked, int) or not isinstance(packed, int) or unpacked < 0 or packed < 0:
            raise Unreadable
        inner = next((header[field] for field in _DATA_PAGES if isinstance(header.get(field), dict)), {})
        counted = inner.get(1, 0)
        if not isinstance(counted, int) or counted < 0:
            raise Unreadable
        yield unpacked, counted
        at = reader.at + packed


class _Reader:
    """Reads values of the Thrift compact protocol."""

    def __init__(self, data: memoryview, at: int) -> None:
        self._data = data
        self.at = at

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

    def _list(self, depth: int) -> None:
        head = self._byte()
        count = head >> 4 if head >> 4 != 0x0F else self._varint()
        if count > len(self._data) - self.at:
            raise Unreadable
        for _ in range(count):
            if head & 0x0F in {1, 2}:
                self._skip(1)
            else:
                self._value(head & 0x0F, depth + 1)

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
