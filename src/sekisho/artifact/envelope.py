"""The envelope beside the manifest: who vouches for an artifact, as DSSE v1 around an in-toto Statement v1.

The statement is a function of the manifest: it names every file with its SHA-256, and the manifest with the artifact's digest. So what was
signed is never parsed: an envelope whose payload is not the very statement of this manifest is refused, whatever it says. The predicate is
in-toto's release v0.1. Formats: https://github.com/secure-systems-lab/dsse/blob/v1.0.2/envelope.md,
https://github.com/in-toto/attestation/blob/v1.0/spec/v1/statement.md.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import quote

import msgspec
from msgspec import Meta

from sekisho.artifact import manifest as manifests
from sekisho.artifact import strict_json
from sekisho.errors import IntegrityError
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.manifest import Manifest

NAME: Final = manifests.ENVELOPE
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://in-toto.io/attestation/release/v0.1"
MOST_BYTES: Final = 4 * 1024 * 1024
MOST_SIGNATURES: Final = 32
SIGNATURE_BYTES: Final = 64

KeyId = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", max_length=64)]


class KeySignature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One signature: the id of the key that is said to have made it, and its bytes in base64."""

    keyid: KeyId
    sig: Annotated[str, Meta(max_length=128)]

    @property
    def data(self) -> bytes:
        """The bytes of the signature."""
        return base64.b64decode(self.sig)


class Envelope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A payload in base64, what it is, and who signed it, sorted by the id of the key."""

    payload: str
    payload_type: str = msgspec.field(name="payloadType")
    signatures: Annotated[tuple[KeySignature, ...], Meta(min_length=1, max_length=MOST_SIGNATURES)]

    def encoded(self) -> bytes:
        """Return the canonical JSON: the bytes of the file."""
        return strict_json.encode(self)

    def signed_by(self, key: str, signature: bytes) -> Envelope:
        """Return the same envelope with the signature of one more key; one that the same key made before gives way."""
        made = KeySignature(keyid=key, sig=base64.b64encode(signature).decode())
        others = [each for each in self.signatures if each.keyid != key]
        return msgspec.structs.replace(self, signatures=tuple(sorted([*others, made], key=lambda each: each.keyid)))


def statement_of(manifest: Manifest) -> bytes:
    """Return the statement about an artifact, as canonical JSON: what is signed."""
    digests = {file.name: file.sha256 for file in manifest.files} | {manifests.NAME: manifest.digest}
    return strict_json.encode(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": digests[name]}} for name in sorted(digests)],
            "predicateType": PREDICATE_TYPE,
            "predicate": {"purl": f"pkg:generic/{quote(manifest.name, safe='')}@{quote(manifest.version, safe='')}"},
        }
    )


def envelope_of(payload: bytes) -> Envelope:
    """Return an envelope around ``payload`` that nobody has signed yet."""
    return Envelope(payload=base64.b64encode(payload).decode(), payload_type=PAYLOAD_TYPE, signatures=())


def authenticated(payload: bytes) -> bytes:
    """Return what a key signs: DSSE's pre-authentication encoding of the payload with its type."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def read_envelope(data: bytes, payload: bytes | None = None, *, where: str, most_bytes: int = MOST_BYTES) -> Envelope:
    """Return the envelope in ``data``; its signatures are not checked here.

    Args:
        data: The whole file.
        payload: What it must hold, byte for byte; ``None``: anything.
        where: The name of the file, for the error.
        most_bytes: What is refused unread.

    Raises:
        IntegrityError: It is not an envelope as :func:`envelope_of` makes them, to the last byte; or it holds something else.

    """
    envelope = strict_json.decode(data, Envelope, where=where, most_bytes=most_bytes)
    names = [each.keyid for each in envelope.signatures]
    if envelope.payload_type != PAYLOAD_TYPE:
        raise refused(where, Text(en="the payload is of an unknown type", ja="ペイロードの種類が不明です"))
    if envelope.encoded() != data or names != sorted(set(names)):
        raise refused(
            where, Text(en="the envelope is not as it was written", ja="封筒が書かれたときのままではありません")
        )
    held = _decoded(envelope.payload, where)
    if any(len(_decoded(each.sig, where)) != SIGNATURE_BYTES for each in envelope.signatures):
        raise refused(where, Text(en="a signature is no Ed25519 signature", ja="Ed25519 の署名ではないものがあります"))
    if payload is not None and held != payload:
        raise refused(
            where,
            Text(en="the signature speaks of another artifact", ja="別の成果物に対する署名です"),
        )
    return envelope


def payload_of(envelope: Envelope) -> bytes:
    """Return what an envelope holds."""
    return base64.b64decode(envelope.payload)


def _decoded(text: str, where: str) -> bytes:
    """Return what ``text`` is base64 of, if it is written in the one usual way: padded, no blanks, no idle bits."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or base64.b64encode(data).decode() != text:
        raise refused(where, Text(en="this is not plain base64", ja="標準的な base64 ではありません"))
    return data


def refused(where: str, what: Text) -> IntegrityError:
    """Return the error for an envelope or a signature that does not hold."""
    return IntegrityError(
        what,
        Text(
            en="take the artifact from its publisher again, or sign it again with sekisho sign",
            ja="配布元から成果物を取得し直すか、sekisho sign で署名し直してください",
        ),
        where=where,
    )
