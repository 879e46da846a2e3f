"""The public Ed25519 keys that a deployer trusts, with validity and revocation."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import stat
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.errors import MissingExtra, NotFound, WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MOST_BYTES: Final = 256 * 1024
PUBLIC_ENDING: Final = ".pub"

_PUBLIC: Final = b"-----BEGIN PUBLIC KEY-----"


class TrustedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key that a deployer trusts.

    Attributes:
        id: SHA-256 of its SubjectPublicKeyInfo (RFC 5280), in hexadecimal.
        public: Its 32 bytes.
        name: What people call it.
        not_before, not_after: The first and the last moment at which its signatures count; ``None`` sets no end. An envelope holds no time
            that could be trusted, so it is the moment of verification that must lie between them.
        revoked: Why it is no longer trusted; ``None`` while it is.

    """

    id: str
    public: bytes
    name: str | None = None
    not_before: dt.datetime | None = None
    not_after: dt.datetime | None = None
    revoked: str | None = None

    def why_not(self, moment: dt.datetime) -> Text | None:
        """Return why its signatures do not count at ``moment``; ``None`` if they do."""
        if self.revoked is not None:
            return Text(en="the key is revoked", ja="鍵は失効しています")
        if self.not_before is not None and moment < self.not_before:
            return Text(en="the key is not valid yet", ja="鍵はまだ有効になっていません")
        if self.not_after is not None and moment > self.not_after:
            return Text(en="the key has expired", ja="鍵の有効期限が切れています")
        return None

    def made(self, signature: bytes, message: bytes) -> bool:
        """Return whether this key made ``signature`` of ``message``."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


class TrustedKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The public keys that a deployer trusts, each once."""

    keys: tuple[TrustedKey, ...] = ()

    @classmethod
    def read(cls, paths: Iterable[Path | str]) -> TrustedKeys:
        """Return the keys in files: each a public key in PEM, or a list of keys in TOML.

        A list has one ``[[keys]]`` a key, with ``public`` (its PEM file, from the folder of the list) and, if wanted, ``name``,
        ``not_before``, ``not_after`` and ``revoked`` (why). A key that several files name counts as the strictest of them says.

        Raises:
            NotFound: A file does not exist.
            WrongUse: A file holds no Ed25519 public key, or a list is not as it must be.
            MissingExtra: ``cryptography`` is not installed.

        """
        found: dict[str, TrustedKey] = {}
        for path in map(Path, paths):
            for key in _read(path):
                found[key.id] = _stricter(found[key.id], key) if key.id in found else key
        return cls(keys=tuple(found[id_] for id_ in sorted(found)))

    def key(self, id_: str) -> TrustedKey | None:
        """Return the key with an id."""
        return next((key for key in self.keys if key.id == id_), None)


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    public: str
    name: str | None = None
    not_before: Any = None  # a day or a moment: TOML knows both, msgspec no union of them
    not_after: Any = None
    revoked: str | None = None


class _List(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    keys: tuple[_Entry, ...]


def key_id(key: Ed25519PublicKey) -> str:
    """Return the id of a public key: SHA-256 of its SubjectPublicKeyInfo, in hexadecimal."""
    from cryptography.hazmat.primitives import serialization

    encoded = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(encoded).hexdigest()


NOT_ED25519: Final = Text(en="this is not an Ed25519 key", ja="Ed25519 の鍵ではありません")


def _read(path: Path) -> list[TrustedKey]:
    data, _ = content_of_key(path)
    if data.lstrip().startswith(_PUBLIC):
        return [_public(path, data)]
    if data.lstrip().startswith(b"-----BEGIN"):
        raise no_key(path, Text(en="this is not a public key in PEM", ja="PEM 形式の公開鍵ではありません"))
    try:
        listed = msgspec.convert(tomllib.loads(data.decode("utf-8")), _List)
        if any(
            not isinstance(end, dt.date | None) for each in listed.keys for end in (each.not_before, each.not_after)
        ):
            raise msgspec.ValidationError
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError):
        raise no_key(
            path,
            Text(
                en="this is neither a public key in PEM nor a list of keys in TOML",
                ja="PEM 形式の公開鍵でも、TOML 形式の鍵の一覧でもありません",
            ),
        ) from None
    return [_listed(path, entry) for entry in listed.keys]


def _listed(path: Path, entry: _Entry) -> TrustedKey:
    where = path.parent / entry.public
    data, _ = content_of_key(where)
    return msgspec.structs.replace(
        _public(where, data),
        name=entry.name or where.stem,
        not_before=_moment(entry.not_before, last=False),
        not_after=_moment(entry.not_after, last=True),
        revoked=entry.revoked,
    )


def _moment(said: dt.datetime | dt.date | None, *, last: bool) -> dt.datetime | None:
    """Return a moment in UTC; a day is taken whole."""
    if said is None:
        return None
    if not isinstance(said, dt.datetime):
        said = dt.datetime.combine(said, dt.time.max if last else dt.time.min)
    return said.astimezone(dt.UTC) if said.tzinfo is not None else said.replace(tzinfo=dt.UTC)


def _public(path: Path, data: bytes) -> TrustedKey:
    library()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise no_key(path, Text(en="the public key is damaged", ja="公開鍵が壊れています")) from None
    if not isinstance(key, Ed25519PublicKey) or data.count(b"-----BEGIN") != 1:
        raise no_key(path, NOT_ED25519)
    return TrustedKey(id=key_id(key), public=key.public_bytes_raw(), name=path.stem)


def _stricter(one: TrustedKey, other: TrustedKey) -> TrustedKey:
    begins = [key.not_before for key in (one, other) if key.not_before is not None]
    ends = [key.not_after for key in (one, other) if key.not_after is not None]
    return msgspec.structs.replace(
        one,
        not_before=max(begins, default=None),
        not_after=min(ends, default=None),
        revoked=one.revoked if one.revoked is not None else other.revoked,
    )


def content_of_key(path: Path) -> tuple[bytes, int]:
    """Return the bytes and the permissions of a plain file; no pipe is waited for.

    Raises:
        NotFound: There is no such file.
        WrongUse: It cannot be read, or is too large or too small for a key.

    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as stream:
            found = os.fstat(descriptor)
            data = stream.read(MOST_BYTES + 1) if stat.S_ISREG(found.st_mode) else b""
    except FileNotFoundError:
        raise NotFound(
            Text(en="there is no such key", ja="鍵がありません"),
            Text(
                en="check the path, or make one with sekisho keys new",
                ja="パスを確認するか、sekisho keys new で作成してください",
            ),
            where=path,
        ) from None
    except OSError as error:
        raise WrongUse(
            Text(en=f"the key cannot be read ({error.strerror})", ja=f"鍵を読み込めません（{error.strerror}）"),
            Text(en="check that it may be read", ja="読み取り権限を確認してください"),
            where=path,
        ) from None
    if not data or len(data) > MOST_BYTES:
        raise no_key(path, Text(en="this is no key", ja="鍵ではありません"))
    return data, stat.S_IMODE(found.st_mode)


def library() -> None:
    """Refuse to go on without ``cryptography``.

    Raises:
        MissingExtra: It is not installed.

    """
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise MissingExtra("cryptography", "sign") from None


def no_key(path: Path, what: Text) -> WrongUse:
    """Return the error for a file that holds no key that can be used."""
    return WrongUse(
        what,
        Text(
            en="make a key with sekisho keys new; the public half ends in .pub",
            ja="sekisho keys new で作成できます。公開鍵の名前は .pub で終わります",
        ),
        where=path,
    )
