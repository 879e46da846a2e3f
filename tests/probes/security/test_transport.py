"""TLS servers of every sort, really spoken to; and ports that are open to the network."""

from __future__ import annotations

import datetime as dt
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme

from sekisho.contract.project import Project
from sekisho.contract.sections import Contract
from sekisho.contract.template import render_contract
from sekisho.gate.report import Item
from sekisho.gate.runner import run_gate
from sekisho.gate.verdict import Status
from sekisho.probes.security.transport import _in_the_clear, clear_links

BOX = "security/encryption"


class Handler(BaseHTTPRequestHandler):
    hsts = True
    leads_to: str | None = None

    def do_GET(self) -> None:
        self.send_response(200 if self.leads_to is None else 308)
        if self.leads_to is not None:
            self.send_header("Location", self.leads_to)
        if self.hsts:
            self.send_header("Strict-Transport-Security", "max-age=1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def server(certificate: trustme.LeafCert | None, *, oldest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> Iterator[str]:
    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.daemon_threads = True
    served.handle_error = lambda *_: None  # type: ignore[method-assign] # handshakes that fail are the point
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = oldest
        if oldest < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("ALL:@SECLEVEL=0")
        served.socket = context.wrap_socket(served.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    try:
        yield f"{'http' if certificate is None else 'https'}://127.0.0.1:{served.server_port}"
    finally:
        served.shutdown()
        served.server_close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def judge(root: Path, authority: trustme.CA | None = None, **sections: dict[str, Any]) -> Item:
    security = {"at_rest": "encrypted volumes"} | sections.pop("security", {})
    if authority is not None:
        authority.cert_pem.write_to_path(str(root / "authority.pem"))
        security["certificate_authority"] = "authority.pem"
    values: dict[str, Any] = {"model": {"name": "example"}, "security": security, **sections}
    (root / "sekisho.toml").write_text(render_contract(values, "en"), encoding="utf-8")
    (item,) = run_gate(Project(root=root, contract=msgspec.convert(values, Contract)), ids=[BOX]).items
    return item


def test_a_sound_server_passes(tmp_path: Path, authority: trustme.CA) -> None:
    with server(authority.issue_cert("127.0.0.1")) as url:
        item = judge(tmp_path, authority, security={"public_url": url})
    assert item.status is Status.PASS, item.verdict.summary.en
    assert item.verdict.figures["versions"] == "TLS 1.2, TLS 1.3"
    assert item.verdict.figures["hsts"] is True


def test_f53b_old_versions(tmp_path: Path, authority: trustme.CA) -> None:
    with server(authority.issue_cert("127.0.0.1"), oldest=ssl.TLSVersion.TLSv1) as url:
        item = judge(tmp_path, authority, security={"public_url": url})
    assert item.status is Status.FAIL
    assert "TLS 1.0" in item.verdict.summary.en


def test_f53b_nobody_known_signed_it(tmp_path: Path, authority: trustme.CA) -> None:
    with server(authority.issue_cert("127.0.0.1")) as url:
        item = judge(tmp_path, security={"public_url": url})
    assert item.status is Status.FAIL
    assert "not trusted" in item.verdict.summary.en


def test_f53b_a_certificate_that_has_ended_or_soon_will(tmp_path: Path, authority: trustme.CA) -> None:
    now = dt.datetime.now(dt.UTC)
    for days, phrase in ((-1, "expired"), (10, "days")):
        leaf = authority.issue_cert(
            "127.0.0.1", not_before=now - dt.timedelta(days=90), not_after=now + dt.timedelta(days=days)
        )
        with server(leaf) as url:
            item = judge(tmp_path, authority, security={"public_url": url})
        assert item.status is Status.FAIL
        assert phrase in item.verdict.summary.en


def test_a_certificate_for_another_name(tmp_path: Path, authority: trustme.CA) -> None:
    with server(authority.issue_cert("model.example.com")) as url:
        item = judge(tmp_path, authority, security={"public_url": url})
    assert item.status is Status.FAIL


def test_an_address_that_says_tls_and_does_not_speak_it(tmp_path: Path) -> None:
    with server(None) as url:
        item = judge(tmp_path, security={"public_url": url.replace("http://", "https://")})
    assert item.status is Status.FAIL
    assert "does not speak TLS" in item.verdict.summary.en


def test_an_address_where_nobody_listens_proves_nothing(tmp_path: Path) -> None:
    assert judge(tmp_path, security={"public_url": "https://127.0.0.1:9"}).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("ports", "status"),
    [
        ('["8000:8000"]', Status.FAIL),
        ('["0.0.0.0:80:8000"]', Status.FAIL),
        ("[{target: 8000, published: 80}]", Status.FAIL),
        ('["127.0.0.1:8000:8000"]', Status.UNKNOWN),
        ("[{target: 8000, published: 80, host_ip: 127.0.0.1}]", Status.UNKNOWN),
        ("[]", Status.UNKNOWN),
    ],
)
def test_f53a_plain_http_on_a_public_address(tmp_path: Path, ports: str, status: Status) -> None:
    (tmp_path / "compose.yaml").write_text(f"services: {{api: {{build: ., ports: {ports}}}}}")
    assert judge(tmp_path).status is status


def test_f53a_a_public_host_without_certificate(tmp_path: Path) -> None:
    assert judge(tmp_path, serving={"host": "0.0.0.0"}).status is Status.FAIL
    assert judge(tmp_path, serving={"url": "http://192.0.2.7:8000"}).status is Status.FAIL


def test_f53a_twin_a_declared_proxy_that_speaks_tls(tmp_path: Path, authority: trustme.CA) -> None:
    (tmp_path / "compose.yaml").write_text('services: {api: {build: ., ports: ["8000:8000"]}}')
    with server(authority.issue_cert("127.0.0.1")) as url:
        item = judge(tmp_path, authority, security={"public_url": url, "tls": "proxy"})
    assert item.status is Status.PASS, item.verdict.summary.en
    assert judge(tmp_path, security={"tls": "proxy"}).status is Status.UNKNOWN


def test_plain_http_beside_tls_is_seen_and_a_way_to_tls_is_none(authority: trustme.CA) -> None:
    with server(None) as plain, server(authority.issue_cert("127.0.0.1")) as secret:
        ports = [int(url.rpartition(":")[2]) for url in (plain, secret)]
        assert list(_in_the_clear("127.0.0.1", ports)) == [plain]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Handler, "leads_to", "https://model.example.com/")
            assert list(_in_the_clear("127.0.0.1", ports)) == []


@pytest.mark.parametrize(
    ("value", "clear"),
    [
        ("postgresql://book.example.com/p", True),
        ("postgresql+psycopg://user@book.example.com:5432/p?sslmode=disable", True),
        ("postgresql://book.example.com/p?sslmode=verify-full", False),
        ("redis://cache.example.com:6379/0", True),
        ("rediss://cache.example.com:6379/0", False),
        ("redis://localhost:6379", False),
        ("redis://cache:6379", False),
        ("https://store.example.com", False),
        ("plain words", False),
    ],
)
def test_a_store_elsewhere_without_tls_is_seen(tmp_path: Path, value: str, clear: bool) -> None:
    document = {"services": {"api": {"build": ".", "environment": [f"STORE={value}"]}, "cache": {"image": "redis"}}}
    (tmp_path / "compose.yaml").write_bytes(msgspec.json.encode(document))
    project = Project(root=tmp_path, contract=msgspec.convert({"model": {"name": "example"}}, Contract))
    assert list(clear_links(project)) == (["compose.yaml, api STORE"] if clear else [])
