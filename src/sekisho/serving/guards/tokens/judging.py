"""Judging a token: a JSON Web Token (RFC 7519) in the compact form of a signature (RFC 7515), as RFC 8725 says it should be done.

Nothing that a token says is believed before its signature has been verified, but which of the service's own keys may have signed it. What
follows is read more strictly than libraries do: an ``exp`` that is a string, infinite or a number of four hundred digits, claims that stand
twice, and heads that bring or point to a key of their own make no token.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from dataclasses import dataclass
from math import isfinite
from time import time
from typing import TYPE_CHECKING, Any, Final, NoReturn

from sekisho.serving.guards.interface import SCOPES, Caller
from sekisho.serving.guards.tokens.keys import LONGEST_ID, decode_base64url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sekisho.serving.guards.tokens.source import KeySource

LONGEST_TOKEN: Final = 8 * 1024
MOST_REMEMBERED: Final = 1_024
LAST_MOMENT: Final = 2.0**53
_TYPES: Final = frozenset(("jwt", "at+jwt", "application/jwt", "application/at+jwt"))
"""What a token for access may call itself; one for another purpose (logout, proof, event) says so (RFC 8725, 3.11)."""
_REFUSED: Final = frozenset(("crit", "b64", "zip", "enc", "jwk", "jku", "x5u", "x5c"))
"""Members of a head that ask for more than a signature by one of the service's own keys."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What a token must say.

    Attributes:
        issuer: Who must have made it.
        audience: Whom it must be for.
        algorithms: How it may be signed.
        leeway: Seconds by which the clocks may differ.
        scope_prefix: What its scopes begin with here, such as ``model:``; the rest is one of ours.

    """

    issuer: str
    audience: str
    algorithms: Sequence[str]
    leeway: float = 2.0
    scope_prefix: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bearer:
    """Whose token it is, and until when.

    Attributes:
        caller: Who asks.
        ends: When the token ends, in seconds since 1970, with the leeway.

    """

    caller: Caller
    ends: float


class _Unsound(Exception):
    """A token that is none. Why is told to nobody."""


class TokenJudge:
    """Judges tokens.

    Args:
        source: The keys whose signatures count.
        terms: What a token must say.
        clock: Tells seconds since 1970.

    """

    def __init__(self, source: KeySource, terms: Terms, *, clock: Callable[[], float] = time) -> None:
        self.source = source
        self._terms = terms
        self._clock = clock
        self._remembered: OrderedDict[bytes, Bearer] = OrderedDict()
        self._epoch = source.epoch
        self.untimely: dict[str, float] = {}
        """Why the clock refused tokens whose signature is good, and by how many seconds at most."""

    @property
    def is_able(self) -> bool:
        """Whether there are keys to judge with."""
        return self.source.keys is not None

    def find(self, token: bytes) -> Bearer | None:
        """Return whose token this is; ``None`` if it is not a good one now."""
        if len(token) > LONGEST_TOKEN:
            return None
        if self._epoch != self.source.epoch:
            self._epoch = self.source.epoch
            self._remembered.clear()
        mark = hashlib.sha256(token).digest()
        bearer = self._remembered.get(mark)
        if bearer is None:
            try:
                bearer = self._judge(token)
            except _Unsound:
                return None
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.popitem(last=False)
            self._remembered[mark] = bearer
        if self._clock() >= bearer.ends:
            self._remembered.pop(mark, None)
            return None
        return bearer

    def _judge(self, token: bytes) -> Bearer:
        try:
            words = token.decode("ascii").split(".")
        except UnicodeDecodeError:
            raise _Unsound from None
        pieces = [decode_base64url(word) for word in words]
        if len(pieces) != 3 or None in pieces:
            raise _Unsound
        head, payload, signature = pieces
        assert head is not None
        assert payload is not None
        assert signature is not None
        self._verify(_object(head), token.rpartition(b".")[0], signature)
        return self._read(_object(payload))

    def _verify(self, head: dict[str, Any], signed: bytes, signature: bytes) -> None:
        """Verify the signature with one of the service's own keys.

        Raises:
            _Unsound: None of them has made it.

        """
        algorithm, key_id, kind = head.get("alg"), head.get("kid"), head.get("typ", "JWT")
        _demand(isinstance(algorithm, str) and algorithm in self._terms.algorithms)
        _demand("kid" not in head or (isinstance(key_id, str) and len(key_id) <= LONGEST_ID))
        _demand(isinstance(kind, str) and kind.lower() in _TYPES)
        _demand(_REFUSED.isdisjoint(head))
        keys = self.source.keys
        key = None if keys is None else keys.find(key_id, str(algorithm))
        if key is None:
            if keys is not None and not keys.knows(key_id):
                self.source.miss()
            raise _Unsound
        _demand(key.verifies(str(algorithm), signed, signature))

    def _read(self, claims: dict[str, Any]) -> Bearer:
        """Read claims whose signature is good."""
        terms, now = self._terms, self._clock()
        _demand(claims.get("iss") == terms.issuer)
        audience = claims.get("aud")
        _demand(terms.audience in (audience if isinstance(audience, list) else [audience]))
        ends = _moment(claims.get("exp")) + terms.leeway
        self._in_time(now < ends, "expired", now - ends)
        for name in ("nbf", "iat"):
            begins = _moment(claims.get(name, 0)) - terms.leeway
            self._in_time(begins <= now, "not valid yet", begins - now)
        subject = claims.get("sub")
        _demand(isinstance(subject, str) and bool(subject))
        given = _scopes(claims)
        prefix = terms.scope_prefix
        scopes = frozenset(scope for scope in SCOPES if prefix + scope in given)
        return Bearer(caller=Caller(id=caller_id(terms.issuer, str(subject)), scopes=scopes), ends=ends)

    def _in_time(self, held: bool, reason: str, seconds: float) -> None:
        """Refuse a token whose time is another, and remember by how much: it may be a clock that goes wrong."""
        if not held:
            self.untimely[reason] = max(self.untimely.get(reason, 0.0), seconds)
            raise _Unsound


def caller_id(issuer: str, subject: str) -> str:
    """Return what a token's subject is called in limits and logs: nobody's name, no key's id, and the same for every token of theirs."""
    return f"token:{hashlib.sha256(json.dumps([issuer, subject]).encode()).hexdigest()[:16]}"


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    """Return the scopes: words in ``scope`` (RFC 8693, 4.2), or what some providers call ``scp``, words or a list of them."""
    given = claims["scope"] if "scope" in claims else claims.get("scp", "")
    if isinstance(given, str):
        return frozenset(given.split(" "))
    _demand(isinstance(given, list) and all(isinstance(word, str) for word in given))
    return frozenset(given)


def _moment(value: object) -> float:
    """Return a NumericDate: a number of seconds since 1970 that clocks can reach."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LAST_MOMENT:
        raise _Unsound
    return float(value)


def _object(data: bytes) -> dict[str, Any]:
    """Return a JSON object in which nothing stands twice."""
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite
        )
    except (ValueError, RecursionError):
        raise _Unsound from None
    if not isinstance(value, dict):
        raise _Unsound
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    _demand(len(members) == len(pairs))
    return members


def _no_number(_: str) -> NoReturn:
    raise _Unsound


def _finite(word: str) -> float:
    value = float(word)
    _demand(isfinite(value))
    return value


def _demand(held: bool) -> None:
    if not held:
        raise _Unsound
