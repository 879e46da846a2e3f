"""What every format of tables gives: a way to read pieces, and a way to write them so that they can be joined."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.scoring.tables import Opening, OpenTable


class TableFormat(ABC):
    """One format: a unit of the shelf."""

    id: str
    """Its name."""
    suffixes: tuple[str, ...]
    """The ends of the names of its files."""
    packable: bool = False
    """Whether files may be packed with gzip."""
    takes_any_type: bool = False
    """Whether columns that are passed through may be of any type of Arrow."""
    writes_json: bool = False
    """Whether JSON that is passed through may stay JSON."""

    @abstractmethod
    def open(self, given: Opening) -> OpenTable:
        """Open a table.

        Raises:
            WrongUse: It is not one of this format.

        """

    @abstractmethod
    def head(self, schema: Any) -> bytes:
        """Return what comes before all rows."""

    @abstractmethod
    def encode(self, batch: Any) -> bytes:
        """Return rows, to be appended to what came before. Thread-safe."""

    def finish(self, rows: Path, whole: Path, schema: Any) -> Path:  # noqa: ARG002
        """Return the finished table: ``rows`` itself, or ``whole`` made of it.

        Args:
            rows: The head and all rows.
            whole: Where another file may be made.
            schema: The columns, with metadata.

        """
        return rows
