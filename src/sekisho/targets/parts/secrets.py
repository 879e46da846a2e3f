"""Secrets that generated files refer to: made once, kept from other users and from version control, never rendered.

The service gets only digests of keys; each client has its own key in a file of its own. Running again keeps what is there and makes
what is missing.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from sekisho.files import write_atomically
from sekisho.ledger.keys import new_key as new_ledger_key
from sekisho.serving.guards.interface import Scope
from sekisho.serving.guards.keys import is_key_of, new_key

if TYPE_CHECKING:
    from pathlib import Path

FOLDER: Final = "secrets"
KEYS: Final = "api_keys"
CLIENT_KEY: Final = "client_key"
METRICS_KEY: Final = "metrics_key"
LEDGER_KEYS: Final = "ledger_keys"
PASSWORD: Final = "grafana_admin_password"  # noqa: S105 - the name of a file

CONTAINER_USER: Final = 65534
"""Who containers run as when root generates: nobody."""

_CLIENTS: Final[Mapping[str, tuple[str, tuple[Scope, ...]]]] = {
    CLIENT_KEY: ("client", ("predict",)),
    METRICS_KEY: ("prometheus", ("metrics",)),
}


def make_secrets(folder: Path, *, authentication: bool, dashboard: bool, ledger_keys: bool = False) -> None:
    """Make what is missing in ``folder/secrets``, readable by its owner alone, who is also who the containers run as.

    Args:
        folder: The output folder.
        authentication: Whether the service asks for keys.
        dashboard: Whether there is a Grafana that asks for a password.
        ledger_keys: Whether the book of predictions needs secret keys.

    Raises:
        OSError: They cannot be read or written.

    """
    place = folder / FOLDER
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    place.chmod(0o700)
    _write(place / ".gitignore", "*\n")
    if authentication:
        _make_keys(place)
    if ledger_keys and not (place / LEDGER_KEYS).exists():
        _write(place / LEDGER_KEYS, f"{new_ledger_key('first')}\n")
    if dashboard and not (place / PASSWORD).exists():
        _write(place / PASSWORD, secrets.token_urlsafe(24))
    _hand_over(place)
    _write(folder / ".env", f"# who the containers run as: the owner of secrets/\nSEKISHO_UID={_owner()}\n")


def _make_keys(place: Path) -> None:
    """Give each client a key, and the service the digests of all; a key that the service does not know is made anew."""
    keys = place / KEYS
    lines = keys.read_text().splitlines() if keys.exists() else []
    for file, (identifier, scopes) in _CLIENTS.items():
        secret = (place / file).read_text().strip() if (place / file).exists() else ""
        if any(is_key_of(line, secret) for line in lines if line.startswith(f"{identifier}:")):
            continue
        secret, line = new_key(identifier, scopes)
        lines = [*(other for other in lines if not other.startswith(f"{identifier}:")), line]
        _write(place / file, secret)
    _write(keys, "\n".join([*lines, ""]))


def _write(path: Path, content: str) -> None:
    write_atomically(path, content, mode=0o600)


def _owner() -> int:
    return os.getuid() or CONTAINER_USER


def _hand_over(place: Path) -> None:
    """Let the containers' user read: files that root makes are given to nobody."""
    if os.getuid() == 0:
        for path in (place, *place.iterdir()):
            os.chown(path, CONTAINER_USER, CONTAINER_USER)
