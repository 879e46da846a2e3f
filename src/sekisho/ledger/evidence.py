"""The book of evidence: what was measured, kept so that it can be read again and cannot be changed unseen.

Rows are only ever added. Each carries the hash of the row before it, so that an edited, removed or inserted row breaks
the chain at that place (as in Haber and Stornetta, "How to time-stamp a digital document", 1991). A chain without a
signature shows tampering with single rows; it cannot show that a whole book was written anew by somebody who knows how.

On disk: the table ``evidence_1`` of an SQLite file; the number is the format, and a later format gets a table of its own.
"""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from sekisho.errors import LedgerError
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

_FIRST: Final = "0" * 64
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS evidence_1 (
    sequence INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    body BLOB NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS evidence_1_key ON evidence_1 (key, sequence);
CREATE TRIGGER IF NOT EXISTS evidence_1_is_never_updated BEFORE UPDATE ON evidence_1
BEGIN SELECT RAISE(ABORT, 'evidence is never changed'); END;
CREATE TRIGGER IF NOT EXISTS evidence_1_is_never_deleted BEFORE DELETE ON evidence_1
BEGIN SELECT RAISE(ABORT, 'evidence is never removed'); END;
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidenceRow:
    """One row of the book.

    Attributes:
        sequence: Its place, from 1.
        key: What it may be found by: a digest of everything that the measurement stood on.
        body: The evidence, as canonical JSON.
        previous: The hash of the row before it; 64 zeros for the first.
        hash: SHA-256 of all of the above, in hexadecimal.

    """

    sequence: int
    key: str
    body: bytes
    previous: str
    hash: str

    @property
    def intact(self) -> bool:
        """Whether the row still has the hash it was written with."""
        return self.hash == _hash(self.sequence, self.key, self.body, self.previous)


class EvidenceBook:
    """The book of evidence in an SQLite file; several processes may write to it.

    Args:
        path: The file; it is made, with its folder, when it is not there.

    Raises:
        LedgerError: The file cannot be made, opened or read as a book.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=30.0, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path) from error
        try:
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            self._connection.close()
            raise _unusable(path) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def append(self, key: str, body: bytes) -> EvidenceRow:
        """Add one row; it is on disk when this returns.

        Raises:
            LedgerError: The file cannot be written.

        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                row = self._next(key, body)
                self._connection.execute(
                    "INSERT INTO evidence_1 (sequence, key, body, previous, hash) VALUES (?, ?, ?, ?, ?)",
                    (row.sequence, row.key, row.body, row.previous, row.hash),
                )
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise _unusable(self._path) from error
        return row

    def latest(self, key: str) -> EvidenceRow | None:
        """Return the newest row with ``key``, intact or not.

        Raises:
            LedgerError: The file cannot be read.

        """
        return next(self._rows("WHERE key = ? ORDER BY sequence DESC LIMIT 1", (key,)), None)

    def rows(self) -> Iterator[EvidenceRow]:
        """Yield every row, oldest first.

        Raises:
            LedgerError: The file cannot be read.

        """
        return self._rows("ORDER BY sequence", ())

    def verify(self) -> tuple[int, ...]:
        """Return the sequence numbers at which the chain is broken: none, if nothing was changed.

        A number names the row that was edited, or the row that follows one that was edited, removed or inserted.

        Raises:
            LedgerError: The file cannot be read.

        """
        broken: list[int] = []
        previous = _FIRST
        for row in self.rows():
            if not row.intact or row.previous != previous:
                broken.append(row.sequence)
            previous = row.hash
        return tuple(broken)

    def _next(self, key: str, body: bytes) -> EvidenceRow:
        last = next(self._rows("ORDER BY sequence DESC LIMIT 1", ()), None)
        sequence, previous = (1, _FIRST) if last is None else (last.sequence + 1, last.hash)
        return EvidenceRow(
            sequence=sequence, key=key, body=body, previous=previous, hash=_hash(sequence, key, body, previous)
        )

    def _rows(self, clause: str, values: tuple[str, ...]) -> Iterator[EvidenceRow]:
        query = f"SELECT sequence, key, body, previous, hash FROM evidence_1 {clause}"  # noqa: S608 - our own words
        try:
            for sequence, key, body, previous, digest in self._connection.execute(query, values):
                yield EvidenceRow(
                    sequence=sequence,
                    key=str(key),
                    body=body if isinstance(body, bytes) else str(body).encode(),
                    previous=str(previous),
                    hash=str(digest),
                )
        except sqlite3.Error as error:
            raise _unusable(self._path) from error


def _hash(sequence: int, key: str, body: bytes, previous: str) -> str:
    # Every part before the body has a fixed alphabet without a line feed, so no two rows write the same bytes.
    head = f"{sequence}\n{key}\n{previous}\n".encode()
    return hashlib.sha256(head + body).hexdigest()


def _unusable(path: Path) -> LedgerError:
    return LedgerError(
        Text(en="the book of evidence cannot be used", ja="証拠台帳を使えません"),
        Text(
            en="check the permissions and the free space, or move the file away to begin a new book",
            ja="権限と空き容量を確認するか、ファイルを退避して新しい台帳を作ってください",
        ),
        where=path,
    )
