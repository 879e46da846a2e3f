"""Answers as tables: CSV, JSON Lines, Arrow, Parquet."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.artifact.several import slices_of
from sekisho.predict.naming import class_name, free_name
from sekisho.serving.bulk.media import ARROW, ARROW_FILE, CSV, LINES, LINES_TOO, PARQUET
from sekisho.serving.routing import Written

if TYPE_CHECKING:
    from sekisho.artifact.signature import Signature
    from sekisho.serving.routing import Reply

CSV_HEADER: Final = b"text/csv; charset=utf-8; header=present"
CSV_BARE: Final = b"text/csv; charset=utf-8; header=absent"


Columns = dict[str, Any]
"""A table: lists, or arrays of numbers, by name."""


def columns_of(reply: Reply, signature: Signature) -> Columns:
    """Return an answer by columns: the prediction, the probabilities, the flags joined with commas."""
    if signature.output.outputs:
        return _columns_of_each(reply, signature)
    columns: Columns = {"prediction": list(reply.predictions)}
    if reply.confidence is not None and reply.probabilities is not None:
        columns["probability"] = list(reply.confidence)
        by_class: Any = zip(*reply.probabilities, strict=True) if reply.table is None else reply.table.T
        for label, values in zip(signature.output.classes or (), by_class, strict=True):
            columns[f"probability_{class_name(label)}"] = values if reply.table is not None else list(values)
    columns["flags"] = _flags(reply)
    return columns


def predictions_of(reply: Reply, signature: Signature) -> Columns:
    """Return the predictions alone by columns: ``prediction``, or for each of several answers ``prediction_`` and its name."""
    if not signature.output.outputs:
        return {"prediction": list(reply.predictions)}
    rows: list[Any] = list(reply.predictions)
    return {f"prediction_{one.name}": [row[one.name] for row in rows] for one in signature.output.outputs}


def _columns_of_each(reply: Reply, signature: Signature) -> Columns:
    """Return the columns of several answers a row: the names of answers and classes stand at the ends of theirs."""
    output = signature.output
    columns = predictions_of(reply, signature)
    if reply.confidence is not None and reply.probabilities is not None:
        stated: list[Any] = list(reply.confidence)
        for one, part in zip(output.outputs, slices_of(output), strict=True):
            columns[free_name(f"probability_{one.name}", columns)] = [row[one.name] for row in stated]
            by_class = zip(*(row[part] for row in reply.probabilities), strict=True)
            for label, values in zip(one.classes or (), by_class, strict=True):
                columns[free_name(f"probability_{one.name}_{class_name(label)}", columns)] = list(values)
    columns["flags"] = _flags(reply)
    return columns


def _flags(reply: Reply) -> list[str]:
    flags = [""] * len(reply.predictions)
    for row, found in reply.flags.items():
        flags[row] = ",".join(map(str, found))
    return flags


def write_table(columns: Columns, media_type: str, reply: Reply) -> Written:
    """Return a table in one of the formats.

    Args:
        columns: The table.
        media_type: What it shall be; not JSON.
        reply: Whose answer it is, for what belongs to no row.

    """
    if media_type == CSV:
        return Written(body=csv_lines(columns, header=True), media_type=CSV_HEADER)
    if media_type in {LINES, LINES_TOO}:
        return Written(body=json_lines(columns), media_type=media_type.encode())
    return Written(body=_arrow(arrow_table(columns, reply), media_type), media_type=media_type.encode())


def csv_lines(columns: Columns, *, header: bool) -> bytes:
    """Return the rows of a table as CSV, with the names of its columns before them if ``header``."""
    rows = zip(*map(_listed, columns.values()), strict=True)
    return _lines([list(columns), *rows] if header else list(rows))


def json_lines(columns: Columns) -> bytes:
    """Return the rows of a table as JSON Lines."""
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*map(_listed, columns.values()), strict=True)]
    return msgspec.json.Encoder().encode_lines(rows)


def arrow_table(columns: Columns, reply: Reply) -> Any:
    """Return a table of pyarrow; its metadata holds what belongs to no row."""
    import pyarrow as pa

    columns = {name: _of_one_type(values) if isinstance(values, list) else values for name, values in columns.items()}
    return pa.table(columns).replace_schema_metadata(
        {"model_version": reply.model_version, "request_id": reply.request_id, "timestamp": reply.timestamp}
    )


def bare_csv(values: list[Any]) -> Written:
    """Return one value a line, or the values of several answers, as SageMaker's containers answer."""
    rows = [list(value.values()) if isinstance(value, dict) else [value] for value in values]
    return Written(body=_lines(rows), media_type=CSV_BARE)


def _lines(rows: list[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[_shown(cell) for cell in row] for row in rows])
    return text.getvalue().encode()


def _shown(cell: Any) -> Any:
    return str(cell).lower() if isinstance(cell, bool) else cell


def _of_one_type(values: list[Any]) -> list[Any]:
    """Return a column whose labels are of several types as texts."""
    kinds = {type(value) for value in values}
    return list(map(class_name, values)) if len(kinds) > 1 and not kinds <= {int, float} else values


def _listed(values: Any) -> list[Any]:
    listed: list[Any] = values if isinstance(values, list) else values.tolist()
    return listed


def _arrow(table: Any, media_type: str) -> bytes:
    import pyarrow as pa
    from pyarrow import ipc

    sink = pa.BufferOutputStream()
    if media_type == PARQUET:
        from pyarrow import parquet

        parquet.write_table(table, sink)
    else:
        make = {ARROW: ipc.new_stream, ARROW_FILE: ipc.new_file}[media_type]
        with make(sink, table.schema) as writer:
            writer.write_table(table)
    body: bytes = sink.getvalue().to_pybytes()
    return body
