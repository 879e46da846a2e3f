"""``sekisho load`` against a small server of this test."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sekisho.cli.main import run

SLOW = 0.15


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, bytes, str | None]]
    times: list[float]

    def do_GET(self) -> None:
        self._answer(503 if self.path.startswith("/broken") else 200)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, body, self.headers.get("X-Key")))
        self._answer(200)

    def _answer(self, status: int) -> None:
        self.times.append(time.monotonic())
        if self.path == "/slow":
            time.sleep(SLOW)
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    Handler.seen, Handler.times = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


QUICK = ["--rate", "100", "--seconds", "0.5", "--warm-up", "0.1"]


def code_of(arguments: list[str]) -> int:
    try:
        return run(["load", *arguments])
    except SystemExit as end:
        return int(str(end.code))


def test_percentiles_with_intervals(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of([f"{address}/x?y=1", *QUICK, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["sent"] == 50
    assert found["unexpected"] == {}
    assert found["percentiles"]["p50"]["low"] <= found["percentiles"]["p50"]["point"]
    assert sum(found["counts"]) == 50
    assert "p99" not in found["percentiles"]  # 50 requests cannot bound it


def test_lines_are_sent_in_turn_with_headers(address: str, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"a": 1}\n\n{"a": 2}\n')
    assert code_of([f"{address}/predict", *QUICK, "--body", str(rows), "--header", "X-Key: k"]) == 0
    assert {body for _, body, _ in Handler.seen} == {b'{"a": 1}', b'{"a": 2}'}
    assert {key for _, _, key in Handler.seen} == {"k"}


def test_failures_are_not_fast_answers(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of([f"{address}/broken", *QUICK]) == 1
    assert "503" in capsys.readouterr().out


def test_a_limit_that_is_not_surely_met(address: str) -> None:
    slow = [f"{address}/slow", "--rate", "400", "--seconds", "1", "--warm-up", "0"]
    assert code_of([*slow, "--p99", str(SLOW * 500)]) == 1


def test_a_result_is_kept_and_shown_beside_the_next(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "load.json"
    assert code_of([address, *QUICK, "--save", str(kept)]) == 0
    assert json.loads(kept.read_text())["machine"]["cores"]
    capsys.readouterr()
    assert code_of([address, *QUICK, "--against", str(kept), "--lang", "en"]) == 0
    assert "Before" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["127.0.0.1:8000"], 2),
        (["ftp://127.0.0.1/x"], 2),
        (["http://127.0.0.1:9/x", "--rate", "0"], 2),
        (["http://127.0.0.1:9/x", "--rate", "nan"], 2),
        (["http://127.0.0.1:9/x", "--header", "no colon"], 2),
        (["http://127.0.0.1:9/x", "--to", "100"], 2),
        (["http://127.0.0.1:9/x", "--to", "10", "--p99", "5"], 2),
        (["http://127.0.0.1:9/x", "--rate", "5", "--to", "10", "--p99", "5", "--seconds", "0.2"], 3),
        (["http://127.0.0.1:9/x", "--body", "missing.json"], 2),
        (["http://127.0.0.1:9/x", "--against", "missing.json"], 3),
        (["http://127.0.0.1:9/x", "--seconds", "0.2"], 3),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(arguments) == code
    errors = capsys.readouterr().err.strip().splitlines()
    assert len([line for line in errors if "→" in line]) <= 1
    assert "Traceback" not in "\n".join(errors)


def test_a_rate_that_rises_until_answers_are_late(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    rising = ["--rate", "20", "--to", "40", "--seconds", "0.5", "--p99"]
    assert code_of([f"{address}/x", *rising, "2000", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["sustained"], found["bound"]) == (40, "end")
    assert [step["sent"] for step in found["steps"]] == [10, 20]
    assert code_of([f"{address}/slow", *rising, str(SLOW * 500)]) == 1


@pytest.mark.parametrize("more", [[], ["--to", "4000", "--p99", "1000"]])
def test_ctrl_c_shows_what_was_measured_so_far(address: str, more: list[str]) -> None:
    command = [sys.executable, "-m", "sekisho", "load", f"{address}/x", "--rate", "50", "--seconds", "40", *more]
    running = subprocess.Popen([*command, "--warm-up", "0", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 20
    while len(Handler.times) < 20 and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    out, errors = running.communicate(timeout=20)
    assert running.returncode == 130, errors
    found = json.loads(out)
    assert found["bound"] == "stopped" if more else 20 <= found["sent"] < 2_000
    assert b"Traceback" not in errors
