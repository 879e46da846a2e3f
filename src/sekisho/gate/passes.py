"""The pass: what the checkpoint said of one artifact, as an in-toto statement that somebody has signed (DSSE)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from sekisho.artifact import envelope as envelopes
from sekisho.artifact import strict_json
from sekisho.artifact.signing import check_envelope, sign_payload
from sekisho.errors import NotFound
from sekisho.files import write_atomically
from sekisho.text import Text

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.artifact.keys import TrustedKeys

FILE: Final = "pass.dsse.json"
MOST_BYTES: Final = 16 * 1024 * 1024

_Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$", max_length=64)]


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """What a signed pass says.

    Attributes:
        model: The name of the model.
        artifact, contract: The digests that it speaks of.
        passed: Whether all that was judged let through.
        complete: Whether all boxes were judged.
        tests: The boxes, by what became of them.
        signed_by: The ids of the trusted keys that signed.

    """

    model: str
    artifact: str
    contract: str
    passed: bool
    complete: bool
    tests: dict[str, tuple[str, ...]]
    signed_by: tuple[str, ...]


class _Digest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: _Sha256


class _Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    digest: _Digest


class _Predicate(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    result: Literal["PASSED", "FAILED"]
    configuration: Annotated[tuple[_Named, ...], msgspec.Meta(min_length=1, max_length=1)]
    passed_tests: tuple[str, ...]
    warned_tests: tuple[str, ...]
    failed_tests: tuple[str, ...]
    sekisho: dict[str, Any]


class _Statement(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    type: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    subject: Annotated[tuple[_Named, ...], msgspec.Meta(min_length=1, max_length=1)]
    predicate_type: Literal["https://in-toto.io/attestation/test-result/v0.1"]
    predicate: _Predicate


def write_pass(path: Path, statement: str, key: Path, passphrase: bytes | None = None) -> str:
    """Sign a statement, write the pass, and return the id of the key.

    Args:
        path: Where.
        statement: The report as an in-toto statement.
        key: The private key.
        passphrase: Opens it, if it is encrypted.

    Raises:
        SekishoError: The key cannot be used.
        OSError: The file cannot be written.

    """
    envelope, signer = sign_payload(statement.encode(), key, passphrase=passphrase)
    write_atomically(path, envelope.encoded())
    return signer


def read_pass(path: Path, keys: TrustedKeys, *, artifact: str | None = None) -> Pass:
    """Return what a pass says, once a trusted key is found to have signed it.

    Args:
        path: The file.
        keys: Whose signature counts.
        artifact: The digest of the artifact that it must speak of; ``None``: any.

    Raises:
        NotFound: There is no such file.
        IntegrityError: It is no pass, no trusted key has signed it, or it speaks of another artifact.

    """
    where = str(path)
    if not path.is_file():
        raise NotFound(
            Text(en="there is no such pass", ja="通行証がありません"),
            Text(en="make one with sekisho check --sign", ja="sekisho check --sign で作成してください"),
            where=path,
        )
    with path.open("rb") as stream:
        data = stream.read(MOST_BYTES + 1)
    envelope = envelopes.read_envelope(data, where=where, most_bytes=MOST_BYTES)
    signers = check_envelope(envelope, keys, required=True, where=where)
    said = strict_json.decode(envelopes.payload_of(envelope), _Statement, where=where)
    subject, predicate = said.subject[0], said.predicate
    if artifact is not None and subject.digest.sha256 != artifact:
        raise envelopes.refused(
            where, Text(en="the pass speaks of another artifact", ja="別の成果物に対する通行証です")
        )
    return Pass(
        model=subject.name,
        artifact=subject.digest.sha256,
        contract=predicate.configuration[0].digest.sha256,
        passed=predicate.result == "PASSED",
        complete=predicate.sekisho.get("complete") is True,
        tests={
            "passed": predicate.passed_tests,
            "warned": predicate.warned_tests,
            "failed": predicate.failed_tests,
        },
        signed_by=signers,
    )
