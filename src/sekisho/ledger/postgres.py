"""A book in PostgreSQL, by psycopg 3. A connection that breaks is made anew when it is next needed; no statement waits for ever.

The tables are made by whoever comes first, under a lock of the database; they stand in the first schema of the search path.
"""

from __future__ import annotations

import re
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

from sekisho.errors import LedgerError, MissingExtra
from sekisho.ledger.address import password_of, shown, without, without_password
from sekisho.ledger.database import Database, Run, Unreachable, too_new, unusable

if TYPE_CHECKING:
    from psycopg import Connection

SECONDS_TO_CONNECT: Final = 3
SECONDS_A_STATEMENT: Final = 5
_FORMAT: Final = 2
_OWN: Final = re.compile(r"answers_([0-9]+)")
_LOCK: Final = zlib.crc32(b"sekisho: tables of the book of predictions")
_OPTIONS: Final = {
    "connect_timeout": str(SECONDS_TO_CONNECT),
    "application_name": "sekisho",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": str(SECONDS_A_STATEMENT * 1_000),
}
_OF_SESSION: Final = {
    "statement_timeout": SECONDS_A_STATEMENT * 1_000,
    "lock_timeout": SECONDS_A_STATEMENT * 1_000,
    "idle_in_transaction_session_timeout": 4 * SECONDS_A_STATEMENT * 1_000,
    "client_encoding": "UTF8",
}
_UNREACHABLE: Final = ("08", "57", "55P03", "40", "53300")
"""Beginnings of the codes of errors that pass: connections, shutting down, locks, deadlocks, too many connections."""

# No text of PostgreSQL holds a null character: where a caller sent one, the view shows that something is missing.
_SCHEMA: Final = """
CREATE TABLE models_1 (
    model BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest TEXT NOT NULL,
    version TEXT NOT NULL,
    names TEXT NOT NULL,
    UNIQUE (digest, version, names)
);
CREATE TABLE answers_2 (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model BIGINT NOT NULL REFERENCES models_1 (model),
    first_at TEXT COLLATE "C" NOT NULL,
    last_at TEXT COLLATE "C" NOT NULL,
    rows INTEGER NOT NULL,
    entries TEXT NOT NULL,
    columns BYTEA,
    token TEXT,
    bucket BIGINT
);
CREATE INDEX answers_2_at ON answers_2 (last_at);
CREATE INDEX answers_2_bucket ON answers_2 (bucket);
CREATE UNIQUE INDEX answers_2_token ON answers_2 (token);
CREATE TABLE ids_2 (
    bucket BIGINT NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    sequence BIGINT NOT NULL,
    PRIMARY KEY (bucket, request_id, sequence)
);
CREATE TABLE outcomes_1 (
    request_id TEXT COLLATE "C" NOT NULL,
    row INTEGER NOT NULL,
    value TEXT NOT NULL,
    at TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (request_id, row)
);
CREATE VIEW predictions AS
SELECT
    a.sequence AS sequence,
    entry.value ->> 0 AS request_id,
    (answer.place - 1)::integer AS row,
    entry.value ->> 1 AS at,
    m.digest AS model,
    m.version AS version,
    CASE entry.value ->> 3
        WHEN 'true' THEN entry.value -> 4 -> (answer.place - 1)::integer -> 'features'
        ELSE entry.value -> 4 -> (answer.place - 1)::integer
    END AS features,
    answer.value AS prediction,
    entry.value -> 6 -> (answer.place - 1)::integer AS probability,
    entry.value -> 7 -> (answer.place - 1)::text AS flags,
    (entry.value ->> 2)::double precision AS latency_ms
FROM answers_2 AS a
JOIN models_1 AS m USING (model)
CROSS JOIN LATERAL json_array_elements(replace(a.entries, '\\u0000', '\\ufffd')::json) AS entry (value)
CROSS JOIN LATERAL json_array_elements(entry.value -> 5) WITH ORDINALITY AS answer (value, place)
WHERE a.columns IS NULL AND json_typeof(answer.value) <> 'null';
CREATE VIEW batches AS
SELECT
    a.sequence AS sequence,
    a.entries::json ->> 0 AS request_id,
    a.rows AS rows,
    a.last_at AS at,
    m.digest AS model,
    m.version AS version,
    (a.entries::json ->> 1)::double precision AS latency_ms
FROM answers_2 AS a
JOIN models_1 AS m USING (model)
WHERE a.columns IS NOT NULL;
CREATE TABLE erasures_2 (
    erasure BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at TEXT NOT NULL,
    by_whom TEXT NOT NULL,
    kind TEXT NOT NULL,
    digest TEXT NOT NULL,
    requests INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    outcomes INTEGER NOT NULL
);
CREATE TABLE clocks_2 (
    boot TEXT PRIMARY KEY,
    wall DOUBLE PRECISION NOT NULL,
    uptime DOUBLE PRECISION NOT NULL,
    doubted_since DOUBLE PRECISION
);
"""
_LAST_TABLE: Final = "clocks_2"
_OWN_TABLES: Final = (
    "SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p')"
)
_TO_SCRUB: Final = ("answers_2", "ids_2", "outcomes_1")


