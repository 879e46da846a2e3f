"""TLS: old versions, weak ciphers, wrong and expired certificates on both sides, files that others may read."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import json
import os
import socket
import ssl
import struct
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.attacks.service.attack import Chapter, NotApplicable, Outcome, expect
from tests.attacks.service.own import FLOWER, LIMITS, Workshop, configuration, questions_about_flowers, target_of
from tests.attacks.service.starts import refused_start
from tests.attacks.service.target import Target

KINDS = auth = Chapter("auth")
DAY = dt.timedelta(days=1)

K16 = auth(
    "K16",
    ("TLS settings", "TLS の設定"),
    (
        "old versions, weak ciphers, strangers' and expired certificates are refused; the end of the certificate is a metric and a warning; loose files are told",
        "古い版・弱い暗号・他人の証明書・期限切れは拒否。有効期限はメトリクスと警告で通知し、緩いファイル権限も知らせる",
    ),
)


class Authority:
    """An authority of the tests that signs certificates of any length."""

    def __init__(self, folder: Path, name: str) -> None:
        import trustme

        self.folder = folder
        self.name = name
        self.ca = trustme.CA(organization_name=name)
        self.root = folder / f"{name}.pem"
        self.ca.cert_pem.write_to_path(str(self.root))

    def issue(self, name: str, days: float = 90.0) -> tuple[Path, Path]:
        """Return a chain and its key; ``days`` from now it ends."""
        ends = dt.datetime.now(dt.UTC) + days * DAY
        issued = self.ca.issue_cert(
            "127.0.0.1", "localhost", not_after=ends, not_before=min(ends - DAY, dt.datetime.now(dt.UTC) - DAY)
        )
        chain, key = self.folder / f"{self.name}-{name}.chain.pem", self.folder / f"{self.name}-{name}.key.pem"
        chain.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(key))
        key.chmod(0o600)
        return chain, key


@configuration("mutual")
def _mutual(workshop: Workshop) -> Iterator[Target]:
    """TLS on both sides: callers need a certificate of one authority."""
    from tests.serving.conftest import serving

    folder = workshop.place("mutual")
    ours, others = Authority(folder, "ours"), Authority(folder, "others")
    chain, key = ours.issue("service", days=12.5)
    with serving(workshop.iris, certificate=chain, private_key=key, client_authority=ours.root, workers=2) as running:
        target = target_of(running, questions_about_flowers(), limits=LIMITS, tls=running.url)
        target.process = None  # its metrics need a certificate; the attacks read them themselves
        target.more |= {"ours": ours, "others": others, "chain": chain, "key-path": key, "running": running}
        yield target


def trusting(target: Target) -> ssl.SSLContext:
    """Return a context that trusts the service's authority, and shows no certificate."""
    return ssl.create_default_context(cafile=str(target.more["ours"].root))


def showing(target: Target, authority: str, name: str, days: float = 90.0) -> ssl.SSLContext:
    context = trusting(target)
    context.load_cert_chain(*target.more[authority].issue(name, days))
    return context


