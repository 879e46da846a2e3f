"""The real process beside a service: real book, real files of prometheus_client, real signals."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.parser import text_string_to_metric_families

from sekisho.artifact.artifact import ModelArtifact
from sekisho.watch import live

SECONDS = 30.0


class Watching:
    """A watcher that runs as a child of this process."""

    def __init__(self, command: list[str], folder: Path, log: Path) -> None:
        self.folder = folder
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, stderr=output, env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
            )

    def gauges(self) -> dict[tuple[str, str], float]:
        """What any worker's /metrics would show, by name and feature."""
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self.folder))  # type: ignore[no-untyped-call]
        return {
            (sample.name, sample.labels.get("feature", "")): sample.value
            for family in text_string_to_metric_families(generate_latest(registry).decode())
            for sample in family.samples
        }

    def until(self, holds: Callable[[dict[tuple[str, str], float]], bool]) -> dict[tuple[str, str], float]:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            gauges = self.gauges()
            if gauges and holds(gauges):
                return gauges
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(f"not in {SECONDS} s: {self.gauges()} {self.log.read_text()}")

    def said(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    folder = tmp_path / "metrics"
    folder.mkdir()
    return folder


@pytest.fixture
def command(artifact: ModelArtifact, book: Path) -> list[str]:
    options = ["--ledger", str(book), "--artifact", str(artifact.folder), "--interval", "0.2"]
    return [sys.executable, "-m", "sekisho.watch.live", *options]


@pytest.fixture
def watching(command: list[str], metrics: Path, tmp_path: Path) -> Iterator[Watching]:
    running = Watching(command, metrics, tmp_path / "log")
    yield running
    if running.process.poll() is None:
        running.process.kill()
    running.process.wait(SECONDS)


def test_drift_comes_and_goes_in_the_gauges(watching: Watching, append: Any, make_customers: Any) -> None:
    before = watching.until(lambda gauges: ("ml_drift_columns_drifted", "") in gauges)
    assert before["ml_drift_window_rows", ""] == 0
    assert before["ml_drift_detected", "age"] == 0, "every gauge is there before the first row"

    append(make_customers(1_000, seed=1))
    clean = watching.until(lambda gauges: gauges["ml_drift_window_rows", ""] == 1_000)
    assert clean["ml_drift_columns_drifted", ""] == 0
    assert 0 < clean["ml_drift_effect", "age"] < 0.1

    append(make_customers(1_000, seed=2, older=8), start=200)
    drifted = watching.until(lambda gauges: gauges["ml_drift_detected", "age"] == 1)
    assert drifted["ml_drift_effect", "age"] > 0.2
    assert drifted["ml_drift_detected", "plan"] == 0
    assert drifted["ml_drift_columns_drifted", ""] == 1
    assert abs(drifted["ml_drift_last_evaluated_timestamp_seconds", ""] - time.time()) < 60

    append(make_customers(1_000, seed=3), start=400)
    watching.until(lambda gauges: gauges["ml_drift_columns_drifted", ""] == 0)

    watching.process.send_signal(signal.SIGTERM)
    assert watching.process.wait(SECONDS) == 0
    assert [line["event"] for line in watching.said()] == ["drift", "no drift any more"]
    assert list(watching.said()[0]["features"]) == ["age"]


def test_what_is_personal_is_no_label(watching: Watching, append: Any, make_customers: Any) -> None:
    append(make_customers(100, seed=4))
    gauges = watching.until(lambda gauges: gauges["ml_drift_window_rows", ""] == 100)
    features = {feature for name, feature in gauges if name == "ml_drift_effect"}
    assert features == {"age", "visits", "member", "plan"}


def test_a_later_watcher_replaces_what_an_earlier_one_said(
    watching: Watching, command: list[str], append: Any, make_customers: Any, tmp_path: Path
) -> None:
    append(make_customers(1_000, seed=5, older=8))
    watching.until(lambda gauges: gauges["ml_drift_detected", "age"] == 1)
    watching.process.kill()
    watching.process.wait(SECONDS)
    append(make_customers(1_000, seed=6), start=200)
    second = Watching(command, watching.folder, tmp_path / "log2")
    try:
        second.until(lambda gauges: gauges["ml_drift_detected", "age"] == 0)
    finally:
        second.process.terminate()
        assert second.process.wait(SECONDS) == 0


def test_a_locked_or_broken_book_is_said_once_and_survived(
    watching: Watching, book: Path, append: Any, make_customers: Any
) -> None:
    watching.until(lambda gauges: ("ml_drift_columns_drifted", "") in gauges)
    book.write_bytes(b"no database at all " * 100)
    deadline = time.monotonic() + SECONDS
    while not watching.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    assert [line["event"] for line in watching.said()] == ["predictions cannot be read"]
    book.unlink()
    append(make_customers(300, seed=7))
    with sqlite3.connect(book, isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        watching.until(lambda gauges: gauges["ml_drift_window_rows", ""] == 300)
        writer.execute("ROLLBACK")
    writer.close()
    assert watching.process.poll() is None


def test_it_ends_with_the_process_that_started_it(command: list[str], metrics: Path, tmp_path: Path) -> None:
    """A parent that is killed has no time to say goodbye."""
    starts = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen(sys.argv[1:])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", starts, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(metrics)},
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        deadline = time.monotonic() + SECONDS
        while not any(metrics.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)
        parent.kill()
    deadline = time.monotonic() + SECONDS
    while _lives(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _lives(child)


def _lives(pid: int) -> bool:
    """Whether a process is there and is no zombie that nobody has buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("options", "code"),
    [([], 2), (["--ledger", "x"], 2), (["--interval", "soon", "--ledger", "x", "--artifact", "y"], 2)],
)
def test_wrong_options(options: list[str], code: int) -> None:
    with pytest.raises(SystemExit) as ended:
        live.main(options)
    assert ended.value.code == code


def test_without_an_artifact_or_a_folder_for_gauges_it_says_so(
    artifact: ModelArtifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    ledger = str(tmp_path / "book")
    assert live.main(["--ledger", ledger, "--artifact", str(tmp_path / "nothing")]) == 2
    assert live.main(["--ledger", ledger, "--artifact", str(artifact.folder)]) == 2
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["drift cannot be watched"] * 2
    assert "PROMETHEUS_MULTIPROC_DIR" in lines[1]["error"]
