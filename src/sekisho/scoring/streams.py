"""Arrow streams that grow message by message: rows that wait until all are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def start_of(schema: Any) -> bytes:
    """Return the message that begins a stream."""
    return bytes(schema.serialize())


def message_of(batch: Any) -> bytes:
    """Return one batch as a message."""
    return bytes(batch.serialize()) if batch.num_rows else b""


def batches_of(rows: Path, most: int) -> Iterator[Any]:
    """Yield the rows of a stream as tables of ``most`` rows, the last one of fewer; at least one table.

    A stream that ends between two messages is whole, so none needs a mark at its end.
    """
    import pyarrow as pa
    from pyarrow import ipc

    held: list[Any] = []
    count = 0
    yielded = False
    with pa.OSFile(str(rows)) as file:
        reader = ipc.open_stream(file)
        for batch in reader:
            held.append(batch)
            count += batch.num_rows
            while count >= most:
                table = pa.Table.from_batches(held)
                yield table.slice(0, most)
                yielded = True
                rest = table.slice(most)
                held, count = rest.to_batches(), rest.num_rows
        if held or not yielded:
            yield pa.Table.from_batches(held, schema=reader.schema)
