"""Signatures: whatever is changed, left out, borrowed or pretended, it does not verify."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.attacks.bundle.hostile import edited, forge, one_line

from sekisho.artifact import envelope as envelopes
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.folder import read_folder_manifest
from sekisho.artifact.inspection import inspect
from sekisho.artifact.keys import TrustedKeys, key_id
from sekisho.artifact.private_keys import new_key, read_private_key
from sekisho.artifact.signing import check_signature, sign_folder
from sekisho.errors import IntegrityError, SekishoError, WrongUse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENVELOPE = "manifest.dsse.json"


@pytest.fixture(scope="session")
def signed_once(packed: Path, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = shutil.copytree(packed, tmp_path_factory.mktemp("signed") / "artifact")
    sign_folder(folder, key)
    return folder


@pytest.fixture
def signed(signed_once: Path, tmp_path: Path) -> Path:
    """A signed copy that a test may spoil."""
    return shutil.copytree(signed_once, tmp_path / "signed")


@pytest.fixture(scope="session")
def keys(key: Path) -> TrustedKeys:
    return TrustedKeys.read([f"{key}.pub"])


def refused_when_required(folder: Path, keys: TrustedKeys | None) -> str:
    """Check and load: both must refuse; return the line."""
    with pytest.raises(SekishoError) as caught:
        check_signature(folder, keys, required=True)
    with pytest.raises(SekishoError):
        ModelArtifact.load(folder, keys=keys, require_signature=True)
    return one_line(caught.value)


def test_a21_signed_as_it_should_be(signed: Path, keys: TrustedKeys) -> None:
    assert check_signature(signed, keys, required=True) == (keys.keys[0].id,)
    assert ModelArtifact.load(signed, keys=keys, require_signature=True).signers == (keys.keys[0].id,)
    assert inspect(signed).signatures == (keys.keys[0].id,)
    assert inspect(signed).signed_by == ()
    assert check_signature(signed, None, required=False) == ()


def test_a21_unsigned(artifact: Path, keys: TrustedKeys) -> None:
    assert "not signed" in refused_when_required(artifact, keys)
    assert check_signature(artifact, keys, required=False) == ()


def test_a21_wrong_key(signed: Path, tmp_path: Path) -> None:
    other = TrustedKeys.read([new_key(tmp_path / "other.key")])
    assert "no trusted key" in refused_when_required(signed, other)


@pytest.mark.parametrize("nobody", [None, TrustedKeys()])
def test_a21_no_key_is_trusted(nobody: TrustedKeys | None, signed: Path) -> None:
    assert "no key is trusted" in refused_when_required(signed, nobody)


def test_a21_signature_of_another_artifact(signed: Path, artifact: Path, keys: TrustedKeys, tmp_path: Path) -> None:
    other = shutil.copytree(artifact, tmp_path / "other")
    forge(other, golden__json=(other / "golden.json").read_bytes() + b" ")
    shutil.copy(signed / ENVELOPE, other / ENVELOPE)
    assert "another artifact" in refused_when_required(other, keys)
    with pytest.raises(IntegrityError):
        ModelArtifact.load(other)  # without keys too: the envelope must be this manifest's


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('revoked = "lost"', "revoked"),
        ("not_after = 2020-01-01", "expired"),
        ("not_after = 2020-01-01T00:00:00Z", "expired"),
        ("not_before = 2999-01-01", "not valid yet"),
        ("not_before = 2999-01-01T00:00:00+09:00", "not valid yet"),
    ],
)
def test_a21_revoked_or_expired(line: str, words: str, signed: Path, key: Path, tmp_path: Path) -> None:
    shutil.copy(f"{key}.pub", tmp_path / "release.pub")
    (tmp_path / "keys.toml").write_text(f'[[keys]]\npublic = "release.pub"\n{line}\n')
    assert words in refused_when_required(signed, TrustedKeys.read([tmp_path / "keys.toml"]))
    # the stricter of two lists counts, whichever is read last
    assert words in refused_when_required(signed, TrustedKeys.read([tmp_path / "keys.toml", f"{key}.pub"]))
    assert words in refused_when_required(signed, TrustedKeys.read([f"{key}.pub", tmp_path / "keys.toml"]))


def test_a21_the_last_day_is_taken_whole(signed: Path, key: Path, tmp_path: Path) -> None:
    shutil.copy(f"{key}.pub", tmp_path / "release.pub")
    today = dt.datetime.now(dt.UTC).date()
    (tmp_path / "keys.toml").write_text(
        f'[[keys]]\npublic = "release.pub"\nnot_before = {today}\nnot_after = {today + dt.timedelta(days=1)}\n'
    )
    assert check_signature(signed, TrustedKeys.read([tmp_path / "keys.toml"]), required=True)


def test_a21_several_signatures(signed: Path, keys: TrustedKeys, tmp_path: Path) -> None:
    second = new_key(tmp_path / "second.key")
    sign_folder(signed, tmp_path / "second.key")
    both = TrustedKeys.read([second, *(tmp_path / "none" for _ in ())])
    assert len(check_signature(signed, both, required=True)) == 1
    everybody = TrustedKeys(keys=tuple(sorted((*keys.keys, *both.keys), key=lambda each: each.id)))
    assert check_signature(signed, everybody, required=True) == tuple(each.id for each in everybody.keys)
    before = (signed / ENVELOPE).read_bytes()
    sign_folder(signed, tmp_path / "second.key")
    assert (signed / ENVELOPE).read_bytes() == before  # Ed25519 says the same of the same


def parts(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / ENVELOPE).read_bytes())
    return loaded


def canonical(value: object) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def rewrapped(envelope: dict[str, Any], payload: bytes) -> dict[str, Any]:
    return {**envelope, "payload": base64.b64encode(payload).decode()}


def statement(envelope: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return said


def with_signature(envelope: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {**envelope, "signatures": [{**envelope["signatures"][0], **members}]}


def fewer(envelope: dict[str, Any]) -> dict[str, Any]:
    said = statement(envelope)
    return rewrapped(envelope, canonical({**said, "subject": said["subject"][1:]}))


SPOILED: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "a key twice": lambda e: canonical(e).replace(b'{"payload":', b'{"payload":"","payload":', 1),
    "another payload type": lambda e: canonical({**e, "payloadType": "application/json"}),
    "an algorithm": lambda e: canonical(with_signature(e, alg="none")),
    "an unknown field": lambda e: canonical({**e, "extra": 1}),
    "an unknown field of a signature": lambda e: canonical(with_signature(e, cert="x")),
    "no signatures": lambda e: canonical({**e, "signatures": []}),
    "many signatures": lambda e: canonical({**e, "signatures": e["signatures"] * 40}),
    "a signature twice": lambda e: canonical({**e, "signatures": e["signatures"] * 2}),
    "no key id": lambda e: canonical({**e, "signatures": [{"sig": e["signatures"][0]["sig"]}]}),
    "a key id in capitals": lambda e: canonical(with_signature(e, keyid=e["signatures"][0]["keyid"].upper())),
    "a key id with a path": lambda e: canonical(with_signature(e, keyid="../../release.pub")),
    "other spacing": lambda e: json.dumps(e, sort_keys=True).encode(),
    "other order": lambda e: json.dumps(dict(reversed(e.items())), separators=(",", ":")).encode(),
    "a line end": lambda e: canonical(e) + b"\n",
    "trailing words": lambda e: canonical(e) + canonical(e),
    "a list": lambda e: canonical([e]),
    "not JSON": lambda e: b"-----BEGIN PGP SIGNATURE-----",
    "empty": lambda e: b"",
    "deep": lambda e: b'{"payload":' * 100_000,
    "too large": lambda e: canonical({**e, "payload": "A" * (5 * 1024 * 1024)}),
    "base64 without padding": lambda e: canonical(with_signature(e, sig=e["signatures"][0]["sig"].rstrip("="))),
    "base64 for addresses": lambda e: canonical({**e, "payload": e["payload"].translate(str.maketrans("+/", "-_")) + "_-8="}),
    "base64 with blanks": lambda e: canonical(with_signature(e, sig=e["signatures"][0]["sig"][:40] + " " + e["signatures"][0]["sig"][40:])),
    "base64 with idle bits": lambda e: canonical(with_signature(e, sig=e["signatures"][0]["sig"][:-3] + "B==")),
    "base64 with more after its end": lambda e: canonical({**e, "payload": e["payload"] + "===="}),
    "a short signature": lambda e: canonical(with_signature(e, sig=base64.b64encode(b"x" * 63).decode())),
    "a long signature": lambda e: canonical(with_signature(e, sig=base64.b64encode(b"x" * 65).decode())),
    "fewer files": lambda e: canonical(fewer(e)),
    "a file more": lambda e: canonical(rewrapped(e, canonical({**statement(e), "subject": [*statement(e)["subject"], {"name": "x", "digest": {"sha256": "0" * 64}}]}))),
    "another digest": lambda e: canonical(rewrapped(e, base64.b64decode(e["payload"]).replace(b"sha256", b"sha512"))),
    "another predicate": lambda e: canonical(rewrapped(e, canonical({**statement(e), "predicateType": "https://example.com/x"}))),
    "another statement type": lambda e: canonical(rewrapped(e, canonical({**statement(e), "_type": "https://in-toto.io/Statement/v0.1"}))),
    "a statement that parses alike": lambda e: canonical(rewrapped(e, json.dumps(statement(e), indent=1).encode())),
    "a statement with a key twice": lambda e: canonical(rewrapped(e, base64.b64decode(e["payload"]).replace(b'{"_type":', b'{"_type":"x","_type":', 1))),
    "an empty payload": lambda e: canonical({**e, "payload": ""}),
    "the manifest itself": lambda e: canonical(rewrapped(e, b"{}")),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILED)
def test_a22_an_envelope_that_is_not_strictly_one(name: str, signed: Path, keys: TrustedKeys) -> None:
    (signed / ENVELOPE).write_bytes(SPOILED[name](parts(signed)))
    refused_when_required(signed, keys)
    with pytest.raises(IntegrityError, match=r"manifest\.dsse\.json"):
        check_signature(signed, keys, required=False)
    with pytest.raises(IntegrityError):
        ModelArtifact.load(signed)  # even if nobody asks for signatures


@pytest.mark.parametrize("name", ["fewer files", "a statement that parses alike", "another predicate"])
def test_a22_even_if_the_trusted_key_signs_it(name: str, signed: Path, key: Path, keys: TrustedKeys) -> None:
    """A key that is used elsewhere signs much: only the very statement of this manifest counts."""
    spoiled = json.loads(SPOILED[name](parts(signed)))
    payload = base64.b64decode(spoiled["payload"])
    signature = read_private_key(key).sign(envelopes.authenticated(payload))
    (signed / ENVELOPE).write_bytes(canonical(with_signature(spoiled, sig=base64.b64encode(signature).decode())))
    assert "another artifact" in refused_when_required(signed, keys)


def test_a22_a_signature_of_the_bare_payload(signed: Path, key: Path, keys: TrustedKeys) -> None:
    """Without the encoding before it, a signature could be borrowed from another protocol."""
    envelope = parts(signed)
    signature = read_private_key(key).sign(base64.b64decode(envelope["payload"]))
    (signed / ENVELOPE).write_bytes(canonical(with_signature(envelope, sig=base64.b64encode(signature).decode())))
    assert "not by the key" in refused_when_required(signed, keys)


def test_a22_a_key_id_that_is_not_the_signers(signed: Path, keys: TrustedKeys, tmp_path: Path) -> None:
    """Somebody else signs in the name of a trusted key; and a trusted key's signature under another name helps nobody."""
    new_key(tmp_path / "evil.key")
    payload = base64.b64decode(parts(signed)["payload"])
    signature = read_private_key(tmp_path / "evil.key").sign(envelopes.authenticated(payload))
    (signed / ENVELOPE).write_bytes(canonical(with_signature(parts(signed), sig=base64.b64encode(signature).decode())))
    assert "not by the key" in refused_when_required(signed, keys)
    with pytest.raises(IntegrityError):
        check_signature(signed, keys, required=False)


