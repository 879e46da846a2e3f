"""What a book of predictions is kept in: a few statements of SQL, in transactions that are wholly there or not at all.

Both databases speak the same SQL as far as the book needs it, with ``?`` for a value. What differs stands in
:mod:`~sekisho.ledger.sqlite` and :mod:`~sekisho.ledger.postgres`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol

from sekisho.errors import LedgerError
from sekisho.text import Text


class Cursor(Protocol):
    """What came of a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        ...

    def fetchone(self) -> Any:
        """Return the next row; ``None`` if there is none."""
        ...

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        ...


Run = Callable[..., Cursor]
"""Runs a statement with its values: ``run(sql, (value, ...))``."""


class Unreachable(LedgerError):
    """The database does not answer, or cannot be waited for any longer; it may come back by itself."""


class Database(ABC):
    """A database. Thread-safe.

    Attributes:
        place: Where it is, for people.
        generation: Counts how often it was opened: what was known of it before may not be true any more.
        values_of: SQL for the rows of a JSON list that is given as one value, each in a column ``value``.

    """

    values_of: ClassVar[str]
    place: str
    generation: int = 0

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Run]:
        """Give something that runs statements; all of them count when the block has ended, none if it raises.

        Raises:
            LedgerError: It cannot be written.

        """

    @abstractmethod
    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of one statement that changes nothing.

        Raises:
            LedgerError: It cannot be read.

        """

    @abstractmethod
    def insert(self, run: Run, sql: str, values: Sequence[Any]) -> int | None:
        """Run an ``INSERT`` into ``answers_2``; return its number, ``None`` if nothing was inserted because it was there."""

    @abstractmethod
    def scrub(self) -> None:
        """Overwrite what was deleted, wherever the database still keeps it.

        Raises:
            LedgerError: Somebody else is reading or writing all the time.

        """

    @abstractmethod
    def size(self) -> int:
        """Return the bytes that it takes."""

    @abstractmethod
    def faults(self) -> list[str]:
        """Return what the database itself finds wrong with its files, in its own words."""

    @abstractmethod
    def close(self) -> None:
        """Let go of it."""


def unusable(place: str, why: object, kind: type[LedgerError] = LedgerError) -> LedgerError:
    """Return the error for a database that failed.

    Args:
        place: Where it is.
        why: What it said.
        kind: What kind of error it is.

    """
    return kind(
        Text(en=f"the book of predictions cannot be used: {why}", ja=f"予測台帳を使えません: {why}"),
        Text(
            en="check the permissions and the free space, or move the file away to begin a new book"
            if "://" not in place
            else "check that the database runs, lets this user in, and has space",
            ja="権限と空き容量を確認するか、ファイルを退避して新しい台帳を作ってください"
            if "://" not in place
            else "データベースの稼働状態、接続権限、空き容量を確認してください",
        ),
        where=place,
    )


def too_new(place: str) -> LedgerError:
    """Return the error for a book that a later Sekisho has written."""
    return LedgerError(
        Text(
            en="the book of predictions has a format that this version does not know",
            ja="予測台帳の形式がこのバージョンより新しく、読めません",
        ),
        Text(en="use the newer version of Sekisho", ja="新しいバージョンの Sekisho を使ってください"),
        where=place,
    )
