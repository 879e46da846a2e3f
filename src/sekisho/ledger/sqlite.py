"""A book in an SQLite file, with a write-ahead log.

``synchronous = NORMAL`` keeps everything that was committed when a process is killed, and may lose the last commits when the power fails,
without ever leaving half of one; ``FULL`` waits for the disk at every commit. What is deleted is overwritten with zeros (``secure_delete``).
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

from sekisho.ledger.database import Database, Run, Unreachable, too_new, unusable

if TYPE_CHECKING:
    from pathlib import Path

SECONDS_FOR_LOCK: Final = 5.0
SECONDS_TO_SCRUB: Final = 60.0
_FORMAT: Final = 2
_OWN: Final = re.compile(r"answers_([0-9]+)")
_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS models_1 (
    model INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    version TEXT NOT NULL,
    names TEXT NOT NULL,
    UNIQUE (digest, version, names)
);
CREATE TABLE IF NOT EXISTS answers_2 (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    model INTEGER NOT NULL REFERENCES models_1 (model),
    first_at TEXT NOT NULL,
    last_at TEXT NOT NULL,
    rows INTEGER NOT NULL,
    entries TEXT NOT NULL,
    columns BLOB,
    token TEXT,
    bucket INTEGER
);
CREATE INDEX IF NOT EXISTS answers_2_at ON answers_2 (last_at);
CREATE INDEX IF NOT EXISTS answers_2_bucket ON answers_2 (bucket);
CREATE UNIQUE INDEX IF NOT EXISTS answers_2_token ON answers_2 (token);
CREATE TABLE IF NOT EXISTS ids_2 (
    bucket INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (bucket, request_id, sequence)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outcomes_1 (
    request_id TEXT NOT NULL,
    row INTEGER NOT NULL,
    value TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (request_id, row)
);
CREATE VIEW IF NOT EXISTS predictions AS
SELECT
    a.sequence AS sequence,
    json_extract(entry.value, '$[0]') AS request_id,
    answer.key AS row,
    json_extract(entry.value, '$[1]') AS at,
    m.digest AS model,
    m.version AS version,
    CASE json_extract(entry.value, '$[3]')
        WHEN 1 THEN json_extract(entry.value, '$[4][' || answer.key || '].features')
        ELSE json_extract(entry.value, '$[4][' || answer.key || ']')
    END AS features,
    answer.value AS prediction,
    json_extract(entry.value, '$[6][' || answer.key || ']') AS probability,
    json_extract(entry.value, '$[7]."' || answer.key || '"') AS flags,
    json_extract(entry.value, '$[2]') AS latency_ms
FROM answers_2 AS a
JOIN models_1 AS m USING (model)
JOIN json_each(a.entries) AS entry
JOIN json_each(entry.value, '$[5]') AS answer
WHERE a.columns IS NULL AND answer.type <> 'null';
CREATE VIEW IF NOT EXISTS batches AS
SELECT
    a.sequence AS sequence,
    json_extract(a.entries, '$[0]') AS request_id,
    a.rows AS rows,
    a.last_at AS at,
    m.digest AS model,
    m.version AS version,
    json_extract(a.entries, '$[1]') AS latency_ms
FROM answers_2 AS a
JOIN models_1 AS m USING (model)
WHERE a.columns IS NOT NULL;
CREATE TABLE IF NOT EXISTS erasures_2 (
    erasure INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    by_whom TEXT NOT NULL,
    kind TEXT NOT NULL,
    digest TEXT NOT NULL,
    requests INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    outcomes INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS clocks_2 (
    boot TEXT PRIMARY KEY,
    wall REAL NOT NULL,
    uptime REAL NOT NULL,
    doubted_since REAL
);
"""
_LAST_TABLE: Final = "clocks_2"
_FROM_FORMAT_1: Final = """
DROP VIEW IF EXISTS predictions;
DROP INDEX IF EXISTS answers_1_at;
ALTER TABLE answers_1 RENAME TO answers_2;
ALTER TABLE answers_2 ADD COLUMN columns BLOB;
ALTER TABLE answers_2 ADD COLUMN token TEXT;
ALTER TABLE answers_2 ADD COLUMN bucket INTEGER;
"""


