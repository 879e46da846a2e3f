"""Who asks: by an API key, by a token, or, where neither is used, by the address."""

from __future__ import annotations

from dataclasses import dataclass
from http.client import HTTPException
from math import inf
from time import monotonic, time
from typing import TYPE_CHECKING, Any, Final

from sekisho.errors import SekishoError
from sekisho.serving import problems
from sekisho.serving.guards.interface import SCOPES, Caller
from sekisho.serving.guards.keys import KeyRing, read_secret
from sekisho.serving.guards.proxies import Proxies
from sekisho.serving.guards.tokens.judging import Bearer, Terms, TokenJudge
from sekisho.serving.guards.tokens.source import KeySource
from sekisho.serving.http.head import Refused
from sekisho.serving.problems import Problem
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.serving.guards.guesses import GuessLimit
    from sekisho.serving.guards.interface import Scope
    from sekisho.serving.http.head import Head
    from sekisho.serving.settings import ServingSettings

LONGEST_TRUST: Final = 60.0
"""Seconds for which a token that was good is not looked at again, even if it is good for longer: clocks are set."""
SECONDS_BETWEEN_LINES: Final = 60.0
"""How often the log is told that the clock refuses tokens."""
_USUAL: Final = frozenset(SCOPES) - {"admin"}
"""What everybody may do where nobody needs a key: who may change what is served must be known."""
_NEVER: Final = 0.0
_NO_KEYS: Final = Text(
    en="start the service with a key file, and ask with a key of scope admin",
    ja="鍵ファイルを指定してサービスを起動し、スコープ admin の鍵を使ってください",
)
_MISSING: Final = b'Bearer realm="sekisho"'
_INVALID: Final = b'Bearer realm="sekisho", error="invalid_token"'
_INSUFFICIENT: Final = b'Bearer realm="sekisho", error="insufficient_scope"'


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Who sent a head.

    Attributes:
        caller: Who asks.
        until: Until when the same bytes say the same, in seconds of the monotonic clock, as long as the keys stay what they are.

    """

    caller: Caller
    until: float


class Callers:
    """Tells callers apart, and turns those away who may not ask.

    Args:
        settings: How the service runs.
        guesses: Counts wrong keys and tokens.

    Attributes:
        epoch: Counts how often what was found out about a head has become worthless.
        by_address: Whether everybody may ask, so that only their address tells callers apart.

    Raises:
        SekishoError: The keys, or those of tokens, are of no use.

    """

    def __init__(self, settings: ServingSettings, guesses: GuessLimit) -> None:
        self.epoch = 0
        self._keys = None if settings.key_file is None else KeyRing(settings.key_file)
        self._tokens = judge_of(settings)
        self._told_untimely = -SECONDS_BETWEEN_LINES
        self.by_address = self._keys is None and self._tokens is None
        self._guesses = guesses
        self._proxies = Proxies(settings.trusted_proxies)
        self._header = settings.key_header.lower().encode()
        self._public = frozenset(settings.public_routes)

    def identify(self, path: str, scope: Scope | None, head: Head, peer: str) -> Identity:
        """Return who sent a head.

        Args:
            path: Where it goes.
            scope: What the caller must be good for there; ``None``: anything.
            head: The head.
            peer: The address at the other end of the connection.

        Raises:
            Refused: They may not ask this, or nobody knows who they are.

        """
        if self.by_address:
            caller = Caller(id=self.address(head, peer), scopes=_USUAL)
            if not caller.may(scope):
                raise Refused(Problem(kind=problems.SCOPE_MISSING, expected=_NO_KEYS, fields=_challenge(_INSUFFICIENT)))
            return Identity(caller=caller, until=inf)
        secret = read_secret(head.by_name, self._header)
        found = None if secret is None else self._find(secret)
        if path in self._public:
            # Whom only their address tells apart, their bytes do not.
            return found or Identity(caller=Caller(id=self.address(head, peer), scopes=frozenset()), until=_NEVER)
        if secret is None:
            raise Refused(Problem(kind=problems.KEY_MISSING, fields=_challenge(_MISSING)))
        if found is None:
            raise Refused(self._unknown(secret, self.address(head, peer)))
        caller = found.caller
        if not caller.scopes or not caller.may(scope):
            raise Refused(Problem(kind=problems.SCOPE_MISSING, fields=_challenge(_INSUFFICIENT)))
        return found

    def address(self, head: Head, peer: str) -> str:
        """Return where a head comes from."""
        return self._proxies.origin(peer, head.fields)

    def deserves_line(self, address: str) -> bool:
        """Whether the log is to say that a wrong key has come from an address: once a minute, lest guessing fill it."""
        return self._guesses.deserves_line(address, monotonic())

    def refresh(self, say: Callable[..., Any]) -> bool:
        """Read keys again that have changed; return whether any are new. Those that have become useless stay as they were.

        Args:
            say: Writes a line to the log: a level, what happened, and more.

        """
        self._tell_untimely(say)
        told = self.epoch
        for address, lines in self._guesses.unwritten(monotonic()):
            say("warning", "wrong keys not logged one by one", caller=address, count=lines)
        if self._keys is not None:
            try:
                if self._keys.refresh():
                    self.epoch += 1
                    say("info", "keys read again", ids=list(self._keys.ids))
            except Exception as error:  # whatever is wrong with the file, the service goes on with the keys it has
                say("error", "the key file is of no use; the keys stay as they were", kind=type(error).__name__)
        if self._tokens is not None:
            try:
                if self._tokens.source.refresh():
                    self.epoch += 1
                    say("info", "keys for tokens read again")
            except (SekishoError, OSError, HTTPException, ValueError) as error:
                say("error", "the keys for tokens cannot be had; they stay as they were", kind=type(error).__name__)
        return self.epoch != told

    def _tell_untimely(self, say: Callable[..., Any]) -> None:
        """Tell the log, once a minute, that the clock refuses tokens; callers are never told why."""
        if (
            self._tokens is None
            or not self._tokens.untimely
            or monotonic() < self._told_untimely + SECONDS_BETWEEN_LINES
        ):
            return
        self._told_untimely = monotonic()
        seconds = {reason: round(most) for reason, most in self._tokens.untimely.items()}
        self._tokens.untimely.clear()
        say("warning", "the clock refuses tokens that are good otherwise", seconds_at_most=seconds)

    def _find(self, secret: bytes) -> Identity | None:
        caller = None if self._keys is None else self._keys.find(secret)
        if caller is not None:
            return Identity(caller=caller, until=inf)
        bearer = None if self._tokens is None else self._tokens.find(secret)
        return None if bearer is None else _identity(bearer)

    def _unknown(self, secret: bytes, address: str) -> Problem:
        if self._tokens is None or (self._keys is not None and secret.count(b".") != 2):
            problem = Problem(kind=problems.KEY_UNKNOWN, fields=_challenge(_MISSING))
        elif not self._tokens.is_able:
            return Problem(kind=problems.TOKENS_UNREADABLE, fields=problems.retry_after(5))
        else:
            problem = Problem(kind=problems.TOKEN_INVALID, fields=_challenge(_INVALID))
        now = monotonic()
        exhausted = self._guesses.is_exhausted(address, now)
        self._guesses.wrong(address, now)
        return exhausted or problem


def judge_of(settings: ServingSettings) -> TokenJudge | None:
    """Return what judges tokens; ``None`` where none are taken.

    Raises:
        SekishoError: The file of their keys is of no use, or the library that verifies signatures is not installed.

    """
    if settings.token_keys is None:
        return None
    assert settings.token_issuer is not None
    assert settings.token_audience is not None
    terms = Terms(
        issuer=settings.token_issuer,
        audience=settings.token_audience,
        algorithms=settings.token_algorithms,
        leeway=settings.token_leeway_seconds,
        scope_prefix=settings.token_scope_prefix,
    )
    return TokenJudge(KeySource(settings.token_keys, settings.token_algorithms), terms)


def _identity(bearer: Bearer) -> Identity:
    return Identity(caller=bearer.caller, until=monotonic() + min(LONGEST_TRUST, bearer.ends - time()))


def _challenge(value: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"www-authenticate", value),)