def test_a22_a_good_signature_under_a_strange_name(signed: Path, keys: TrustedKeys) -> None:
    (signed / ENVELOPE).write_bytes(canonical(with_signature(parts(signed), keyid="0" * 64)))
    assert "no trusted key" in refused_when_required(signed, keys)


def test_a22_one_bad_signature_beside_a_good_one(signed: Path, keys: TrustedKeys, tmp_path: Path) -> None:
    second = TrustedKeys.read([new_key(tmp_path / "second.key")])
    envelope = parts(signed)
    bad = {"keyid": second.keys[0].id, "sig": base64.b64encode(bytes(64)).decode()}
    envelope["signatures"] = sorted([*envelope["signatures"], bad], key=lambda each: str(each["keyid"]))
    (signed / ENVELOPE).write_bytes(canonical(envelope))
    assert check_signature(signed, keys, required=True)  # a stranger's word, which nobody here can judge
    both = TrustedKeys(keys=(*keys.keys, *second.keys))
    assert "not by the key" in refused_when_required(signed, both)


def test_a22_another_point_of_the_curve(signed: Path, keys: TrustedKeys) -> None:
    """Ed25519 signatures can be bent (S + L): the bent one is refused."""
    order = 2**252 + 27742317777372353535851937790883648493
    envelope = parts(signed)
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    bent = signature[:32] + (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    (signed / ENVELOPE).write_bytes(canonical(with_signature(envelope, sig=base64.b64encode(bent).decode())))
    assert "not by the key" in refused_when_required(signed, keys)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80, deadline=None)
