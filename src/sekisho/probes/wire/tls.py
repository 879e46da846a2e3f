"""What a TLS server agrees to: versions, and whether its certificate is one to trust.

Source: RFC 9325 (recommendations for the secure use of TLS), RFC 6797 (HSTS).
"""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sekisho.probes.wire.message import Request

TIMEOUT: Final = 5.0
VERSIONS: Final = {
    "TLS 1.0": ssl.TLSVersion.TLSv1,
    "TLS 1.1": ssl.TLSVersion.TLSv1_1,
    "TLS 1.2": ssl.TLSVersion.TLSv1_2,
    "TLS 1.3": ssl.TLSVersion.TLSv1_3,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class TlsAnswer:
    """What one server agrees to.

    Attributes:
        reached: Whether anybody listens there.
        versions: The versions that it agrees to.
        untried: Those that this machine itself cannot speak.
        trusted: Whether its certificate is trusted here, for this name.
        fault: Why not, in the words of the TLS library; empty when it is.
        expires: The day its certificate ends; ``None`` when it is not trusted.
        days_left: How many days that is from now.
        hsts: Whether an answer tells browsers to come over TLS alone.

    """

    reached: bool
    versions: tuple[str, ...]
    untried: tuple[str, ...]
    trusted: bool
    fault: str
    expires: str | None
    days_left: int | None
    hsts: bool


def examine(host: str, port: int, *, authority: Path | None = None, target: str = "/", named: bool = True) -> TlsAnswer:
    """Shake hands in every version, then once as a careful client would.

    Args:
        host: The name or address.
        port: The port.
        authority: The certificate of a private authority that is trusted as well.
        target: What is asked for to see whether the answer carries HSTS.
        named: Whether the certificate must be for ``host``; a service that is started here for a trial has its real name elsewhere.

    """
    found: list[str] = []
    untried: list[str] = []
    reached = False
    for name, version in VERSIONS.items():
        context = _only(version)
        if context is None:
            untried.append(name)
            continue
        agreed = _agrees(host, port, context)
        reached |= agreed is not None
        if agreed:
            found.append(name)
    fault, expires = _certificate(host, port, authority, named=named) if found else ("", None)
    days = None if expires is None else (expires - dt.datetime.now(dt.UTC)).days
    return TlsAnswer(
        reached=reached,
        versions=tuple(found),
        untried=tuple(untried),
        trusted=expires is not None,
        fault=fault,
        expires=None if expires is None else expires.date().isoformat(),
        days_left=days,
        hsts=expires is not None and _hsts(host, port, target),
    )


def _only(version: ssl.TLSVersion) -> ssl.SSLContext | None:
    """Return a context that speaks one version and trusts everybody; ``None`` where this machine cannot speak it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # old versions are asked for on purpose
            context.minimum_version = version
            context.maximum_version = version
        context.set_ciphers("ALL:@SECLEVEL=0")
    except (ValueError, ssl.SSLError):
        return None
    return context


def _agrees(host: str, port: int, context: ssl.SSLContext) -> bool | None:
    """Return whether a handshake succeeds; ``None`` when nobody listens."""
    try:
        connection = socket.create_connection((host, port), timeout=TIMEOUT)
    except OSError:
        return None
    try:
        with connection, context.wrap_socket(connection, server_hostname=host):
            return True
    except (OSError, ssl.SSLError):
        return False


def _certificate(host: str, port: int, authority: Path | None, *, named: bool) -> tuple[str, dt.datetime | None]:
    """Return why the certificate is not trusted, or until when it holds."""
    try:
        context = ssl.create_default_context()
        context.check_hostname = named
        if authority is not None:
            context.load_verify_locations(authority)
        with (
            socket.create_connection((host, port), timeout=TIMEOUT) as plain,
            context.wrap_socket(plain, server_hostname=host) as connection,
        ):
            shown = connection.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return error.verify_message, None
    except (OSError, ssl.SSLError) as error:
        return getattr(error, "reason", None) or error.strerror or type(error).__name__, None
    seconds = ssl.cert_time_to_seconds(str(shown["notAfter"]))
    return "", dt.datetime.fromtimestamp(seconds, dt.UTC)


def _hsts(host: str, port: int, target: str) -> bool:
    """Ask once, whoever signed the certificate: it has been looked at already."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = Request(target=target, headers=(("Connection", "close"),)).render(f"{host}:{port}")
    received = b""
    try:
        with (
            socket.create_connection((host, port), timeout=TIMEOUT) as plain,
            context.wrap_socket(plain, server_hostname=host) as connection,
        ):
            connection.sendall(request)
            while b"\r\n\r\n" not in received and (data := connection.recv(4_096)):
                received += data
    except (OSError, ssl.SSLError):
        return False
    return b"\r\nstrict-transport-security:" in received.lower()
