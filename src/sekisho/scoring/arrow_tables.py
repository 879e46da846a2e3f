"""Tables by columns (Parquet, Arrow): what both have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sekisho.errors import WrongUse
from sekisho.predict.arrow_columns import is_plain
from sekisho.predict.cells import refusal
from sekisho.scoring.blocks import ArrowBlock
from sekisho.scoring.tables import Opening, OpenTable, rows_of_piece
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.scoring.blocks import Block
    from sekisho.scoring.layout import Layout


class ColumnarTable(OpenTable):
    """A table whose schema is known.

    Args:
        given: The table.
        schema: Its columns.

    """

    def __init__(self, given: Opening, schema: Any) -> None:
        import pyarrow as pa

        self.given = given
        self.arrow = pa
        self.schema = schema
        self.names: tuple[str, ...] = tuple(schema.names)
        for feature in given.signature.features:
            if feature.name in self.names and not is_plain(pa, schema.field(self.names.index(feature.name)).type):
                fault = refusal("wrong_type", feature, None)
                raise WrongUse(
                    Text(
                        en=f"column {feature.name!r} holds no single values",
                        ja=f"列 {feature.name!r} の型は扱えません",
                    ),
                    fault.remedy,
                    where=given.shown,
                )

    def types(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Return their own types; dictionaries are spread."""
        found = {}
        for name in names:
            kind = self.schema.field(self.names.index(name)).type
            found[name] = kind.value_type if self.arrow.types.is_dictionary(kind) else kind
        return found

    def wanted(self, layout: Layout) -> list[str]:
        """Return the columns to read."""
        return list(dict.fromkeys((*self.given.signature.names, *layout.kept)))

    def block(self, content: Any, layout: Layout) -> Block:
        """Return the rows of a batch."""
        features = self.given.signature.features
        kinds = self.types(layout.kept)
        kept = {}
        for name in layout.kept:
            column = self._column(content, name)
            kept[name] = column.cast(kinds[name]) if column.type != kinds[name] else column
        return ArrowBlock(features, [self._column(content, feature.name) for feature in features], kept)

    def _column(self, content: Any, name: str) -> Any:
        return self.arrow.chunked_array([content.column(content.schema.names.index(name))])


def sliced(batch: Any) -> Iterator[Any]:
    """Yield a batch in slices of a piece's size, without copying."""
    rows = rows_of_piece(batch.num_columns)
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)