class SqliteDatabase(Database):
    """A book in a file.

    Args:
        path: The file; it is made, with its folder, when it is not there, for its owner alone.
        durable: Whether a commit waits for the disk.
        lazy: Whether it is opened only when it is first needed.

    Raises:
        LedgerError: The file cannot be made, opened or read as a book.

    """

    values_of: ClassVar[str] = "json_each(?)"

    def __init__(self, path: Path, *, durable: bool = False, lazy: bool = False) -> None:
        self.place = str(path)
        self._path = path
        self._durable = durable
        self._lock = threading.RLock()
        self._closed = False
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        if not lazy:
            with self._failing():
                self._open()

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, opened again if the file went bad or is another one by now."""
        if self._connection is None:
            self._open()
        assert self._connection is not None
        return self._connection

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._closed = True
            self._let_go()

    @contextmanager
    def transaction(self) -> Iterator[Run]:
        """Give something that runs statements."""
        with self._failing(), self._lock:
            if self._connection is not None and self._file != _identity(self._path):
                self._let_go()  # somebody has moved the file away: what is written to it now, nobody would find
            connection = self.connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection.execute
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                raise

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of one statement."""
        with self._failing(), self._lock:
            return self.connection.execute(sql, values).fetchall()

    def insert(self, run: Run, sql: str, values: Sequence[Any]) -> int | None:
        """Run an ``INSERT`` and return its number."""
        cursor = run(sql, values)
        assert isinstance(cursor, sqlite3.Cursor)
        return cursor.lastrowid if cursor.rowcount else None

    def scrub(self) -> None:
        """Write the file anew, and empty the write-ahead log."""
        ends = time.monotonic() + SECONDS_TO_SCRUB
        while True:
            try:
                with self._failing(), self._lock:
                    self.connection.execute("VACUUM")
                    (busy, _, _) = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if not busy:
                    return
            except Unreachable:
                if time.monotonic() > ends:
                    raise
            if time.monotonic() > ends:
                raise unusable(self.place, "another process reads it all the time", Unreachable)
            time.sleep(0.2)

    def size(self) -> int:
        """Return the bytes of the file and its log."""
        files = [self._path, self._path.with_name(f"{self._path.name}-wal")]
        return sum(file.stat().st_size for file in files if file.is_file())

    def faults(self) -> list[str]:
        """Return what SQLite finds wrong with the file."""
        return [words for (words,) in self.query("PRAGMA quick_check(20)") if words != "ok"]

    def _open(self) -> None:
        if self._closed:
            raise sqlite3.ProgrammingError("the book is closed")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        connection = sqlite3.connect(
            self._path, timeout=SECONDS_FOR_LOCK, isolation_level=None, check_same_thread=False
        )
        try:
            # Chunks are long: on large pages a thousand rows take less of a processor than on usual ones. For a new file only.
            connection.execute("PRAGMA page_size = 16384")
            _use_log(connection)
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
            connection.execute("PRAGMA secure_delete = ON")
            self._make_tables(connection)
        except BaseException:
            connection.close()
            raise
        self._connection, self._file = connection, _identity(self._path)
        self.generation += 1

    def _make_tables(self, connection: sqlite3.Connection) -> None:
        known = _tables(connection)
        if _LAST_TABLE in known:
            return
        if any(int(found[1]) > _FORMAT for found in map(_OWN.fullmatch, known) if found):
            raise too_new(self.place)
        connection.execute("BEGIN IMMEDIATE")
        try:
            if "answers_1" in _tables(connection):
                _run_all(connection, _FROM_FORMAT_1)
            _run_all(connection, _SCHEMA)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _let_go(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in _BUSY:
                raise unusable(self.place, error, Unreachable) from error
            if code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN}:
                with self._lock:
                    self._let_go()
            raise unusable(self.place, error) from error
        except OSError as error:
            raise unusable(self.place, error.strerror or type(error).__name__) from error


def _use_log(connection: sqlite3.Connection) -> None:
    """Switch the file to a write-ahead log; SQLite does not wait when another process is about to do the same."""
    ends = time.monotonic() + SECONDS_FOR_LOCK
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _BUSY or time.monotonic() > ends:
                raise
            time.sleep(0.01)


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _run_all(connection: sqlite3.Connection, script: str) -> None:
    """Run statements inside the transaction that is open; ``executescript`` would end it."""
    for statement in script.split(";\n"):
        if statement.strip():
            connection.execute(statement)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - one call, for every chunk
    except OSError:
        return None
    return found.st_dev, found.st_ino
