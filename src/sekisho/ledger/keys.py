"""The secret keys of a book of predictions: with them, people are hashed and values encrypted. They never stand in the book.

A key file has one key a line, ``ID:SECRET``, the secret in base64 of 32 bytes or more. The first key is used for what is written now; the
others are for reading what was written with them. A new first line rotates the key. Blank lines and lines that begin with ``#`` mean nothing.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from sekisho.errors import WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.ledger.values import Scalar

MOST_BYTES: Final = 256 * 1024
FEWEST_SECRET: Final = 32
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
_DIGEST: Final = 16
"""Bytes of a keyed hash that are kept: enough that no two people share one."""


@dataclass(frozen=True, slots=True)
class LedgerKey:
    """One key.

    Attributes:
        id: What it is called, in the book too.
        hashing: The secret of its hashes.
        encryption: The secret of its encryption, 32 bytes.

    """

    id: str
    hashing: bytes
    encryption: bytes

    def __repr__(self) -> str:
        return f"LedgerKey({self.id!r})"

    def digest(self, purpose: str, value: Scalar) -> str:
        """Return the keyed hash (HMAC-SHA256, 128 bits) of a value: equal values have equal ones.

        Args:
            purpose: What it is for; hashes for several purposes tell nothing of one another.
            value: A whole number counts the same however it is written.

        """
        message = purpose.encode() + b"\0" + canonical(value)
        return f"{self.id}:{hmac.digest(self.hashing, message, 'sha256')[:_DIGEST].hex()}"


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys, the one that is used now first."""

    keys: tuple[LedgerKey, ...]

    @property
    def first(self) -> LedgerKey:
        """The key for what is written now."""
        return self.keys[0]

    def digests(self, purpose: str, value: Scalar) -> frozenset[str]:
        """Return the hash of a value by every key."""
        return frozenset(key.digest(purpose, value) for key in self.keys)


def read_keys(path: Path) -> Keyring:
    """Return the keys in a file.

    Raises:
        WrongUse: It cannot be read, or a line is no key. What stands there is not repeated.

    """
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            raise _unfit(path, None)
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise _unfit(path, None) from None
    keys: dict[str, LedgerKey] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, _, secret = line.strip().partition(":")
        key = _key(name, secret)
        if key is None or name in keys:
            raise _unfit(path, number)
        keys[name] = key
    if not keys:
        raise _unfit(path, None)
    return Keyring(tuple(keys.values()))


def new_key(name: str) -> str:
    """Return the line of a new key.

    Raises:
        WrongUse: The name cannot be one.

    """
    if _ID.fullmatch(name) is None:
        raise WrongUse(
            Text(en="a key cannot be called this", ja="キーの ID として使えません"),
            Text(
                en="use up to 32 letters, digits, hyphens and underscores",
                ja="英数字・ハイフン・下線の32文字以内にしてください",
            ),
        )
    return f"{name}:{base64.b64encode(secrets.token_bytes(FEWEST_SECRET)).decode()}"


def canonical(value: Scalar) -> bytes:
    """Return a value as bytes, equal ones alike: 7 and 7.0 are one number."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return msgspec.json.encode(value)


def _key(name: str, secret: str) -> LedgerKey | None:
    try:
        root = base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        return None
    if _ID.fullmatch(name) is None or len(root) < FEWEST_SECRET:
        return None
    hashing, encryption = (hmac.digest(root, b"sekisho ledger " + use, "sha256") for use in (b"hash", b"encrypt"))
    return LedgerKey(name, hashing, encryption)


def _unfit(path: Path, line: int | None) -> WrongUse:
    place = str(path) if line is None else f"{path}:{line}"
    return WrongUse(
        Text(en="this is no file of ledger keys", ja="台帳の鍵ファイルとして読めません"),
        Text(
            en="one key a line, ID:SECRET; make one with sekisho ledger key ID",
            ja="1行に1つ ID:SECRET の形で書きます。sekisho ledger key ID で作れます",
        ),
        where=place,
    )
