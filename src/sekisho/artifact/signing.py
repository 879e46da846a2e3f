"""Signing an artifact, and finding out who has signed one.

The signatures stand in :data:`~sekisho.artifact.envelope.NAME` beside the manifest, which alone is signed: it names every file, and each is
read only as it says.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from sekisho.artifact import envelope as envelopes
from sekisho.artifact import folder as folders
from sekisho.artifact.keys import TrustedKey, TrustedKeys, key_id
from sekisho.artifact.private_keys import new_key, read_private_key
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.envelope import Envelope

__all__ = [
    "TrustedKey",
    "TrustedKeys",
    "check_envelope",
    "check_signature",
    "new_key",
    "sign_folder",
    "sign_payload",
]


def sign_folder(folder: Path | str, private_key_path: Path | str, passphrase: bytes | None = None) -> str:
    """Sign the artifact in ``folder``, besides whoever has signed it before.

    Args:
        folder: The artifact; every file is verified first.
        private_key_path: The private key.
        passphrase: Opens it, if it is encrypted.

    Returns:
        The id of the key.

    Raises:
        SekishoError: The artifact is damaged, the key cannot be used, or the folder cannot be written.

    """
    folder = Path(folder)
    manifest = folders.verify_folder(folder)
    before = folders.read_envelope(folder, manifest)
    envelope, signer = sign_payload(
        envelopes.statement_of(manifest), private_key_path, passphrase=passphrase, before=before
    )
    folders.write_envelope(folder, envelope)
    return signer


def sign_payload(
    payload: bytes, private_key_path: Path | str, *, passphrase: bytes | None = None, before: Envelope | None = None
) -> tuple[Envelope, str]:
    """Return the envelope of an in-toto statement with the signature of a key in it, and the id of the key.

    Args:
        payload: The statement.
        private_key_path: The private key.
        passphrase: Opens it, if it is encrypted.
        before: The envelope of the same statement that others have signed.

    Raises:
        SekishoError: The key cannot be used.

    """
    key = read_private_key(private_key_path, passphrase)
    signer = key_id(key.public_key())
    envelope = envelopes.envelope_of(payload) if before is None else before
    return envelope.signed_by(signer, key.sign(envelopes.authenticated(payload))), signer


def check_signature(folder: Path | str, keys: TrustedKeys | None, *, required: bool) -> tuple[str, ...]:
    """Verify the artifact in ``folder`` and return the ids of the trusted keys that have signed it, sorted.

    Args:
        folder: The artifact.
        keys: Whom the deployer trusts; ``None`` or none: nobody.
        required: Whether one of them must have signed.

    Raises:
        NotFound: There is no such folder.
        IntegrityError: A file is not what the manifest says; the envelope is damaged or of another artifact; a signature that a trusted
            key is said to have made is not its own; or ``required`` is not met.

    """
    folder = Path(folder)
    manifest = folders.read_folder_manifest(folder)
    envelope = folders.read_envelope(folder, manifest)
    signers = check_envelope(envelope, keys, required=required, where=str(folder / envelopes.NAME))
    folders.verify_files(folder, manifest)
    return signers


def check_envelope(
    envelope: Envelope | None, keys: TrustedKeys | None, *, required: bool, where: str
) -> tuple[str, ...]:
    """Return the ids of the trusted keys that have signed what an envelope holds, sorted.

    The id in a signature only says which key to try. One that is not trusted neither helps nor harms; one that is, and whose key did not
    make the signature, makes the whole envelope invalid.

    Raises:
        IntegrityError: A signature is invalid, or ``required`` and no trusted key, valid now and not revoked, has signed.

    """
    now = dt.datetime.now(dt.UTC)
    good: list[str] = []
    reason = (
        _unsigned()
        if envelope is None
        else Text(en="no trusted key signed it", ja="信頼された鍵による署名がありません")
    )
    if envelope is not None and keys is not None:
        message = envelopes.authenticated(envelopes.payload_of(envelope))
        for signature in envelope.signatures:
            key = keys.key(signature.keyid)
            if key is None:
                continue
            if not key.made(signature.data, message):
                raise envelopes.refused(
                    where,
                    Text(
                        en="a signature is not by the key that it names",
                        ja="名乗っている鍵のものではない署名があります",
                    ),
                )
            refusal = key.why_not(now)
            if refusal is None:
                good.append(key.id)
            else:
                reason = refusal
    if required and not good:
        raise envelopes.refused(where, _no_keys() if keys is None or not keys.keys else reason)
    return tuple(sorted(good))


def _unsigned() -> Text:
    return Text(en="the artifact is not signed", ja="成果物に署名がありません")


def _no_keys() -> Text:
    return Text(
        en="a signature is required, and no key is trusted (security.trusted_keys)",
        ja="署名が必須ですが、信頼する鍵 (security.trusted_keys) がありません",
    )
