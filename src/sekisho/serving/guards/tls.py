"""TLS: versions that are still sound, the service's certificate, and, where callers must have one, theirs.

A certificate that is renewed is taken up while the service runs, for every connection that begins after that; one that is of no use leaves
the old one where it is.

Source: RFC 8446, RFC 9325 (recommendations for the secure use of TLS): nothing below 1.2.
"""

from __future__ import annotations

import datetime as dt
import ssl
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from sekisho.errors import ServiceError
from sekisho.serving.guards.certificates import Validity, validity_of
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sekisho.serving.settings import ServingSettings

HSTS: Final = (b"strict-transport-security", b"max-age=31536000")
"""RFC 6797: a browser that has once come over TLS comes no other way for a year."""
WARNING: Final = dt.timedelta(days=21)
"""So long before a certificate ends, the log begins to say so: renewals come at two thirds of 90 days, that is 30 days before."""
SAY_SECONDS: Final = 24 * 3_600.0
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2: forward secrecy and authenticated encryption alone; those of 1.3 are all of that kind."""


class Tls:
    """The TLS of one worker.

    Args:
        settings: How the service runs; it has a certificate.

    Attributes:
        context: For connections.
        ends: When the certificate ends, in seconds since 1970.

    Raises:
        ServiceError: A file is missing, is no certificate or key, the two do not belong together, or the certificate is not good now.

    """

    def __init__(self, settings: ServingSettings) -> None:
        assert settings.certificate is not None
        self._chain: Path = settings.certificate
        self._key: Path = settings.private_key or settings.certificate
        self._settings = settings
        self._state = self._look()
        self.context = _context()
        self.ends = self._take()
        self._said = float("-inf")

    def refresh(self, say: Callable[..., Any]) -> None:
        """Take up files that have changed, and say when the certificate ends soon; to be called now and then.

        Args:
            say: Writes a line to the log: a level, what happened, and more.

        """
        state = self._look()
        if state != self._state:
            self._state = state
            try:
                self.ends = self._take()
            except ServiceError as error:
                say("error", "the new certificate is of no use; the old one stays", why=error.what.en)
            else:
                self._said = float("-inf")
                say("info", "certificate read again", ends=_moment(self.ends))
        left = self.ends - dt.datetime.now(dt.UTC).timestamp()
        if left < WARNING.total_seconds() and monotonic() - self._said > SAY_SECONDS:
            self._said = monotonic()
            event = "the certificate ends soon" if left > 0.0 else "the certificate has ended"
            say("warning" if left > 0.0 else "error", event, ends=_moment(self.ends), days=int(left // 86_400))

    def _take(self) -> float:
        """Read the files, and give them to new connections; return when the certificate ends."""
        settings = self._settings
        ends = _check(self._chain)
        _load(_context(), settings, self._chain)  # what is of no use must not get into the context that is in use
        _load(self.context, settings, self._chain)
        return ends.timestamp()

    def _look(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(map(_state, (self._chain, self._key)))


def context_of(settings: ServingSettings) -> ssl.SSLContext | None:
    """Return the context of a service that has a certificate; ``None`` where it has none.

    Raises:
        ServiceError: A file is missing, is no certificate or key, the two do not belong together, or the certificate is not good now.

    """
    return None if settings.certificate is None else Tls(settings).context


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(context: ssl.SSLContext, settings: ServingSettings, chain: Path) -> None:
    try:
        # A key with a passphrase would wait for somebody to type it.
        context.load_cert_chain(chain, settings.private_key, password=lambda: b"")
    except (OSError, ssl.SSLError):
        raise _useless(chain) from None
    if settings.client_authority is not None:
        try:
            context.load_verify_locations(settings.client_authority)
        except (OSError, ssl.SSLError):
            raise ServiceError(
                Text(en="this holds no certificates in PEM", ja="PEM 形式の証明書がありません"),
                Text(
                    en="give the authority that signs the certificates of callers",
                    ja="呼び出し元の証明書に署名する認証局を指定してください",
                ),
                where=settings.client_authority,
            ) from None
        context.verify_mode = ssl.CERT_REQUIRED


def _check(chain: Path) -> dt.datetime:
    """Return when a chain ends.

    Raises:
        ServiceError: It cannot be read, has ended, or has not begun.

    """
    try:
        validity = validity_of(chain.read_bytes())
    except (OSError, ValueError):
        raise _useless(chain) from None
    _check_time(validity, chain)
    return validity.ends


def _check_time(validity: Validity, chain: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    if validity.begins <= now < validity.ends:
        return
    ended = validity.ends <= now
    raise ServiceError(
        Text(
            en=f"the certificate has ended: {validity.ends:%Y-%m-%d}"
            if ended
            else f"the certificate is good only from {validity.begins:%Y-%m-%d} on",
            ja=f"証明書の有効期限が切れています（{validity.ends:%Y-%m-%d}）"
            if ended
            else f"証明書はまだ有効ではありません（{validity.begins:%Y-%m-%d} から）",
        ),
        Text(en="renew it, or set the clock of this machine right", ja="証明書を更新するか、時計を合わせてください"),
        where=chain,
    )


def _useless(chain: Path) -> ServiceError:
    return ServiceError(
        Text(
            en="the certificate and its private key cannot be used: missing, unreadable, encrypted, or not of one another",
            ja="証明書と秘密鍵を使えません（ない、読めない、暗号化されている、または組になっていない）",
        ),
        Text(
            en="give a chain in PEM with --certificate and its unencrypted key with --private-key",
            ja="PEM 形式の証明書チェーンを --certificate に、対応する暗号化なしの鍵を --private-key に指定してください",
        ),
        where=chain,
    )


def _moment(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
