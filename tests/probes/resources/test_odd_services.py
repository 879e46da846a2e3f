"""Services that are not what they should be: each is said in one line, and none is left behind."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from sekisho.contract.sections import Contract
from sekisho.errors import NotMeasured
from sekisho.gate.testing import example_contract
from sekisho.probes.adapters.interface import Answer
from sekisho.probes.adapters.native import Native
from sekisho.probes.resources.instance import Instance
from sekisho.probes.resources.launch import ForeignServer
from sekisho.probes.resources.process import free_port
from sekisho.probes.resources.questions import Questions
from sekisho.probes.resources.service import Service
from sekisho.probes.wire.message import Request

ODD = """
import socket, sys, time
kind, port = sys.argv[1], int(sys.argv[2])
door = socket.create_server(("127.0.0.1", port))
while True:
    caller, _ = door.accept()
    caller.recv(65536)
    if kind == "garbage":
        caller.sendall(b"\\x00\\x01 hello\\r\\n\\r\\n")
    elif kind == "redirect":
        caller.sendall(b"HTTP/1.1 307 T\\r\\nLocation: /x\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
    elif kind == "starting":
        caller.sendall(b"HTTP/1.1 503 S\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
    elif kind == "silent":
        time.sleep(60)
    caller.close()
"""

WHOLE = """
import json, os, ssl, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if "mortal" in sys.argv:
            print("out of memory", flush=True)
            os._exit(9)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"prediction": 7}).encode())

    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *args):
        pass

class Quiet(ThreadingHTTPServer):
    def handle_error(self, *args):
        pass

server = Quiet((sys.argv[2], int(sys.argv[1])), Handler)
if os.path.exists("pair.pem"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("pair.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
"""


@contextmanager
def started(contract: Contract, asked: Questions, folder: Path) -> Iterator[Service]:
    (folder / "odd.py").write_text(ODD)
    (folder / "whole.py").write_text(WHOLE)
    launcher = None if contract.serving.url else ForeignServer(contract)
    service = Service(
        contract, asked, adapter=Native(("age",)), launcher=launcher, root=folder, state=folder / ".sekisho"
    )
    try:
        yield service
    finally:
        service.close()


def commanded(*words: str, seconds: float = 20) -> Contract:
    return example_contract(serving={"command": (sys.executable, *words), "start_seconds": seconds})


def ended(instance: Instance) -> bool:
    return instance.child is not None and instance.child.exit_code is not None


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("garbage", "does not speak HTTP/1.1"),
        ("redirect", "it says 307"),
        ("starting", "it says 503"),
        ("silent", "it does not answer"),
    ],
)
def test_what_answers_there_is_named(asked: Questions, tmp_path: Path, kind: str, said: str) -> None:
    contract = commanded("odd.py", kind, "{port}", seconds=0.8)
    with started(contract, asked, tmp_path) as service, pytest.raises(NotMeasured) as raised:
        service.predict(asked.rows)
    assert said in raised.value.what.en
    assert "\n" not in str(raised.value)


def test_one_that_listens_elsewhere_is_told_where(asked: Questions, tmp_path: Path) -> None:
    port = free_port()
    contract = commanded("whole.py", str(port), "127.0.0.1", seconds=1.5)
    with started(contract, asked, tmp_path) as service, pytest.raises(NotMeasured) as raised:
        service.predict(asked.rows)
    assert f"it listens on port {port}, not on the one that it is given" in raised.value.what.en


def test_one_that_ends_is_started_again_for_the_next_and_not_for_ever(asked: Questions, tmp_path: Path) -> None:
    with started(commanded("whole.py", "{port}", "127.0.0.1"), asked, tmp_path) as service:
        first = service.main
        assert first.child is not None
        first.child.end()
        with pytest.raises(NotMeasured) as raised:
            first.must_live()
        assert "the service ended while it was asked" in raised.value.what.en
        assert service.main is not first
        assert [type(answer) for answer in service.predict(asked.rows)] == [Answer] * 3
        service.close()
        assert ended(service.main)


def test_one_that_dies_of_a_request_is_said_to_have(asked: Questions, tmp_path: Path) -> None:
    contract = commanded("whole.py", "{port}", "127.0.0.1", "mortal")
    with started(contract, asked, tmp_path) as service:
        instance = service.main
        replies = instance.ask([Request(target="/health")])
        with pytest.raises(NotMeasured) as raised:
            instance.must_live(replies)
    assert "exit code 9): out of memory" in raised.value.what.en


def test_a_command_that_speaks_tls_is_spoken_to_over_tls(asked: Questions, tmp_path: Path) -> None:
    leaf = trustme.CA().issue_cert("model.example.com")
    pair = leaf.private_key_pem.bytes() + b"".join(each.bytes() for each in leaf.cert_chain_pems)
    (tmp_path / "pair.pem").write_bytes(pair)
    with started(commanded("whole.py", "{port}", "127.0.0.1"), asked, tmp_path) as service:
        assert service.main.url.startswith("https://")
        assert [type(answer) for answer in service.predict(asked.rows)] == [Answer] * 3


def test_an_address_over_tls_is_trusted_by_the_authority_of_the_contract(asked: Questions, tmp_path: Path) -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    pair = leaf.private_key_pem.bytes() + b"".join(each.bytes() for each in leaf.cert_chain_pems)
    (tmp_path / "pair.pem").write_bytes(pair)
    (tmp_path / "authority.pem").write_bytes(authority.cert_pem.bytes())
    with started(commanded("whole.py", "{port}", "127.0.0.1"), asked, tmp_path) as running:
        there = {"url": running.main.url, "start_seconds": 2}
        trusted = example_contract(serving=there, security={"certificate_authority": "authority.pem"})
        with started(trusted, asked, tmp_path) as service:
            assert len(service.predict(asked.rows)) == 3
        with (
            started(example_contract(serving={**there, "start_seconds": 0.5}), asked, tmp_path) as stranger,
            pytest.raises(NotMeasured) as raised,
        ):
            stranger.predict(asked.rows)
        assert "or TLS fails" in raised.value.what.en


@pytest.mark.parametrize(("host", "is_open"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_a_door_that_is_open_to_the_network_is_seen(asked: Questions, tmp_path: Path, host: str, is_open: bool) -> None:
    with started(commanded("whole.py", "{port}", host), asked, tmp_path) as service:
        child = service.main.child
        assert child is not None
        port = int(service.main.url.rpartition(":")[2])
        assert child.doors == ((port, is_open),)
        assert child.listening == (port,)