@given(data=st.data())
def test_a22_sign_change_one_byte_anywhere_must_not_verify(
    data: st.DataObject, signed_once: Path, keys: TrustedKeys, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(signed_once, folder)
    path = data.draw(st.sampled_from(sorted(folder.iterdir())))
    content = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with pytest.raises(SekishoError):
        check_signature(folder, keys, required=True)


def test_a22_every_byte_of_the_envelope(signed_once: Path, keys: TrustedKeys) -> None:
    manifest = read_folder_manifest(signed_once)
    whole = (signed_once / ENVELOPE).read_bytes()
    payload = envelopes.statement_of(manifest)
    from sekisho.artifact.signing import check_envelope

    for position in range(len(whole)):
        content = bytearray(whole)
        content[position] ^= 1
        with pytest.raises(IntegrityError):
            check_envelope(envelopes.read_envelope(bytes(content), payload, where="x"), keys, required=True, where="x")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(added=st.binary(min_size=1, max_size=40), at=st.floats(0, 1))
def test_a22_bytes_added_to_the_envelope(added: bytes, at: float, signed_once: Path, keys: TrustedKeys) -> None:
    whole = (signed_once / ENVELOPE).read_bytes()
    position = int(at * len(whole))
    with pytest.raises(IntegrityError):
        envelopes.read_envelope(
            whole[:position] + added + whole[position:],
            envelopes.statement_of(read_folder_manifest(signed_once)),
            where="x",
        )


def test_the_envelope_is_read_by_others(signed: Path, key: Path) -> None:
    """An independent implementation of DSSE verifies it, and an in-toto reader finds every file."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

    public = read_private_key(key).public_key()
    envelope = Envelope.from_dict(parts(signed))
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    their_key = SSlibKey(key_id(public), "ed25519", "ed25519", {"public": public.public_bytes_raw().hex()})
    assert set(envelope.verify([their_key], 1)) == {key_id(public)}
    assert "PUBLIC KEY" in pem
    said = json.loads(envelope.payload)
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    subjects = {each["name"]: each["digest"]["sha256"] for each in said["subject"]}
    on_disk = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in signed.iterdir() if path.name != ENVELOPE
    }
    assert subjects == on_disk


def test_a21_a_signature_travels_with_a_copy(signed: Path, keys: TrustedKeys, tmp_path: Path) -> None:
    ModelArtifact.load(signed).save(tmp_path / "copy")
    assert check_signature(tmp_path / "copy", keys, required=True)


def test_a21_nothing_that_is_damaged_is_signed(artifact: Path, key: Path) -> None:
    (artifact / "golden.json").write_bytes(b"{}")
    with pytest.raises(IntegrityError):
        sign_folder(artifact, key)
    assert not (artifact / ENVELOPE).exists()


def test_a21_nothing_is_left_behind_when_it_is_signed(artifact: Path, key: Path) -> None:
    before = {path.name for path in artifact.iterdir()}
    around = {path.name for path in artifact.parent.iterdir()}
    sign_folder(artifact, key)
    assert {path.name for path in artifact.iterdir()} == before | {ENVELOPE}
    assert {path.name for path in artifact.parent.iterdir()} == around


def test_a10_an_envelope_that_is_a_link_or_a_folder(signed: Path, keys: TrustedKeys, tmp_path: Path) -> None:
    shutil.move(signed / ENVELOPE, tmp_path / "elsewhere")
    (signed / ENVELOPE).symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in refused_when_required(signed, keys)
    (signed / ENVELOPE).unlink()
    (signed / ENVELOPE).mkdir()
    refused_when_required(signed, keys)


def test_a21_policies_do_not_reach_into_the_files(signed: Path, keys: TrustedKeys) -> None:
    """Who forges a file and the manifest loses the signature."""
    forge(signed, metadata__json=edited(signed, "metadata.json", lambda plain: plain.update(owner="somebody")))
    assert "another artifact" in refused_when_required(signed, keys)


class TestKeys:
    def test_a_new_key(self, tmp_path: Path) -> None:
        public = new_key(tmp_path / "sub" / "a.key")
        assert (tmp_path / "sub" / "a.key").stat().st_mode & 0o777 == 0o600
        assert public == tmp_path / "sub" / "a.key.pub"
        assert TrustedKeys.read([public]).keys[0].id == key_id(
            read_private_key(tmp_path / "sub" / "a.key").public_key()
        )

    @pytest.mark.parametrize("there", ["a.key", "a.key.pub"])
    def test_nothing_is_overwritten(self, there: str, tmp_path: Path) -> None:
        (tmp_path / there).write_text("mine")
        with pytest.raises(WrongUse, match="already there"):
            new_key(tmp_path / "a.key")
        assert [path.name for path in tmp_path.iterdir()] == [there]
        assert (tmp_path / there).read_text() == "mine"

    def test_a_link_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "a.key").symlink_to(tmp_path / "target")
        with pytest.raises(WrongUse):
            new_key(tmp_path / "a.key")
        assert not (tmp_path / "target").exists()

    def test_with_a_passphrase(self, artifact: Path, tmp_path: Path) -> None:
        public = new_key(tmp_path / "a.key", b"correct horse")
        assert b"ENCRYPTED" in (tmp_path / "a.key").read_bytes()
        for wrong in (None, b"", b"wrong"):
            with pytest.raises(WrongUse, match="passphrase"):
                sign_folder(artifact, tmp_path / "a.key", wrong)
        sign_folder(artifact, tmp_path / "a.key", b"correct horse")
        assert check_signature(artifact, TrustedKeys.read([public]), required=True)
        with pytest.raises(WrongUse):
            new_key(tmp_path / "b.key", b"")

    def test_one_that_others_may_read(self, tmp_path: Path) -> None:
        new_key(tmp_path / "a.key")
        (tmp_path / "a.key").chmod(0o644)
        with pytest.raises(WrongUse, match="others may read"):
            read_private_key(tmp_path / "a.key")

    @pytest.mark.parametrize("kind", ["rsa", "ec", "garbage", "empty", "public", "certificate", "huge", "two", "ssh"])
    def test_what_is_no_key(self, kind: str, tmp_path: Path) -> None:
        makers: dict[str, Callable[[], Any]] = {
            "rsa": lambda: rsa.generate_private_key(65537, 2048),
            "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
        }
        made = makers.get(kind, ed25519.Ed25519PrivateKey.generate)()
        private = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        private, public = {
            "garbage": (b"\x00\xff" * 40, b"\x00\xff" * 40),
            "empty": (b"", b""),
            "public": (public, private),
            "certificate": (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",) * 2,
            "huge": (private + b"#" * 300_000, public + b"#" * 300_000),
            "two": (b"#" + private, public + public),
            "ssh": (
                b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
                b"ssh-ed25519 AAAA",
            ),
        }.get(kind, (private, public))
        (tmp_path / "a.key").write_bytes(private)
        (tmp_path / "a.key").chmod(0o600)
        (tmp_path / "a.pub").write_bytes(public)
        with pytest.raises(WrongUse):
            read_private_key(tmp_path / "a.key")
        with pytest.raises(WrongUse):
            TrustedKeys.read([tmp_path / "a.pub"])

    @pytest.mark.parametrize(
        "text",
        [
            "keys = 1",
            "[[keys]]",
            "[[keys]]\npublic = 5",
            '[[keys]]\npublic = "missing.pub"',
            '[[keys]]\npublic = "a.key.pub"\nnot_after = "tomorrow"',
            '[[keys]]\npublic = "a.key.pub"\nunknown = 1',
            '[[keys]]\npublic = "a.key.pub"\nrevoked = false',
            "[[keys",
        ],
    )
    def test_lists_that_are_none(self, text: str, tmp_path: Path) -> None:
        new_key(tmp_path / "a.key")
        (tmp_path / "keys.toml").write_text(text)
        with pytest.raises(WrongUse) as caught:
            TrustedKeys.read([tmp_path / "keys.toml"])
        one_line(caught.value)
