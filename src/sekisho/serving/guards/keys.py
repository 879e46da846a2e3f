"""API keys: a file of ids, scopes and hashes, read again when it changes.

Each line is ``id:scope[,scope]:sha256``; blank lines and lines that begin with ``#`` are left out. A key is 32 random bytes, so its plain
SHA-256 gives nothing away; the key itself is shown once, when it is made, and stored nowhere. (Slow or salted hashes protect secrets that
can be guessed. These cannot.)
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sekisho.errors import NotFound, WrongUse
from sekisho.serving.guards.interface import SCOPES, Caller, Scope
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PREFIX: Final = "sk_"
"""What a key begins with, so that people and secret scanners know one when they see it."""
LONGEST_KEY: Final = 256
MOST_BYTES: Final = 4 * 1024 * 1024

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LINE: Final = re.compile(
    r"(?P<id>[A-Za-z0-9][A-Za-z0-9._-]{0,63}):(?P<scopes>[a-z]+(?:,[a-z]+)*):(?P<hash>[0-9a-f]{64})"
)
_NOBODY: Final = b"\0" * 32
_WEAK: Final = (
    "",
    *(
        "admin",
        "administrator",
        "apikey",
        "api-key",
        "api_key",
        "changeit",
        "changeme",
        "change-me",
        "default",
        "demo",
        "dev",
    ),
    *("example", "guest", "key", "letmein", "password", "password1", "passw0rd", "private", "public", "qwerty", "root"),
    *(
        "secret",
        "secret-key",
        "sekisho",
        "string",
        "supersecret",
        "test",
        "test-key",
        "testing",
        "token",
        "user",
        "xxx",
        "your-api-key",
    ),
)


def new_key(key_id: str, scopes: Iterable[Scope] = ("predict",)) -> tuple[str, str]:
    """Make a key.

    Args:
        key_id: What it is called in logs and limits: letters, digits, dots, dashes and underscores.
        scopes: What it may do.

    Returns:
        The key itself, for the caller alone, and the line for the key file.

    Raises:
        WrongUse: The id or a scope cannot stand in a key file.

    """
    if not _ID.fullmatch(key_id):
        raise WrongUse(
            Text(en="a key cannot be called this", ja="この名前は鍵に使えません"),
            Text(
                en="use at most 64 letters, digits, dots, dashes and underscores",
                ja="英数字・ドット・ハイフン・アンダースコアを64文字以内で使ってください",
            ),
        )
    secret = PREFIX + secrets.token_urlsafe(32)
    line = f"{key_id}:{','.join(scopes)}:{hashlib.sha256(secret.encode()).hexdigest()}"
    _read_line(line, "new_key")
    return secret, line


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    hash: bytes
    caller: Caller


class KeyRing:
    """The keys of one file.

    Args:
        path: The key file.

    Attributes:
        epoch: Counts how often the keys have changed: what was found out about a key before is worth nothing after.

    Raises:
        NotFound: There is no such file.
        WrongUse: It cannot be read, holds no keys, or a line that is none; or one of its keys is known to everybody.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.epoch = 0
        self._state = _state(path)
        self._known = _read(path)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys."""
        return tuple(known.caller.id for known in self._known.values())

    def find(self, secret: bytes) -> Caller | None:
        """Return whose key this is; ``None`` if it is nobody's.

        What the time of the answer shows depends on the hash of the secret alone, which a guess cannot approach byte by byte.
        """
        digest = hashlib.sha256(secret[:LONGEST_KEY]).digest()
        known = self._known.get(digest)
        matches = hmac.compare_digest(digest, _NOBODY if known is None else known.hash)
        return known.caller if known is not None and matches and len(secret) <= LONGEST_KEY else None

    def refresh(self) -> bool:
        """Read the file again if it has changed; return whether the keys are new.

        Raises:
            NotFound: The file is gone.
            WrongUse: It has become useless. The keys stay as they were.

        """
        state = _state(self._path)
        if state == self._state:
            return False
        known = _read(self._path)
        self._state = state
        if known == self._known:
            return False
        self._known = known
        self.epoch += 1
        return True


def read_secret(by_name: dict[bytes, bytes], header: bytes) -> bytes | None:
    """Return the key that a request carries: in ``header``, or as a bearer token (RFC 6750).

    Args:
        by_name: The header fields.
        header: The name of the key header, in lower case.

    """
    secret = by_name.get(header)
    if secret is not None:
        return secret
    authorization = by_name.get(b"authorization")
    if authorization is not None and authorization[:7].lower() == b"bearer ":
        return authorization[7:].strip()
    return None


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: Path) -> dict[bytes, _Known]:
    if not path.is_file():
        raise NotFound(
            Text(en="there is no such key file", ja="鍵ファイルがありません"),
            Text(en="make one with: sekisho serve --new-key ID", ja="sekisho serve --new-key ID で作ってください"),
            where=path,
        )
    try:
        with path.open("rb") as file:
            words = file.read(MOST_BYTES + 1).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _useless(path, Text(en="it cannot be read", ja="読み取れません")) from error
    if len(words) > MOST_BYTES:
        raise _useless(path, Text(en="it is too large", ja="大きすぎます"))
    known: dict[bytes, _Known] = {}
    for place, line in _lines(words):
        one = _read_line(line, f"{path}:{place}")
        if one.hash in _weak_hashes():
            raise _useless(f"{path}:{place}", Text(en="everybody knows this key", ja="誰もが知っている鍵です"))
        if one.hash in known or one.caller.id in {other.caller.id for other in known.values()}:
            raise _useless(
                f"{path}:{place}", Text(en="the key or its id is there twice", ja="鍵または ID が重複しています")
            )
        known[one.hash] = one
    if not known:
        raise _useless(path, Text(en="it holds no keys", ja="鍵が1つもありません"))
    return known


def _lines(words: str) -> Iterator[tuple[int, str]]:
    for place, line in enumerate(words.splitlines(), start=1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield place, stripped


def _read_line(line: str, where: str) -> _Known:
    match = _LINE.fullmatch(line)
    scopes = frozenset(match["scopes"].split(",")) if match else frozenset()
    if match is None or not scopes <= set(SCOPES):
        raise _useless(
            where,
            Text(
                en=f"the line is not id:scope[,scope]:sha256 with scopes of {', '.join(SCOPES)}",
                ja=f"行が「ID:スコープ[,スコープ]:SHA-256」の形ではありません（スコープは {'、'.join(SCOPES)}）",
            ),
        )
    caller = Caller(id=match["id"], scopes=frozenset(scope for scope in SCOPES if scope in scopes))
    return _Known(hash=bytes.fromhex(match["hash"]), caller=caller)


_weak: set[bytes] = set()


def _weak_hashes() -> set[bytes]:
    if not _weak:
        words = {
            *_WEAK,
            *(word.upper() for word in _WEAK),
            *(word.capitalize() for word in _WEAK),
            *(f"{word}123" for word in _WEAK),
        }
        words |= {"".join(digits) for length in (1, 2, 3, 4) for digits in product("0123456789", repeat=length)}
        _weak.update(hashlib.sha256(word.encode()).digest() for word in words)
    return _weak


def _useless(where: Path | str, what: Text) -> WrongUse:
    return WrongUse(
        Text(en=f"the key file is of no use: {what.en}", ja=f"鍵ファイルを使えません。{what.ja}"),
        Text(
            en="make keys with: sekisho serve --new-key ID",
            ja="sekisho serve --new-key ID で鍵を作ってください",
        ),
        where=where,
    )
