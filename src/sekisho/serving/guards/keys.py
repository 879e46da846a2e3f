"""API keys: a file of ids, scopes and hashes, read again when it changes.

Each line is ``id:scope[,scope]:salt$hash``; blank lines and lines that begin with ``#`` are left out. The key itself is shown once, when it
is made, and stored nowhere. The salt is a digest of its first letters, which are random: so the hash follows from the key alone, and one
look finds its line, however many there are. What follows them is 32 random bytes, which no guess approaches, so the hash need not be slow.

Lines ``id:scope[,scope]:sha256``, of an older form and without salt, are read as well.
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
SHORTEST_KEY: Final = 16
"""Whatever a key file says, nothing shorter is a key: it could be guessed."""
MOST_BYTES: Final = 4 * 1024 * 1024

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LINE: Final = re.compile(
    r"(?P<id>[A-Za-z0-9][A-Za-z0-9._-]{0,63}):(?P<scopes>[a-z]+(?:,[a-z]+)*):(?:(?P<salt>[0-9a-f]{32})\$)?(?P<hash>[0-9a-f]{64})"
)
_LEADING: Final = len(PREFIX) + 11
"""The letters of a key that make its salt."""
_WEAK: Final = (
    "",
    *("admin", "administrator", "api-key", "api_key", "apikey", "changeit", "changeme", "change-me", "default", "demo"),
    *("dev", "example", "foo", "foobar", "guest", "hunter2", "key", "letmein", "my-api-key", "my-key", "none", "null"),
    *("pass", "passw0rd", "passwd", "password", "password1", "private", "public", "qwerty", "root", "secret"),
    *("secret-key", "secretkey", "sekisho", "string", "supersecret", "test", "test-key", "testing", "token"),
    *("undefined", "user", "xxx", "your-api-key", "your-api-key-here", "your-secret-key", "changemechangeme"),
    *(
        "replace-with-your-key",
        "0123456789abcdef",
        "1234567890123456",
        "passwordpassword",
        "0" * 16,
        "0" * 32,
        "x" * 16,
    ),
)
_GUESSED: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_GUESSED_LENGTH: Final = 4


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
    secret = PREFIX + secrets.token_urlsafe(40)
    salt = _salt(secret.encode())
    line = f"{key_id}:{','.join(scopes)}:{salt.hex()}${_salted(salt, secret.encode()).hex()}"
    _read_line(line, "new_key")
    return secret, line


def is_key_of(line: str, secret: str) -> bool:
    """Whether ``line`` of a key file is that of the key ``secret``.

    Raises:
        WrongUse: It is no line of a key file.

    """
    return _read_line(line, "key file").is_met_by(secret.encode())


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    """One line: its hash, with its salt, or, in the older form, without."""

    salt: bytes | None
    hash: bytes
    caller: Caller

    def is_met_by(self, secret: bytes) -> bool:
        salt = _salt(secret)
        digest = hashlib.sha256(secret).digest() if self.salt is None else _salted(salt, secret)
        return self.salt in {None, salt} and hmac.compare_digest(digest, self.hash)


_NOBODY: Final = _Known(salt=None, hash=b"\0" * 32, caller=Caller(id="", scopes=frozenset()))


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

        What the time of the answer shows depends on hashes of the secret alone, which a guess cannot approach byte by byte.
        """
        if not SHORTEST_KEY <= len(secret) <= LONGEST_KEY:
            return None
        salted, plain = _salted(_salt(secret), secret), hashlib.sha256(secret).digest()
        # The same is done whether a line is found or not.
        one, other = self._known.get(salted, _NOBODY), self._known.get(plain, _NOBODY)
        is_salted, is_plain = hmac.compare_digest(salted, one.hash), hmac.compare_digest(plain, other.hash)
        return one.caller if is_salted else other.caller if is_plain else None

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
    ids: set[str] = set()
    for place, line in _lines(words):
        one = _read_line(line, f"{path}:{place}")
        if one.hash in _weak_hashes():
            raise _useless(f"{path}:{place}", Text(en="everybody knows this key", ja="誰もが知っている鍵です"))
        if one.hash in known or one.caller.id in ids:
            raise _useless(
                f"{path}:{place}", Text(en="the key or its id is there twice", ja="鍵または ID が重複しています")
            )
        known[one.hash] = one
        ids.add(one.caller.id)
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
                en=f"the line is not id:scope[,scope]:salt$hash with scopes of {', '.join(SCOPES)}",
                ja=f"行が「ID:スコープ[,スコープ]:ソルト$ハッシュ」の形ではありません（スコープは {'、'.join(SCOPES)}）",
            ),
        )
    caller = Caller(id=match["id"], scopes=frozenset(scope for scope in SCOPES if scope in scopes))
    salt = None if match["salt"] is None else bytes.fromhex(match["salt"])
    return _Known(salt=salt, hash=bytes.fromhex(match["hash"]), caller=caller)


def _salt(secret: bytes) -> bytes:
    return hashlib.sha256(b"sekisho salt" + secret[:_LEADING]).digest()[:16]


def _salted(salt: bytes, secret: bytes) -> bytes:
    return hashlib.sha256(salt + secret).digest()


def refuse_guessable(path: Path) -> None:
    """Refuse a key file of the older form with a key of four letters or digits or fewer; takes about a second, where there are such lines.

    Raises:
        WrongUse: It holds one.

    """
    plain = {known.hash for known in _read(path).values() if known.salt is None}
    if not plain:
        return
    letters = [letter.encode() for letter in _GUESSED]
    for length in range(1, _GUESSED_LENGTH + 1):
        for word in product(letters, repeat=length):
            if hashlib.sha256(b"".join(word)).digest() in plain:
                raise _useless(path, Text(en="one of its keys can be guessed", ja="推測できる鍵があります"))


_weak: set[bytes] = set()


def _weak_hashes() -> set[bytes]:
    if not _weak:
        cases = {case for word in _WEAK for case in (word, word.upper(), word.capitalize())}
        words = {f"{word}{end}" for word in cases for end in ("", "1", "123", "1234", "!")}
        words |= {"".join(digits) for length in (1, 2, 3, 4) for digits in product("0123456789", repeat=length)}
        for word in map(str.encode, words):
            _weak.update((hashlib.sha256(word).digest(), _salted(_salt(word), word)))
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
