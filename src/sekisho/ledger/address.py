"""Where a book of predictions is: an SQLite file, or a PostgreSQL database by URL. A password never stands in what is shown.

The password of a database may stand in the URL, in the file that ``SEKISHO_LEDGER_PASSWORD_FILE`` names, or in ``SEKISHO_LEDGER_PASSWORD``;
the first of them that is there counts. Without any, libpq looks where it always does (``PGPASSWORD``, ``~/.pgpass``).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

from sekisho.errors import LedgerError, WrongUse
from sekisho.text import Text

PASSWORD: Final = "SEKISHO_LEDGER_PASSWORD"  # noqa: S105 - the name of a variable
PASSWORD_FILE: Final = "SEKISHO_LEDGER_PASSWORD_FILE"  # noqa: S105 - the name of a variable
_SCHEMES: Final = ("postgresql://", "postgres://")
_LONGEST: Final = 4_096


def is_url(address: Path | str) -> bool:
    """Whether a book is in a database, and is no file."""
    return isinstance(address, str) and address.startswith(_SCHEMES)


def is_there(address: Path | str) -> bool:
    """Whether there is a file; a database is taken to be there."""
    return is_url(address) or Path(address).is_file()


def checked(address: Path | str) -> Path | str:
    """Return a path, or a URL that can be one.

    Raises:
        WrongUse: It is a URL of something else than PostgreSQL, or none at all.

    """
    if isinstance(address, Path):
        return address
    if not is_url(address):
        if "://" in address:
            raise _no_address()
        return Path(address)
    parts = _parts(address)
    if not address.isprintable() or " " in address or parts.fragment:
        raise _no_address()
    return address


def without_password(url: str) -> tuple[str, str | None]:
    """Return a URL without its password, and the password; ``None`` if there is none in it."""
    parts = _parts(url)
    found = parts.password
    kept = []
    for pair in parts.query.split("&") if parts.query else []:
        name, _, value = pair.partition("=")
        if unquote(name).lower() in {"password", "sslpassword"}:
            found = found or value
        else:
            kept.append(pair)
    user, at, host = parts.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}{at}{host}"
    query = f"?{'&'.join(kept)}" if kept else ""
    # Not by geturl(), which drops the slashes of an address without a host: a socket.
    return f"{parts.scheme}://{netloc}{parts.path}{query}", None if found is None else unquote(found)


def shown(address: Path | str) -> str:
    """Return an address for people: a URL without its password and without its options."""
    if not is_url(address):
        return str(address)
    return without_password(str(address))[0].partition("?")[0]


def password_of(url: str) -> str | None:
    """Return the password of a database; ``None`` leaves it to libpq.

    Raises:
        LedgerError: The file that should hold it cannot be read.

    """
    _, found = without_password(url)
    if found is not None:
        return found
    named = os.environ.get(PASSWORD_FILE)
    if named:
        try:
            with Path(named).open("rb") as stream:
                return stream.readline(_LONGEST).rstrip(b"\r\n").decode()
        except (OSError, UnicodeDecodeError):
            raise LedgerError(
                Text(en="the file with the password cannot be read", ja="パスワードのファイルを読めません"),
                Text(en=f"look at {PASSWORD_FILE}", ja=f"{PASSWORD_FILE} を確認してください"),
            ) from None
    return os.environ.get(PASSWORD) or None


def set_apart(address: str) -> str:
    """Return an address without a password, which the processes that are started from now on find in their environment."""
    if not is_url(address):
        return address
    bare, found = without_password(address)
    if found is not None:
        os.environ[PASSWORD] = found
        os.environ.pop(PASSWORD_FILE, None)
    return bare


def without(words: str, password: str | None) -> str:
    """Return ``words`` without a password, however it is written in them."""
    for secret in {password, None if password is None else quote(password, safe="")}:
        if secret:
            words = words.replace(secret, "***")
    return words


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port, parts.hostname
    except ValueError:
        raise _no_address() from None
    return parts


def _no_address() -> WrongUse:
    return WrongUse(
        Text(en="a book of predictions cannot be at this address", ja="予測台帳の場所として使えない指定です"),
        Text(
            en="give the path of a file, or a URL like postgresql://user@host:5432/database",
            ja="ファイルのパスか、postgresql://user@host:5432/database のような URL を指定してください",
        ),
    )
