"""A table that is read in pieces, whatever its format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sekisho.errors import WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack
    from pathlib import Path
    from typing import BinaryIO

    from sekisho.artifact.signature import Signature
    from sekisho.predict.rows import RowReader
    from sekisho.scoring.blocks import Block
    from sekisho.scoring.layout import Layout

TEXT_BYTES: Final = 2**21
"""Of text in a piece."""
COLUMN_ROWS: Final = 16_384
"""Of a piece that comes as columns, at most; fewer of a wide table."""
COLUMN_CELLS: Final = 2**20
"""Of such a piece."""
FEWEST_ROWS: Final = 256
LONGEST_ROW: Final = 2**26
"""Bytes; a line of text that is longer is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """What a table is opened with.

    Attributes:
        stream: Its bytes, unpacked.
        seekable: Whether it is a file that can be read from any place.
        open_files: What closes it.
        path: The file itself; ``None`` for standard input.
        shown: What it is called in errors.
        signature: The features.
        reader: Reads rows by it.
        header: Whether CSV begins with names; ``None``: look and see.

    """

    stream: BinaryIO
    seekable: bool
    open_files: ExitStack
    path: Path | None
    shown: str
    signature: Signature
    reader: RowReader
    header: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A run of rows of a table, not yet read.

    Attributes:
        ends: Where the next piece begins, in the measure of its format.
        share: The part of the table that is behind when this is.
        content: The bytes or columns.

    """

    ends: int
    share: float
    content: Any


class OpenTable(ABC):
    """A table that is being read. Its names are known; pieces come in order, and are read side by side by others.

    Attributes:
        given: What it was opened with.
        names: Its columns; ``None`` if it cannot have others than the features.

    """

    given: Opening
    names: tuple[str, ...] | None

    @abstractmethod
    def types(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Return the types of Arrow of some columns; ``None`` stands for JSON texts."""

    @abstractmethod
    def pieces(self, layout: Layout, start: int) -> Iterator[Piece]:
        """Yield the pieces from the place ``start`` on, with the columns of ``layout`` at least.

        Raises:
            InvalidInput: It is not a table of this format from some place on.

        """

    @abstractmethod
    def block(self, content: Any, layout: Layout) -> Block:
        """Return the rows of a piece. Thread-safe."""

    def close(self) -> None:
        """Close its file; pieces that were yielded can still be read."""
        self.given.open_files.close()


def rows_of_piece(columns: int) -> int:
    """Return how many rows a piece of so many columns has."""
    return max(FEWEST_ROWS, min(COLUMN_ROWS, COLUMN_CELLS // max(columns, 1)))


def not_a_table(format_id: str, where: str) -> WrongUse:
    """Return the error for a file that is not what it seems."""
    return WrongUse(
        Text(en=f"this is not a table in the format {format_id}", ja=f"{format_id} 形式の表ではありません"),
        Text(
            en="check the file, or name its format with --format",
            ja="ファイルを確認するか、--format で形式を指定してください",
        ),
        where=where,
    )
