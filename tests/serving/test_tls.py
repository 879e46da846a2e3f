"""TLS: new versions only, certificates on both sides, and connections that never finish agreeing on it."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from tests.serving.conftest import SERVE, Running, serving

from sekisho.errors import WrongUse
from sekisho.serving.settings import settings_of

HOUSE = {"features": {"size": 90.0, "rooms": 3}}


class Papers:
    """An authority of this test, and what it signed."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        issued = self.authority.issue_cert("127.0.0.1", "localhost")
        caller = self.authority.issue_cert("caller@example.com")
        self.root, self.chain, self.key = folder / "root.pem", folder / "chain.pem", folder / "key.pem"
        self.caller = folder / "caller.pem"
        self.authority.cert_pem.write_to_path(str(self.root))
        self.chain.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(self.key))
        caller.private_key_and_cert_chain_pem.write_to_path(str(self.caller))

    def trusting(self, *, caller: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.root))
        if caller:
            context.load_cert_chain(self.caller)
        return context


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def secured(price_artifact: Path, papers: Papers) -> Iterator[Running]:
    with serving(
        price_artifact, certificate=papers.chain, private_key=papers.key, workers=2, limits={"head_seconds": 1.0}
    ) as running:
        assert running.url.startswith("https://")
        yield running


def ask(running: Running, context: ssl.SSLContext, rows: int = 1) -> http.client.HTTPResponse:
    connection = http.client.HTTPSConnection("127.0.0.1", running.port, context=context, timeout=20)
    path, body = ("/predict", HOUSE) if rows == 1 else ("/predict/batch", [HOUSE] * rows)
    try:
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.data = answer.read()  # type: ignore[attr-defined]
    finally:
        connection.close()
    return answer


def test_answers_come_over_tls_and_say_so_to_browsers(secured: Running, papers: Papers) -> None:
    answer = ask(secured, papers.trusting())
    assert answer.status == 200
    assert "max-age=" in (answer.getheader("strict-transport-security") or "")


def test_large_answers_come_whole(secured: Running, papers: Papers) -> None:
    answer = ask(secured, papers.trusting(), rows=5_000)
    assert json.loads(answer.data)["count"] == 5_000  # type: ignore[attr-defined]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_f53b_old_versions_are_refused(secured: Running, version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = version
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(("127.0.0.1", secured.port), timeout=10) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(plain)


def test_plain_http_gets_no_answer(secured: Running) -> None:
    assert b"HTTP/1.1 200" not in secured.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")


def test_connections_that_never_agree_hold_nobody_up(secured: Running, papers: Papers) -> None:
    silent = [socket.create_connection(("127.0.0.1", secured.port), timeout=10) for _ in range(100)]
    try:
        begun = time.monotonic()
        assert ask(secured, papers.trusting()).status == 200
        assert time.monotonic() - begun < 5.0
        silent[0].settimeout(10)
        assert silent[0].recv(1) == b""  # ended for being late
    finally:
        for each in silent:
            each.close()


def test_a_client_that_says_no_more_still_gets_its_answer(secured: Running, papers: Papers) -> None:
    with (
        socket.create_connection(("127.0.0.1", secured.port), timeout=10) as plain,
        papers.trusting().wrap_socket(plain, server_hostname="127.0.0.1") as encrypted,
    ):
        encrypted.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert encrypted.recv(65_536).startswith(b"HTTP/1.1 200")


def test_callers_without_a_certificate_are_not_answered(price_artifact: Path, papers: Papers) -> None:
    with serving(
        price_artifact, certificate=papers.chain, private_key=papers.key, client_authority=papers.root
    ) as running:
        assert ask(running, papers.trusting(caller=True)).status == 200
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.BadStatusLine)):
            ask(running, papers.trusting())


@pytest.mark.parametrize("fault", ["missing", "not of one another", "no certificate"])
def test_files_that_are_of_no_use_are_named_before_anything_starts(
    price_artifact: Path, papers: Papers, tmp_path: Path, fault: str
) -> None:
    chain, key = papers.chain, papers.key
    if fault == "missing":
        chain = tmp_path / "none.pem"
    elif fault == "no certificate":
        chain = tmp_path / "chain.pem"
        chain.write_text("hello")
    else:
        key = tmp_path / "key.pem"
        trustme.CA().issue_cert("localhost").private_key_pem.write_to_path(str(key))
    settings = json.dumps({"port": 0, "certificate": str(chain), "private_key": str(key)})
    ended = subprocess.run(
        [sys.executable, "-c", SERVE, str(price_artifact), settings], capture_output=True, text=True, check=False
    )
    assert ended.returncode != 0
    assert "ServiceError" in ended.stderr
    assert chain.name in ended.stderr


def test_a_key_without_a_certificate_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(WrongUse):
        settings_of(private_key=tmp_path / "key.pem")
