"""Until when certificates are good, and files that others may not touch."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sekisho.errors import ServiceError, WrongUse
from sekisho.serving.guards.certificates import validity_of
from sekisho.serving.guards.modes import readable_secrets, refuse_changeable
from sekisho.serving.guards.tls import Tls, context_of
from sekisho.serving.settings import settings_of

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
DAY = dt.timedelta(days=1)
KEYS: dict[str, Any] = {
    "ec": ec.generate_private_key(ec.SECP256R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
    "rsa": rsa.generate_private_key(65_537, 2_048),
}


def certificate(begins: dt.datetime, ends: dt.datetime, *, kind: str = "ec", serial: int = 1) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    key = KEYS[kind]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(begins)
        .not_valid_after(ends)
        .sign(key, None if kind == "ed25519" else hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def write(folder: Path, pem: bytes, *, kind: str = "ec") -> tuple[Path, Path]:
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(pem)
    key.write_bytes(
        KEYS[kind].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    key.chmod(0o600)
    return chain, key


FIRST = dt.datetime(1950, 1, 2, tzinfo=dt.UTC)
MOMENTS = st.integers(0, 250 * 365 * 86_400).map(lambda seconds: FIRST + dt.timedelta(seconds=seconds))


@settings(max_examples=60, deadline=None)
@given(one=MOMENTS, other=MOMENTS, kind=st.sampled_from(sorted(KEYS)), serial=st.integers(1, 2**150))
@example(one=NOW, other=dt.datetime(2050, 1, 1, tzinfo=dt.UTC), kind="ec", serial=1)
def test_dates_are_those_that_a_library_reads(one: dt.datetime, other: dt.datetime, kind: str, serial: int) -> None:
    begins, ends = sorted((one, other))
    pem = certificate(begins, ends, kind=kind, serial=serial)
    known = x509.load_pem_x509_certificate(pem)
    read = validity_of(pem)
    assert (read.begins, read.ends) == (known.not_valid_before_utc, known.not_valid_after_utc)


def test_the_first_to_end_of_a_chain_counts() -> None:
    chain = certificate(NOW - DAY, NOW + 90 * DAY) + b"\nsome words\n" + certificate(NOW - 2 * DAY, NOW + 9 * DAY)
    assert (validity_of(chain).begins, validity_of(chain).ends) == (NOW - DAY, NOW + 9 * DAY)


def test_what_is_no_certificate_is_told_and_nothing_else() -> None:
    der = x509.load_pem_x509_certificate(certificate(NOW, NOW + DAY)).public_bytes(serialization.Encoding.DER)
    cut = [ssl.DER_cert_to_PEM_cert(der[:size]).encode() for size in range(len(der))]
    words = (b"", b"hello", b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----", b"\xff" * 100)
    assert not [pem for pem in (*cut, *words) if reads(pem)]


def reads(pem: bytes) -> bool:
    try:
        validity_of(pem)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("begins", "ends", "what"), [(-90, -1, "has ended"), (1, 90, "good only from"), (-900, -0.001, "has ended")]
)
def test_a_certificate_that_is_not_good_now_is_refused(tmp_path: Path, begins: float, ends: float, what: str) -> None:
    chain, key = write(tmp_path, certificate(NOW + begins * DAY, NOW + ends * DAY))
    with pytest.raises(ServiceError, match=what):
        context_of(settings_of(certificate=chain, private_key=key))


def test_the_end_of_a_certificate_is_said_once_a_day_and_a_new_one_taken_up(tmp_path: Path) -> None:
    chain, key = write(tmp_path, certificate(NOW - DAY, NOW + 5 * DAY))
    said: list[tuple[str, str, dict[str, Any]]] = []

    def say(level: str, event: str, **members: Any) -> None:
        said.append((level, event, members))

    tls = Tls(settings_of(certificate=chain, private_key=key))
    for _ in range(5):
        tls.refresh(say)
    assert [(level, event, more["days"]) for level, event, more in said] == [
        ("warning", "the certificate ends soon", 4)
    ]
    said.clear()
    for useless in (b"", b"garbage", certificate(NOW - 9 * DAY, NOW - DAY), certificate(NOW, NOW + DAY, kind="rsa")):
        chain.write_bytes(useless)
        tls.refresh(say)
        assert said.pop()[:2] == ("error", "the new certificate is of no use; the old one stays")
        assert tls.ends == (NOW + 5 * DAY).timestamp()
    chain.write_bytes(certificate(NOW - DAY, NOW + 90 * DAY))
    tls.refresh(say)
    assert [event for _, event, _ in said] == ["certificate read again"]
    assert tls.ends == (NOW + 90 * DAY).timestamp()


def test_files_that_others_may_read_are_told_and_those_they_may_change_refused(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("localhost")
    both, keys = tmp_path / "both.pem", tmp_path / "keys"
    issued.private_key_and_cert_chain_pem.write_to_path(str(both))
    keys.write_text("")
    stated = settings_of(certificate=both, key_file=keys)
    for mode in (0o600, 0o640, 0o400):
        both.chmod(mode)
        keys.chmod(mode)
        assert readable_secrets(stated) == []
    both.chmod(0o644)
    keys.chmod(0o604)
    assert readable_secrets(stated) == [("key_file", "0604"), ("private_key", "0644")]
    refuse_changeable(stated)
    for path in (both, keys):
        path.chmod(0o602)
        with pytest.raises(WrongUse, match="may change"):
            refuse_changeable(stated)
        path.chmod(0o600)
    keys.unlink()
    refuse_changeable(stated)  # that there is none is told elsewhere
