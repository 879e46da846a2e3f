"""Tables by columns (Arrow, Parquet) as rows, with pyarrow.

Only plain columns are read: numbers, booleans, strings, dictionaries of these, moments with a time zone, and nulls. Types that spread a few
bytes over many rows (run-end encoded, views, lists) are refused by the schema, and strings that many rows share stay shared.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.errors import InvalidInput
from sekisho.predict.arrow_columns import arrow_rows, is_plain, is_text
from sekisho.predict.cells import refusal
from sekisho.serving.bulk import arrow_sizes, parquet_sizes
from sekisho.serving.bulk.media import ARROW_FILE, PARQUET
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.predict.columnar import ColumnarRows
    from sekisho.serving.routing import Model

_INDEX: Final = re.compile(r"__index_level_[0-9]+__")
"""The index of a data frame that pandas wrote."""
_MAGIC: Final = b"ARROW1\0\0"
_FOOTER_LIMIT: Final = 2**20
SMALL_SPREAD: Final = 2**16
"""Characters; a column that cannot have more is not counted."""


def read_columns(body: bytes, media_type: str, model: Model) -> ColumnarRows:
    """Return the rows of a table.

    Args:
        body: All of it.
        media_type: One of :data:`~sekisho.serving.bulk.media.COLUMNS`.
        model: Whose features they are.

    Raises:
        InvalidInput: It is not such a table, it holds too much, a column does not fit, or pyarrow is not there.

    """
    arrow = _pyarrow()
    try:
        if media_type == PARQUET:
            table = _read_parquet(arrow, body, model)
        else:
            table = _read_arrow(arrow, body, model, is_file=media_type == ARROW_FILE)
        return _rows(arrow, table, model)
    except (arrow.ArrowException, OSError, arrow_sizes.Measured, parquet_sizes.Unreadable, UnicodeDecodeError):
        raise _malformed() from None


def _pyarrow() -> Any:
    try:
        import pyarrow as pa
        from pyarrow import ipc  # noqa: F401 - from here on it is an attribute
    except ImportError:
        raise InvalidInput(
            "unsupported_media_type",
            Text(en="the library for this format is not installed here", ja="この形式に必要なライブラリがありません"),
            Text(
                en="send JSON or CSV, or have pyarrow installed beside the service",
                ja="JSON か CSV で送るか、サービス側に pyarrow を導入してください",
            ),
        ) from None
    return pa


def _read_arrow(arrow: Any, body: bytes, model: Model, *, is_file: bool) -> Any:
    if is_file:
        # A file is a stream between a mark and a footer; the footer could name the same batch many times.
        if body[: len(_MAGIC)] != _MAGIC:
            raise _malformed()
        body = body[len(_MAGIC) :]
    messages = arrow.ipc.MessageReader.open_stream(arrow.BufferReader(body))
    rows, size = arrow_sizes.measure(iter(messages), most_rows=model.most_rows, most_bytes=model.most_bytes)
    _check_size(rows, size, model)
    reader = arrow.ipc.open_stream(arrow.BufferReader(body))
    _check_schema(arrow, reader.schema, model)
    table = reader.read_all()
    table.validate(full=True)
    return table


def _read_parquet(arrow: Any, body: bytes, model: Model) -> Any:
    from pyarrow import parquet

    rows, size = parquet_sizes.measure(memoryview(body), most_rows=model.most_rows, most_bytes=model.most_bytes)
    _check_size(rows, size, model)
    limits = {"thrift_string_size_limit": _FOOTER_LIMIT, "thrift_container_size_limit": _FOOTER_LIMIT}
    schema = parquet.ParquetFile(arrow.BufferReader(body), **limits).schema_arrow
    _check_schema(arrow, schema, model)
    # Strings that repeat stay in their dictionary.
    shared = [field.name for field in schema if is_text(arrow, field.type)]
    file = parquet.ParquetFile(arrow.BufferReader(body), read_dictionary=shared, **limits)
    table = file.read(use_threads=False)
    if table.num_rows != rows:
        raise _malformed()
    table.validate(full=True)
    return table


def _check_size(rows: int, size: int, model: Model) -> None:
    model.check_count(rows)
    if size > model.most_bytes:
        raise InvalidInput(
            "body_too_large",
            Text(en="the body is too large when unpacked", ja="展開後の本文が大きすぎます"),
            Text(en=f"send at most {model.most_bytes:,} bytes", ja=f"{model.most_bytes:,} バイト以内で送ってください"),
        )


def _check_schema(arrow: Any, schema: Any, model: Model) -> None:
    features = {feature.name: feature for feature in model.signature.features}
    seen: set[str] = set()
    for field in schema:
        if _INDEX.fullmatch(field.name):
            if not is_plain(arrow, field.type):
                raise _malformed()
            continue
        feature = features.get(field.name)
        if feature is None or field.name in seen:
            raise InvalidInput(
                "unknown_feature" if feature is None else "duplicate_key",
                Text(
                    en="the model has no such feature, or a column stands twice",
                    ja="モデルにない特徴量か、重複した列があります",
                ),
                Text(en="send one column for every feature, by name", ja="特徴量ごとに1列、同じ名前で送ってください"),
                field=field.name if field.name.isprintable() and len(field.name) <= 100 else None,
            )
        if not is_plain(arrow, field.type):
            raise refusal("wrong_type", feature, None)
        seen.add(field.name)
    for name, feature in features.items():
        if name not in seen:
            raise InvalidInput(
                "missing_feature",
                Text(en="a feature is missing", ja="特徴量が足りません"),
                refusal("wrong_type", feature, None).remedy,
                field=name,
            )


def _rows(arrow: Any, table: Any, model: Model) -> ColumnarRows:
    features = model.signature.features
    columns = [table.column(feature.name) for feature in features]
    _check_size(table.num_rows, sum(_spread(arrow, column) for column in columns), model)
    return arrow_rows(arrow, features, columns)


def _spread(arrow: Any, column: Any) -> int:
    """Return the characters that a column of shared strings takes when every row has its own, as the model's runtime will want it."""
    if not (arrow.types.is_dictionary(column.type) and is_text(arrow, column.type.value_type)):
        return 0
    size = 0
    for chunk in column.chunks:
        lengths = np.array([*map(len, filter(None, chunk.dictionary.to_pylist())), 0])
        if int(lengths.max()) * len(chunk) > SMALL_SPREAD:
            whole = [len(value or "") for value in chunk.dictionary.to_pylist()]
            picked = chunk.indices.drop_null().to_numpy(zero_copy_only=False)
            size += int(np.array([*whole, 0], dtype=np.int64)[picked].sum())
    return size


def _malformed() -> InvalidInput:
    return InvalidInput(
        "malformed_table",
        Text(en="the body is not a table of the stated format", ja="本文が指定の形式の表ではありません"),
        Text(
            en="send what pyarrow or pandas write, as Content-Type says",
            ja="pyarrow や pandas が書き出すものを、Content-Type のとおりに送ってください",
        ),
    )
