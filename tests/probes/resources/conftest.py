"""A small service to start, and questions to ask it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sekisho.artifact.signature import Feature, Output, Signature
from sekisho.artifact.table import Table
from sekisho.probes.resources.questions import Questions

SCRIPT = """
import json, os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LISTED = sys.argv[3:] == ["listed"]  # features by position alone, and one route alone
LOCKED = sys.argv[3:] == ["locked"]
READY_AT = time.monotonic() + float(sys.argv[2])

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        ready = time.monotonic() >= READY_AT
        if self.path == "/health":
            self.answer(200 if ready else 503, {"status": "healthy"})
        else:
            self.answer(404, {})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        row = body["features"] if "features" in body else {"age": 0}
        if LISTED and self.path != "/predict":
            return self.answer(404, {})
        if LISTED:
            return self.answer(200, {"prediction": row[0] * 3}) if isinstance(row, list) else self.answer(422, {})
        if LOCKED and self.headers.get("X-API-Key") != "first":
            return self.answer(401, {})
        self.answer(200, {"prediction": row["age"] * 2, "key": self.headers.get("X-API-Key"), **SEEN})

    def log_message(self, *args):
        pass

SEEN = {name: os.environ.get(name) for name in ("PORT", "WEB_CONCURRENCY", "SEKISHO_PROBE_KEY")}
print("listening", flush=True)
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def asked() -> Questions:
    """Return three rows of one feature."""
    feature = Feature(name="age", kind="integer", dtype="int64", nullable=False, minimum=18, maximum=90)
    signature = Signature(features=(feature,), output=Output(task="regression"))
    table = Table.of({"age": [20, 30, 40]})
    return Questions(signature=signature, table=table, rows=({"age": 20}, {"age": 30}, {"age": 40}))


@pytest.fixture
def script(tmp_path: Path) -> tuple[str, ...]:
    """Return the command of a service that is ready at once."""
    file = tmp_path / "service.py"
    file.write_text(SCRIPT)
    return (sys.executable, "service.py", "{port}", "0")
