"""What is known before the first row is scored: the tables, their columns, and the columns of the answer."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import sekisho
from sekisho.errors import MissingExtra, WrongUse
from sekisho.predict.rows import RowReader
from sekisho.scoring.answers import AnswerColumns
from sekisho.scoring.formats.interface import TableFormat
from sekisho.scoring.layout import Layout, Wishes, lay_out
from sekisho.scoring.tables import Opening, OpenTable
from sekisho.scoring.text_lines import JSON_TEXT
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sekisho.artifact.artifact import ModelArtifact
    from sekisho.artifact.signature import Signature
    from sekisho.scoring.inputs import Input


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Plan:
    """One piece of work.

    Attributes:
        artifact: The model.
        signature: Its signature, with the policies that hold.
        inputs: The tables, in order.
        format: Of the output.
        packed: Whether the output is packed with gzip.
        wishes: What becomes of columns that are no features.
        schema: The columns of the output.
        types: Those that are passed through, with their types.
        facts: What the output says of itself.
        first: The first table, open already, with its layout.

    """

    artifact: ModelArtifact
    signature: Signature
    inputs: tuple[Input, ...]
    format: TableFormat
    packed: bool
    wishes: Wishes
    schema: Any
    types: dict[str, Any]
    facts: dict[str, str]
    first: tuple[OpenTable, Layout]
    identities: tuple[dict[str, Any], ...] = field(default=())

    @property
    def quoted(self) -> frozenset[int]:
        """The columns that come as JSON and leave as plain texts, by place."""
        if self.format.writes_json:
            return frozenset()
        return frozenset(place for place, kind in enumerate(self.types.values()) if kind is None)

    @property
    def head(self) -> bytes:
        """What comes before all rows."""
        return self.pack(self.format.head(self.schema))

    def pack(self, content: bytes) -> bytes:
        """Return a part of the output as it is written; parts that are packed by themselves are one file together."""
        return gzip.compress(content, compresslevel=4, mtime=0) if self.packed and content else content

    def open(self, number: int) -> tuple[OpenTable, Layout]:
        """Return one of the tables.

        Raises:
            WrongUse: Its columns are others than those of the first.

        """
        if number == 0:
            return self.first
        given = self.inputs[number]
        wishes = Wishes(keep=tuple(self.types), ignore_others=self.wishes.ignore_others, header=self.wishes.header)
        table, layout = _opened(given, self.signature, wishes, set(self.schema.names[len(self.types) :]))
        if _json_or(table.types(layout.kept)) != _json_or(self.types):
            table.close()
            raise WrongUse(
                Text(
                    en="columns that are kept have other types than in the first table",
                    ja="引き継ぐ列の型が、最初の表と異なります",
                ),
                Text(en="bring the tables into one form", ja="表の形式をそろえてください"),
                where=given.shown,
            )
        return table, layout

    def close(self) -> None:
        """Close the first table, if nobody has read it to its end."""
        self.first[0].close()

    def check_unchanged(self) -> None:
        """Refuse answers to tables that were changed while they were read.

        Raises:
            WrongUse: One was.

        """
        for given, before in zip(self.inputs, self.identities, strict=True):
            if given.identity() != before:
                raise WrongUse(
                    Text(en="the input was changed while it was read", ja="読み込み中に入力が変更されました"),
                    Text(
                        en="run it again on a file that nobody writes to, with --overwrite",
                        ja="書き込み中でないファイルに対し、--overwrite を付けて再実行してください",
                    ),
                    where=given.shown,
                )


def require_arrow() -> None:
    """Refuse to begin without the library that tables are read and written with."""
    if find_spec("pyarrow") is None:
        raise MissingExtra("pyarrow", "tables")


def plan_of(
    artifact: ModelArtifact,
    signature: Signature,
    inputs: Sequence[Input],
    output: TableFormat,
    wishes: Wishes,
    target: Path | None,
) -> Plan:
    """Return the plan of a piece of work.

    Args:
        artifact: The model.
        signature: Its signature, with the policies that hold.
        inputs: The tables.
        output: The format of the answers.
        wishes: What becomes of columns that are no features.
        target: The file that shall appear; ``None`` for standard output.

    Raises:
        WrongUse: The columns of the first table do not fit.

    """
    import pyarrow as pa

    answers = AnswerColumns(signature.output).fields()
    identities = tuple(given.identity() for given in inputs)
    table, layout = _opened(inputs[0], signature, wishes, {name for name, _ in answers})
    types = table.types(layout.kept)
    if not output.takes_any_type:
        _check_texts(pa, types, table)
    facts = {
        "model": artifact.name,
        "model_version": artifact.version,
        "artifact": f"sha256:{artifact.digest}",
        "version": sekisho.__version__,
    }
    fields = [
        pa.field(
            name,
            pa.string() if kind is None else kind,
            metadata=JSON_TEXT if kind is None and output.writes_json else None,
        )
        for name, kind in types.items()
    ]
    schema = pa.schema(
        [*fields, *(pa.field(name, kind) for name, kind in answers)],
        metadata={f"sekisho.{name}": value for name, value in facts.items()},
    )
    return Plan(
        artifact=artifact,
        signature=signature,
        inputs=tuple(inputs),
        format=output,
        packed=target is not None and target.name.endswith(".gz") and output.packable,
        wishes=wishes,
        schema=schema,
        types=types,
        facts=facts,
        first=(table, layout),
        identities=identities,
    )


def _check_texts(arrow: Any, types: dict[str, Any], table: OpenTable) -> None:
    """Refuse columns that a text cannot hold."""
    for name, kind in types.items():
        if kind is not None and (
            arrow.types.is_nested(kind) or arrow.types.is_binary(kind) or arrow.types.is_large_binary(kind)
        ):
            table.close()
            raise WrongUse(
                Text(
                    en=f"column {name!r} cannot be passed through to a text: {kind}",
                    ja=f"列 {name!r} ({kind}) はテキスト形式の出力に引き継げません",
                ),
                Text(
                    en="write Parquet or Arrow, or leave it out",
                    ja="出力を Parquet か Arrow にするか、その列を除いてください",
                ),
                where=table.given.shown,
            )


def _opened(given: Input, signature: Signature, wishes: Wishes, taken: set[str]) -> tuple[OpenTable, Layout]:
    stream, seekable, open_files = given.open()
    opening = Opening(
        stream=stream,
        seekable=seekable,
        open_files=open_files,
        path=given.path if given.is_file else None,
        shown=given.shown,
        signature=signature,
        reader=RowReader(signature),
        header=wishes.header,
    )
    try:
        table = given.format.open(opening)
        names = signature.names if table.names is None else table.names
        return table, lay_out(names, signature, wishes, taken, where=given.shown)
    except BaseException as error:
        open_files.close()
        if isinstance(error, EOFError | zlib.error | gzip.BadGzipFile):
            raise cut_off(given.shown) from None
        raise


def _json_or(types: dict[str, Any]) -> dict[str, str]:
    return {name: "json" if kind is None else str(kind) for name, kind in types.items()}


def cut_off(where: str) -> WrongUse:
    """Return the error for a file that is damaged, or ends too soon."""
    return WrongUse(
        Text(en="the file is damaged or ends too soon", ja="ファイルが壊れているか、途中で切れています"),
        Text(en="copy it again", ja="コピーし直してください"),
        where=where,
    )
