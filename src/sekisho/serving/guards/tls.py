"""TLS: versions that are still sound, the service's certificate, and, where callers must have one, theirs.

Source: RFC 8446, RFC 9325 (recommendations for the secure use of TLS): nothing below 1.2.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from sekisho.errors import ServiceError
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.serving.settings import ServingSettings

HSTS: Final = (b"strict-transport-security", b"max-age=31536000")
"""RFC 6797: a browser that has once come over TLS comes no other way for a year."""
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2: forward secrecy and authenticated encryption alone; those of 1.3 are all of that kind."""


def context_of(settings: ServingSettings) -> ssl.SSLContext | None:
    """Return the context of a service that has a certificate; ``None`` where it has none.

    Raises:
        ServiceError: A file is missing, is no certificate or key, or the two do not belong together.

    """
    if settings.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    try:
        # A key with a passphrase would wait for somebody to type it.
        context.load_cert_chain(settings.certificate, settings.private_key, password=lambda: b"")
    except (OSError, ssl.SSLError):
        raise ServiceError(
            Text(
                en="the certificate and its private key cannot be used: missing, unreadable, encrypted, or not of one another",
                ja="証明書と秘密鍵を使えません（ない、読めない、暗号化されている、または組になっていない）",
            ),
            Text(
                en="give a chain in PEM with --certificate and its unencrypted key with --private-key",
                ja="PEM 形式の証明書チェーンを --certificate に、対応する暗号化なしの鍵を --private-key に指定してください",
            ),
            where=settings.certificate,
        ) from None
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
    return context