def asked(target: Target, context: ssl.SSLContext, path: str = "/predict") -> tuple[int, bytes]:
    """Return the answer to a good request over TLS.

    Raises:
        OSError: There is none: the service does not agree.

    """
    connection = http.client.HTTPSConnection(target.host, target.port, context=context, timeout=10)
    body = None if path != "/predict" else json.dumps({"features": FLOWER})
    try:
        connection.request("GET" if body is None else "POST", path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise ConnectionError from error
    finally:
        connection.close()


def expect_refusal(target: Target, context: ssl.SSLContext) -> Outcome:
    try:
        status, _ = asked(target, context)
    except OSError as error:
        return Outcome(seen=type(error).__name__)
    raise AssertionError(f"it is answered with {status}")


def loose_client(target: Target, *, version: ssl.TLSVersion | None = None, ciphers: str = "") -> ssl.SSLContext:
    """Return a client that agrees to anything: what is refused is refused by the service."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if version is not None:
            context.minimum_version = version
            context.maximum_version = version
        elif ciphers:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.set_ciphers(ciphers or "ALL:@SECLEVEL=0")
        except ssl.SSLError:
            raise NotApplicable("the TLS library of this machine has no such cipher") from None
    return context


def _agrees(target: Target, context: ssl.SSLContext) -> str | None:
    """Return what a handshake agreed to; ``None`` if it did not."""
    with socket.create_connection((target.host, target.port), timeout=10) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="localhost") as encrypted:
                return f"{encrypted.version()} {(encrypted.cipher() or ('?',))[0]}"
        except OSError:
            return None


for version in ("TLSv1", "TLSv1_1"):

    @K16.attack(f"version-{version}", on="secured")
    def _version(target: Target, version: str = version) -> Outcome:
        found = _agrees(target, loose_client(target, version=ssl.TLSVersion[version]))
        expect(found is None, f"it agrees to {found}")
        return Outcome(seen="refused")


for version in ("TLSv1_2", "TLSv1_3"):

    @K16.attack(f"version-{version}-is-spoken", on="secured")
    def _spoken(target: Target, version: str = version) -> Outcome:
        found = _agrees(target, loose_client(target, version=ssl.TLSVersion[version]))
        expect(found is not None, "it does not agree to a version that is sound")
        return Outcome(seen=str(found))


CIPHERS = {
    "null": "eNULL:@SECLEVEL=0",
    "anonymous": "aNULL:@SECLEVEL=0",
    "rsa-key-exchange": "kRSA:@SECLEVEL=0",
    "cbc": "ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0",
    "no-forward-secrecy": "AES128-GCM-SHA256:AES256-GCM-SHA384:@SECLEVEL=0",
    "pre-shared": "PSK:@SECLEVEL=0",
    "triple-des": "3DES:@SECLEVEL=0",
    "rc4": "RC4:@SECLEVEL=0",
    "finite-field": "kDHE:@SECLEVEL=0",
}
for name, ciphers in CIPHERS.items():

    @K16.attack(f"cipher-{name}", on="secured")
    def _cipher(target: Target, ciphers: str = ciphers) -> Outcome:
        try:
            context = loose_client(target, ciphers=ciphers)
        except NotApplicable as why:
            return Outcome(seen=f"{why}: sent as bytes instead")
        found = _agrees(target, context)
        expect(found is None, f"it agrees to {found}")
        return Outcome(seen="refused")


SUITES = {
    "null": (0x0000, 0x0001, 0x0002, 0x003B, 0xC006, 0xC010, 0xC015),
    "export": (0x0003, 0x0006, 0x0008, 0x000B, 0x000E, 0x0011, 0x0014, 0x0017, 0x0019, 0x0026, 0x0027),
    "rc4": (0x0004, 0x0005, 0xC007, 0xC011),
    "des": (0x0009, 0x000A, 0x0015, 0x0016, 0xC008, 0xC012),
    "anonymous": (0x0018, 0x001B, 0x0034, 0x003A, 0xC018, 0xC019),
    "cbc": (0x002F, 0x0035, 0x003C, 0x003D, 0xC009, 0xC00A, 0xC013, 0xC014),
    "none": (),
    "unknown": (0xFAFA, 0x1A1A),
}
VERSIONS = {"ssl-3": 0x0300, "tls-1.0": 0x0301, "tls-1.1": 0x0302, "tls-1.2": 0x0303}


def hello(version: int, suites: tuple[int, ...]) -> bytes:
    """Return a ClientHello (RFC 5246, section 7.4.1.2) that offers one version and these cipher suites."""
    groups = struct.pack(">HHHHH", 0x000A, 6, 4, 0x001D, 0x0017)
    points = struct.pack(">HHBB", 0x000B, 2, 1, 0)
    signatures = struct.pack(">HHHHHH", 0x000D, 8, 6, 0x0403, 0x0401, 0x0804)
    extensions = groups + points + signatures if version >= 0x0301 else b""
    offered = b"".join(struct.pack(">H", suite) for suite in suites)
    body = struct.pack(">H", version) + os.urandom(32) + b"\0" + struct.pack(">H", len(offered)) + offered + b"\1\0"
    body += struct.pack(">H", len(extensions)) + extensions if extensions else b""
    message = b"\1" + struct.pack(">I", len(body))[1:] + body
    return b"\x16" + struct.pack(">HH", min(version, 0x0301), len(message)) + message


def answer_to(target: Target, data: bytes) -> bytes:
    with socket.create_connection((target.host, target.port), timeout=5) as connection, contextlib.suppress(OSError):
        connection.sendall(data)
        return connection.recv(4_096)
    return b""


_STRONG = (0xC02B, 0xC02F, 0xC02C, 0xC030)
OFFERS = {f"suites-{name}": (0x0303, suites) for name, suites in SUITES.items()} | {
    f"hello-{name}": (version, _STRONG) for name, version in VERSIONS.items() if version < 0x0303
}
for name, (number, suites) in OFFERS.items():

    @K16.attack(name, on="secured")
    def _offer(target: Target, number: int = number, suites: tuple[int, ...] = suites) -> Outcome:
        said = answer_to(target, hello(number, suites))
        expect(not said or said[0] == 0x15, f"it goes on: {said[:20].hex()}")
        return Outcome(seen="alert" if said else "closed")


@K16.attack("a-sound-hello-is-answered", on="secured")
def _sound(target: Target) -> Outcome:
    said = answer_to(target, hello(0x0303, _STRONG))
    expect(said[:1] == b"\x16", f"the bytes that the other attacks send are not understood: {said[:20].hex()}")
    return Outcome(seen="ServerHello")


@K16.attack("ssl-2-hello", on="secured")
def _ssl2(target: Target) -> Outcome:
    said = answer_to(target, b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10\x07\x00\xc0\x05\x00\x80" + os.urandom(31))
    expect(not said or said[0] == 0x15, f"it goes on: {said[:20].hex()}")
    return Outcome(seen="alert" if said else "closed")


# Certificates of callers


def _self_signed(target: Target) -> ssl.SSLContext:
    from tests.serving.guards.test_certificates import certificate, write

    folder = Path(target.more["ours"].folder) / "self"
    folder.mkdir(exist_ok=True)
    moment = dt.datetime.now(dt.UTC)
    context = trusting(target)
    context.load_cert_chain(*write(folder, certificate(moment - DAY, moment + DAY)))
    return context


CALLERS: dict[str, Callable[[Target], ssl.SSLContext]] = {
    "none": trusting,
    "of-a-stranger": lambda t: showing(t, "others", "caller"),
    "expired": lambda t: showing(t, "ours", "late", -1.0),
    "of-itself": _self_signed,
}
for name, shows in CALLERS.items():

    @K16.attack(f"caller-{name}", on="mutual", needs=("ours",), spares=("service",))
    def _caller(target: Target, shows: Callable[[Target], ssl.SSLContext] = shows) -> Outcome:
        return expect_refusal(target, shows(target))


@K16.attack("caller-known", on="mutual", spares=("service",))
def _known(target: Target) -> Outcome:
    status, _ = asked(target, showing(target, "ours", "caller"))
    expect(status == 200, f"{status}")
    return Outcome(seen="200")


# The service's own certificate


@K16.attack("expired-at-start", on="workshop", spares=("service",))
def _expired(target: Target) -> Outcome:
    workshop = target.more["workshop"]
    chain, key = Authority(workshop.place("expired"), "ours").issue("late", -1.0)
    line = refused_start(workshop.iris, certificate=chain, private_key=key, says="has ended")
    return Outcome(seen=line[:120])


@K16.attack("end-in-metrics-and-log", on="mutual", spares=("service",))
def _end(target: Target) -> Outcome:
    from prometheus_client.parser import text_string_to_metric_families

    context = showing(target, "ours", "reader")
    name = "ml_certificate_ends_timestamp_seconds"

    def read() -> float:
        _, text = asked(target, context, "/metrics")
        families = text_string_to_metric_families(text.decode())
        return sum(sample.value for family in families for sample in family.samples if sample.name == name)

    days = 0.0
    for _ in range(30):
        days = (read() - time.time()) / 86_400
        if days > 0:
            break
        time.sleep(0.1)
    expect(12.4 < days < 12.6, f"the metric says {days:.2f} days")
    ends = time.monotonic() + 5.0
    while True:
        warned = [line for line in target.more["running"].lines if "the certificate ends soon" in line]
        if len(warned) >= 2 or time.monotonic() > ends:
            break
        time.sleep(0.1)
    expect(len(warned) == 2, f"{len(warned)} lines of two workers warn")
    expect(json.loads(warned[0])["level"] == "warning" and json.loads(warned[0])["days"] == 12, warned[0])
    return Outcome(seen="metric and warning", figures={"days": round(days, 2)})


@K16.attack("renewed-without-a-restart", on="mutual", spares=("service",), seconds=60.0)
def _renewed(target: Target) -> Outcome:
    from cryptography import x509

    def shown() -> dt.datetime:
        with (
            socket.create_connection((target.host, target.port), timeout=10) as plain,
            showing(target, "ours", "reader").wrap_socket(plain, server_hostname="localhost") as encrypted,
        ):
            der = encrypted.getpeercert(binary_form=True)
        assert der is not None
        return x509.load_der_x509_certificate(der).not_valid_after_utc

    chain, key = target.more["chain"], target.more["key-path"]
    target.more["ours"].issue("renewed", 60.0)
    folder = target.more["ours"].folder
    wanted = dt.datetime.now(dt.UTC) + 59 * DAY
    # As renewal tools do: one file after the other, so that for a moment the two do not belong together.
    os.replace(folder / "ours-renewed.key.pem", key)  # noqa: PTH105
    time.sleep(0.7)
    os.replace(folder / "ours-renewed.chain.pem", chain)  # noqa: PTH105
    began = time.monotonic()
    while min(shown() for _ in range(6)) < wanted:
        expect(time.monotonic() - began < 5, "the old certificate is still shown after 5 s")
    seconds = time.monotonic() - began
    chain.write_text("garbage")
    time.sleep(0.8)
    expect(shown() > wanted, "a file of no use ends TLS")
    expect(any("of no use" in line for line in target.more["running"].lines), "the log does not say so")
    return Outcome(seen="taken up", figures={"seconds": round(seconds, 2)})


@K16.attack("mode-0644", on="workshop", spares=("service",), seconds=60.0)
def _loose(target: Target) -> Outcome:
    from tests.serving.conftest import serving

    from sekisho.serving.guards.keys import new_key

    workshop = target.more["workshop"]
    folder = workshop.place("loose")
    chain, key = Authority(folder, "ours").issue("service")
    keys = folder / "keys"
    keys.write_text(new_key("app")[1])
    key.chmod(0o644)
    keys.chmod(0o644)
    with serving(workshop.iris, certificate=chain, private_key=key, key_file=keys) as running:
        said = [json.loads(line) for line in running.lines if "may read a secret file" in line]
    expect(
        sorted((one["setting"], one["mode"], one["level"]) for one in said)
        == [("key_file", "0644", "warning"), ("private_key", "0644", "warning")],
        f"{said}",
    )
    for path in (key, keys):
        path.chmod(0o666)
        refused_start(workshop.iris, certificate=chain, private_key=key, key_file=keys, says="may change this file")
        path.chmod(0o600)
    return Outcome(seen="warned at 0644, refused at 0666")


FILES: dict[str, Callable[[Path, Path], Any]] = {
    "no-certificate": lambda chain, key: chain.write_text("hello"),
    "no-key": lambda chain, key: key.write_text("hello"),
    "missing-key": lambda chain, key: key.unlink(),
    "swapped": lambda chain, key: (chain.write_bytes(key.read_bytes()), key.write_bytes(b"")),
    "key-of-another": lambda chain, key: key.write_bytes(
        Authority(chain.parent, "another").issue("service")[1].read_bytes()
    ),
    "encrypted-key": lambda chain, key: _encrypt(key),
    "cut-off": lambda chain, key: chain.write_bytes(chain.read_bytes()[:400]),
}


def _encrypt(key: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    secret = serialization.BestAvailableEncryption(b"passphrase")
    key.write_bytes(loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret))


for name, spoil in FILES.items():

    @K16.attack(f"file-{name}", on="workshop", spares=("service",))
    def _file(target: Target, spoil: Callable[[Path, Path], Any] = spoil) -> Outcome:
        import sekisho
        from sekisho.errors import ServiceError

        chain, key = Authority(target.more["workshop"].place("files"), "ours").issue("service")
        spoil(chain, key)
        try:
            sekisho.serve(target.more["workshop"].iris, certificate=chain, private_key=key, port=0)
        except ServiceError as error:
            expect("\n" not in str(error) and error.what.ja != error.what.en, f"it says {error}")
            return Outcome(seen=str(error)[:120])
        raise AssertionError("it serves")
