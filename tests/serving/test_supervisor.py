"""The life of a service: it starts in one line or not at all, loses nothing when it ends, and brings back what died."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sekisho
from sekisho.errors import LedgerError, SekishoError, ServiceError, WrongUse
from sekisho.serving.guards.keys import new_key

from .conftest import HERE, Running, children, is_alive, serving, start, until

ROW = json.dumps({"features": [5.0, 3.0, 1.5, 0.2]}).encode()
HEADERS = {"content-type": "application/json"}


class Load:
    """Clients that ask one request after the other on connections that stay open."""

    def __init__(self, service: Running, clients: int = 8) -> None:
        self.outcomes: Counter[str] = Counter()
        self.sent_before: list[str] = []
        self.told = threading.Event()
        self._stop = threading.Event()
        self._service = service
        self._threads = [threading.Thread(target=self._work) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self._stop.is_set():
            early = not self.told.is_set()
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self._service.port, timeout=10)
            try:
                connection.request("POST", "/predict", ROW, HEADERS)
                reply = connection.getresponse()
                reply.read()
                outcome = str(reply.status)
                if reply.will_close:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                outcome = type(error).__name__
                if connection is not None:
                    connection.close()
                connection = None
            self.outcomes[outcome] += 1
            if early and outcome != "200":
                self.sent_before.append(outcome)
            if outcome == "ConnectionRefusedError":
                time.sleep(0.05)
        if connection is not None:
            connection.close()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def two_workers(iris_artifact: Path) -> Iterator[Running]:
    with serving(iris_artifact, workers=2) as running:
        yield running


def test_sigterm_under_load_loses_nothing(two_workers: Running) -> None:
    load = Load(two_workers)
    until(lambda: load.outcomes["200"] > 200)
    load.told.set()
    workers = two_workers.workers()
    assert two_workers.end(signal.SIGTERM) == 0
    load.stop()
    assert load.sent_before == []
    gone = {"BrokenPipeError", "ConnectionRefusedError", "ConnectionResetError", "RemoteDisconnected"}
    assert set(load.outcomes) <= {"200"} | gone
    assert not any(map(is_alive, workers))


def test_a_killed_worker_comes_back_and_metrics_stay_exact(two_workers: Running) -> None:
    for _ in range(50):
        assert two_workers.ask("/predict", ROW).status == 200
    assert two_workers.metric("ml_predictions_total", status="success") == 50
    load = Load(two_workers, clients=4)
    until(lambda: load.outcomes["200"] > 50)
    victim, *_ = two_workers.workers()
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(set(two_workers.workers()) - {victim}) == 2, 10)
    until(lambda: two_workers.metric("ml_worker_ready") == 2, 20)
    load.stop()
    failed = sum(count for outcome, count in load.outcomes.items() if outcome != "200")
    assert failed <= 4
    answered = two_workers.metric("ml_predictions_total", status="success")
    # What the dead worker had counted is not lost; what it answered last may not have reached the client.
    assert 0 <= answered - 50 - load.outcomes["200"] <= failed
    assert any("process died" in line for line in two_workers.lines)


def test_nobody_outlives_a_killed_supervisor(iris_artifact: Path) -> None:
    running = start(iris_artifact, workers=2)
    workers = running.workers()
    assert len(workers) == 2
    running.end(signal.SIGKILL)
    until(lambda: not any(map(is_alive, workers)), 5)
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", running.port))


def test_what_a_killed_service_left_is_removed_by_the_next(iris_artifact: Path) -> None:
    def folders() -> set[Path]:
        return {path for base in ("/dev/shm", tempfile.gettempdir()) for path in Path(base).glob("sekisho-run-*")}

    first = start(iris_artifact)
    left = folders()
    first.end(signal.SIGKILL)
    with serving(iris_artifact) as second:
        # Those of other services that live are left alone.
        assert second.predict([5.0, 3.0, 1.5, 0.2]).status == 200
        gone = left - folders()
        assert len(gone) >= 1
    assert second.process.returncode == 0


def test_companions_run_beside_it_and_end_with_it(iris_artifact: Path, tmp_path: Path) -> None:
    note = tmp_path / "note"
    code = (
        "import os, sys, time, pathlib\n"
        f"pathlib.Path({str(note)!r}).write_text(f'{{os.getpid()}} {{os.environ[\"PROMETHEUS_MULTIPROC_DIR\"]}}')\n"
        "from prometheus_client import Gauge\n"
        "Gauge('ml_drift_effect', 'x', ['feature'], multiprocess_mode='mostrecent').labels('age').set(0.25)\n"
        "time.sleep(600)\n"
    )
    with serving(iris_artifact, companions=[[sys.executable, "-c", code]]) as running:
        words = until(lambda: note.exists() and note.read_text().split())
        process, folder = int(words[0]), Path(words[1])
        assert folder.is_dir()
        assert until(lambda: running.metric("ml_drift_effect", feature="age")) == 0.25
        note.unlink()
        os.kill(process, signal.SIGKILL)
        second = int(until(lambda: note.exists() and note.read_text().split())[0])
        assert second != process
        assert is_alive(second)
    assert not is_alive(second)
    assert not folder.exists()


def run_to_its_end(
    artifact: Path, *, timeout: float = 60, environment: dict[str, str] | None = None, **settings: Any
) -> tuple[int, str]:
    code = (
        "import json, sys, sekisho\n"
        "from sekisho.errors import SekishoError\n"
        "try:\n"
        "    sekisho.serve(sys.argv[1], **json.loads(sys.argv[2]))\n"
        "except SekishoError as error:\n"
        "    print(error)\n"
        "    sys.exit(error.exit_code)\n"
    )
    given = {name: str(value) if isinstance(value, Path) else value for name, value in settings.items()}
    ended = subprocess.run(
        [sys.executable, "-c", code, str(artifact), json.dumps({"port": 0, **given})],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": str(HERE), "SEKISHO_LANG": "en", **(environment or {})},
        check=False,
    )
    assert "Traceback" not in ended.stderr + ended.stdout
    lines = [line for line in ended.stdout.splitlines() if not line.startswith('{"time"')]
    assert len(lines) == 1, ended.stdout + ended.stderr
    return ended.returncode, lines[0]


def test_an_occupied_port_is_one_line(iris_artifact: Path, open_service: Running) -> None:
    code, line = run_to_its_end(iris_artifact, port=open_service.port)
    assert code == 3
    assert line == f"127.0.0.1:{open_service.port}: the port is in use → choose another port, or 0 for a free one"


def test_what_is_asked_wrongly_is_refused_before_anything_starts(iris_artifact: Path, tmp_path: Path) -> None:
    def refused(kind: type[SekishoError], artifact: Path = iris_artifact, **settings: Any) -> str:
        with pytest.raises(kind) as raised:
            sekisho.serve(artifact, port=0, **settings)
        assert "\n" not in str(raised.value)
        return str(raised.value)

    _, line = new_key("a")
    contents = {
        "empty": "",
        "garbage": "changeme\n",
        "weak": "a:predict:" + hashlib.sha256(b"changeme").hexdigest(),
        "short": "a:predict:" + hashlib.sha256(b"1234").hexdigest(),
        "none": "a:predict:" + hashlib.sha256(b"").hexdigest(),
        "twice": f"{line}\n{line}\n",
        "scope": "a:all:" + "0" * 64,
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
        refused(WrongUse, key_file=tmp_path / name)
    refused(WrongUse, key_file=tmp_path / "missing")
    refused(WrongUse, key_file=tmp_path)
    assert "--key-file" in refused(WrongUse, host="0.0.0.0")
    assert "--key-file" in refused(WrongUse, host="::")
    refused(WrongUse, workers=0)
    refused(WrongUse, deadline_ms=-1)
    refused(WrongUse, grace_seconds=float("inf"))
    assert "workers" in refused(WrongUse, wrokers=2)
    refused(WrongUse, tmp_path / "nothing")
    refused(ServiceError, host="host.invalid", open=True)
    (tmp_path / "ledger").write_text("no database " * 100)
    refused(LedgerError, ledger=tmp_path / "ledger")


def test_an_artifact_that_cannot_be_trusted_is_one_line(
    iris_artifact: Path, troubled_artifact: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(iris_artifact, changed)
    model = bytearray((changed / "model.onnx").read_bytes())
    model[len(model) // 2] ^= 1
    (changed / "model.onnx").write_bytes(model)
    assert run_to_its_end(changed)[0] == 3
    code, line = run_to_its_end(troubled_artifact)  # holds a type that nobody has said to trust
    assert code == 3
    assert "troubled" in line


def test_ctrl_c_ends_in_order(iris_artifact: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "sekisho", "serve", str(iris_artifact), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert process.stdout is not None
    assert '"event":"ready"' in process.stdout.readline()
    workers = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in out + err
    assert not any(map(is_alive, workers))


def test_told_to_end_while_it_starts(iris_artifact: Path) -> None:
    running = start(iris_artifact, wait=False)
    workers = until(lambda: children(running.process.pid), 20)
    assert running.end(signal.SIGTERM) == 0
    until(lambda: not any(map(is_alive, workers)), 10)


def test_while_the_model_loads_it_is_alive_and_not_ready_and_nothing_is_lost(
    troubled_artifact: Path, tmp_path: Path
) -> None:
    # A model that takes its time: its module sleeps when it is imported.
    slow = tmp_path / "troubled.py"
    slow.write_text((HERE / "troubled.py").read_text() + "\ntime.sleep(1.5)\n")
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = start(
        troubled_artifact,
        wait=False,
        port=port,
        trusted_types=["troubled.Troubled"],
        deadline_ms=60_000,
        environment={"PYTHONPATH": str(tmp_path)},
    )
    running.url = f"http://127.0.0.1:{port}"
    try:

        def alive() -> bool:
            with contextlib.suppress(OSError):
                return running.ask("/health/live").status == 200
            return False

        until(alive, 30)
        answer = running.ask("/health/ready")
        assert (answer.status, answer.json()["status"]) == (503, "starting")
        assert running.ask("/ping").status == 503
        assert running.predict([1.0, 2.0], timeout=60).status == 200  # kept until the model was there
        assert running.ask("/health/ready").status == 200
    finally:
        running.end()


def test_serve_takes_its_settings_from_the_contract(iris_artifact: Path, tmp_path: Path) -> None:
    secret, line = new_key("me", ("predict", "metrics"))
    (tmp_path / "keys").write_text(line)
    (tmp_path / "keys").chmod(0o600)
    shutil.copytree(iris_artifact, tmp_path / "artifact")
    (tmp_path / "sekisho.toml").write_text(
        'format = 1\n[model]\nname = "iris"\n'
        '[serving]\nmaximum_rows = 3\n[security]\nkey_file = "keys"\nrate_limit = 1000.0\n'
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "sekisho", "serve", "-C", str(tmp_path), "--port", "0", "--no-watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        running = Running(url=json.loads(process.stdout.readline())["url"], process=process)
        assert running.ask("/predict", ROW).code == "key_missing"
        assert running.ask("/predict", ROW, key=secret).status == 200
        assert running.ask("/predict/batch", [json.loads(ROW)] * 4, key=secret).code == "too_many_rows"
        assert (tmp_path / ".sekisho" / "predictions.sqlite").exists()
    finally:
        process.terminate()
        assert process.wait(30) == 0
        process.stdout.close()