class PostgresDatabase(Database):
    """A book in a database.

    Args:
        url: Where it is.
        durable: Whether a commit waits for the disk, whatever the server's own default.
        lazy: Whether it is asked only when it is first needed.

    Raises:
        LedgerError: It does not answer, or does not let this user make tables.
        MissingExtra: psycopg is not installed.

    """

    values_of: ClassVar[str] = "json_array_elements_text(?::json) AS one (value)"

    def __init__(self, url: str, *, durable: bool = False, lazy: bool = False) -> None:
        try:
            import psycopg
        except ImportError:
            raise MissingExtra("psycopg", "postgres") from None
        self._driver = psycopg
        self.place = shown(url)
        self._url, _ = without_password(url)
        self._password = password_of(url)
        self._durable = durable
        self._lock = threading.RLock()
        self._closed = False
        self._connection: Connection[Any] | None = None
        if not lazy:
            with self._failing():
                _ = self.connection

    @property
    def connection(self) -> Connection[Any]:
        """The connection, made anew if it broke."""
        if self._connection is None or self._connection.closed:
            if self._closed:
                raise self._driver.InterfaceError("the book is closed")
            self._connection = self._connect()
            self.generation += 1
        return self._connection

    def close(self) -> None:
        """Let go of the database."""
        with self._lock:
            self._closed = True
            self._let_go()

    @contextmanager
    def transaction(self) -> Iterator[Run]:
        """Give something that runs statements."""
        with self._failing(), self._lock:
            connection = self.connection
            with connection.transaction():
                yield lambda sql, values=(): connection.execute(_words(sql), values)

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of one statement; a connection that broke while nobody used it is made anew."""
        with self._failing(), self._lock:
            try:
                return self.connection.execute(_words(sql), values).fetchall()
            except self._driver.OperationalError:
                if self._connection is not None and not self._connection.closed:
                    raise
                return self.connection.execute(_words(sql), values).fetchall()

    def insert(self, run: Run, sql: str, values: Sequence[Any]) -> int | None:
        """Run an ``INSERT`` and return its number."""
        found = run(f"{sql} RETURNING sequence", values).fetchone()
        return None if found is None else int(found[0])

    def scrub(self) -> None:
        """Write the tables anew; each is locked for as long as that takes."""
        with self._failing(), self._lock:
            connection = self.connection
            connection.execute("SET statement_timeout = 0")
            try:
                for table in _TO_SCRUB:
                    connection.execute(f"VACUUM FULL {table}".encode())
                with suppress(self._driver.errors.InsufficientPrivilege):
                    connection.execute("CHECKPOINT")
            finally:
                with suppress(self._driver.Error):
                    connection.execute(f"SET statement_timeout = {SECONDS_A_STATEMENT * 1_000}".encode())

    def size(self) -> int:
        """Return the bytes of the tables and their indexes."""
        ((size,),) = self.query(
            "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(ARRAY['answers_2', 'ids_2', 'outcomes_1']) AS name"
        )
        return int(size)

    def faults(self) -> list[str]:
        """Return nothing: whoever runs PostgreSQL checks its files (``pg_amcheck``)."""
        return []

    def _connect(self) -> Connection[Any]:
        said = self._driver.conninfo.conninfo_to_dict(self._url)
        given: dict[str, Any] = {name: value for name, value in _OPTIONS.items() if name not in said}
        if self._password is not None:
            given["password"] = self._password
        connection = self._driver.connect(self._url, autocommit=True, prepare_threshold=None, **given)
        try:
            for name, value in _OF_SESSION.items():
                connection.execute("SELECT set_config(%s, %s, false)", (name, str(value)))
            if self._durable:
                connection.execute(
                    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
                )
            self._make_tables(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _make_tables(self, connection: Connection[Any]) -> None:
        known = _tables(connection)
        if _LAST_TABLE in known:
            return
        if any(int(found[1]) > _FORMAT for found in map(_OWN.fullmatch, known) if found):
            raise too_new(self.place)
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            if _LAST_TABLE not in _tables(connection):
                connection.execute(_SCHEMA.encode())

    def _let_go(self) -> None:
        if self._connection is not None:
            with suppress(self._driver.Error):
                self._connection.close()
            self._connection = None

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except self._driver.Error as error:
            broken = isinstance(error, self._driver.OperationalError | self._driver.InterfaceError)
            passing = error.sqlstate.startswith(_UNREACHABLE) if error.sqlstate else broken
            if broken or passing:
                with self._lock:
                    self._let_go()
            raise unusable(self.place, self._why(error), Unreachable if passing else LedgerError) from None

    def _why(self, error: Any) -> str:
        """Return what the database said, in one line, without what was sent to it and without the password."""
        said = error.diag.message_primary if error.sqlstate else (str(error).strip().splitlines() or [""])[-1]
        return without(said or type(error).__name__, self._password)[:300]


def _words(sql: str) -> bytes:
    """Return a statement as psycopg wants it."""
    return sql.replace("?", "%s").encode()


def _tables(connection: Connection[Any]) -> set[str]:
    return {name for (name,) in connection.execute(_OWN_TABLES.encode()).fetchall()}
