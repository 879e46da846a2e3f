"""The public keys of an identity provider: a JWK set (RFC 7517), read strictly.

What a key may be used for is said by its kind, never by the token: an RSA key verifies RS and PS, a key on P-256 verifies ES256 and nothing
else. Secrets (``oct``) are no public keys and are left out, as are weak and oversized ones; a private half is never looked at.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from sekisho.errors import MissingExtra, WrongUse
from sekisho.text import Text

MOST_BYTES: Final = 512 * 1024
MOST_KEYS: Final = 200
LONGEST_ID: Final = 256
_RSA_BITS: Final = range(2_048, 8_193)
_PUBLIC: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
"""The members of the public half, by the kind of key."""
_OF_RSA: Final = frozenset(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"))
_OF_CURVE: Final = {
    ("EC", "P-256"): frozenset(("ES256",)),
    ("EC", "P-384"): frozenset(("ES384",)),
    ("EC", "P-521"): frozenset(("ES512",)),
    ("OKP", "Ed25519"): frozenset(("EdDSA",)),
}
_ENCODED: Final = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class PublicKey:
    """One key.

    Attributes:
        id: Its ``kid``; ``None`` if it has none.
        algorithms: What it may verify.
        key: The key itself, as the library knows it.

    """

    id: str | None
    algorithms: frozenset[str]
    key: Any

    def verifies(self, algorithm: str, signed: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is that of ``signed`` by this key."""
        import jwt

        return bool(jwt.get_algorithm_by_name(algorithm).verify(signed, self.key, signature))


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class KeySet:
    """The keys of one provider at one time.

    Attributes:
        keys: All that can be used.

    """

    keys: tuple[PublicKey, ...] = ()

    def find(self, key_id: str | None, algorithm: str) -> PublicKey | None:
        """Return the one key that a token can mean; ``None`` if there is none, or several.

        Args:
            key_id: The ``kid`` of its head; ``None`` if it names none, which is enough only where there is one key of the kind.
            algorithm: The algorithm of its head.

        """
        fitting = [key for key in self.keys if algorithm in key.algorithms and (key_id is None or key.id == key_id)]
        return fitting[0] if len(fitting) == 1 else None

    def knows(self, key_id: str | None) -> bool:
        """Whether a key is called so."""
        return key_id is None or any(key.id == key_id for key in self.keys)


def read_key_set(data: bytes, algorithms: Sequence[str]) -> KeySet:
    """Return the usable keys of a JWK set.

    Args:
        data: The set as JSON.
        algorithms: Those that tokens may use.

    Raises:
        WrongUse: It is no JWK set, or holds no key that can be used.
        MissingExtra: PyJWT or cryptography is not installed.

    """
    require_library()
    if len(data) > MOST_BYTES:
        raise _useless(Text(en="it is too large", ja="大きすぎます"))
    try:
        entries = msgspec.json.decode(data, type=dict[str, Any])["keys"]
    except (msgspec.DecodeError, KeyError, RecursionError):
        raise _useless(Text(en="it is no JWK set", ja="JWK セットではありません")) from None
    if not isinstance(entries, list) or len(entries) > MOST_KEYS:
        raise _useless(Text(en="it is no JWK set", ja="JWK セットではありません"))
    found = [_read_key(entry, frozenset(algorithms)) for entry in entries if isinstance(entry, dict)]
    keys = tuple(key for key in found if key is not None)
    if not keys:
        raise _useless(
            Text(
                en=f"it holds no public key for {', '.join(algorithms)}",
                ja=f"{'、'.join(algorithms)} に使える公開鍵がありません",
            )
        )
    return KeySet(keys=keys)


def require_library() -> None:
    """Make sure that signatures can be verified.

    Raises:
        MissingExtra: PyJWT or cryptography is not installed.

    """
    try:
        import cryptography  # noqa: F401
        import jwt  # noqa: F401
    except ImportError:
        raise MissingExtra("pyjwt[crypto]", "jwt") from None


def decode_base64url(word: str) -> bytes | None:
    """Return the bytes of an unpadded base64url word (RFC 7515, 2); ``None`` if it is none, or not the one way to write them."""
    if _ENCODED.fullmatch(word) is None:
        return None
    try:
        data = base64.urlsafe_b64decode(word + "=" * (-len(word) % 4))
    except (binascii.Error, ValueError):
        return None
    return data if base64.urlsafe_b64encode(data).rstrip(b"=").decode() == word else None


def _read_key(entry: Mapping[str, Any], allowed: frozenset[str]) -> PublicKey | None:
    """Return a key; ``None`` if it is for something else, too weak, or no key at all: others of the set may still be good."""
    kind, key_id, stated = entry.get("kty"), entry.get("kid"), entry.get("alg")
    operations = entry.get("key_ops", ["verify"])
    if entry.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    if key_id is not None and not (isinstance(key_id, str) and len(key_id) <= LONGEST_ID):
        return None
    able = _OF_RSA if kind == "RSA" else _OF_CURVE.get((str(kind), str(entry.get("crv"))), frozenset())
    algorithms = able & allowed & (able if stated is None else {str(stated)})
    if not algorithms:
        return None
    public = {"kty": kind} | {name: entry.get(name) for name in _PUBLIC[str(kind)]}
    if not all(isinstance(value, str) for value in public.values()):
        return None
    key = _load(public, min(algorithms))
    if key is None or (kind == "RSA" and key.key_size not in _RSA_BITS):
        return None
    return PublicKey(id=key_id, algorithms=frozenset(algorithms), key=key)


def _load(public: Mapping[str, Any], algorithm: str) -> Any:
    import jwt

    length = sum(len(value) for value in public.values())
    if length > 4_096:  # an RSA key of 8,192 bits has 1,366 letters
        return None
    try:
        return jwt.PyJWK(dict(public), algorithm=algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
        return None


def _useless(what: Text) -> WrongUse:
    return WrongUse(
        Text(en=f"the keys for tokens are of no use: {what.en}", ja=f"トークンの検証鍵を使えません。{what.ja}"),
        Text(
            en="give the JWK set of the identity provider: the jwks_uri of its .well-known/openid-configuration",
            ja="ID プロバイダーの JWK セット (.well-known/openid-configuration の jwks_uri) を指定してください",
        ),
    )
