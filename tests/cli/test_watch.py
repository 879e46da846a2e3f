"""``sekisho watch``: once and as JSON, line by line, on a terminal, and ended by Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import sekisho
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.table import Table
from sekisho.ledger.predictions import PredictionBook, PredictionRecord

SECONDS = 30.0


def rows(count: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame({"x": random.normal(shift, 1, count), "y": random.normal(size=count)})


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> ModelArtifact:
    table = rows(2_000, 0)
    model = LogisticRegression().fit(table, table["x"] > 0)
    folder = tmp_path_factory.mktemp("watch") / "artifact"
    return sekisho.pack(model, table, table["x"] > 0, folder=folder, name="signs", lock=False)


def write(book: Path, artifact: ModelArtifact, table: pd.DataFrame) -> None:
    records = [
        PredictionRecord(
            request_id=str(index),
            row=0,
            at=f"2026-11-24T10:00:{index % 60:02}Z",
            model=artifact.digest,
            version="1.0.0",
            features=features,
            prediction=True,
            probability=0.5,
            flags=("out_of_range:x",) if index == 0 else (),
            latency_ms=2.0,
        )
        for index, features in enumerate(Table.of(table).records())
    ]
    with PredictionBook(book) as opened:
        opened.append(records)


def command(book: Path, artifact: ModelArtifact, *options: str) -> list[str]:
    places = ["--ledger", str(book), "--artifact", str(artifact.folder)]
    return [sys.executable, "-m", "sekisho", "--lang", "en", "watch", *places, *options]


def once(book: Path, artifact: ModelArtifact, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(book, artifact, "--once", *options), capture_output=True, text=True, timeout=SECONDS, check=False
    )


def test_once(artifact: ModelArtifact, tmp_path: Path) -> None:
    book = tmp_path / "book"
    write(book, artifact, rows(600, 1))
    quiet = once(book, artifact)
    assert quiet.returncode == 0
    assert "last 600 rows" in quiet.stdout
    assert "No drift in 2 columns" in quiet.stdout
    write(book, artifact, rows(1_000, 2, shift=1.0))
    loud = once(book, artifact, "--json")
    assert loud.returncode == 1
    found: dict[str, Any] = json.loads(loud.stdout)
    assert found["traffic"]["rows"] == 1_000
    assert found["traffic"]["flags"] == [["out_of_range", 1]]
    assert [column["name"] for column in found["drift"]["columns"] if column["drift_detected"]] == ["x"]


def test_without_a_book(artifact: ModelArtifact, tmp_path: Path) -> None:
    found = once(tmp_path / "nothing", artifact)
    assert found.returncode == 2
    assert len(found.stderr.splitlines()) == 1
    assert "there is no book of predictions → start the service" in found.stderr
    assert not (tmp_path / "nothing").exists()


def test_line_by_line_until_ctrl_c(artifact: ModelArtifact, tmp_path: Path) -> None:
    book = tmp_path / "book"
    write(book, artifact, rows(100, 3))
    with subprocess.Popen(
        command(book, artifact, "--interval", "0.1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        first = running.stdout.readline()
        write(book, artifact, rows(1_000, 4, shift=1.0))
        deadline = time.monotonic() + SECONDS
        seen = ""
        while "Drift in 1 of 2 columns: x " not in seen and time.monotonic() < deadline:
            seen = running.stdout.readline()
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=SECONDS)
    assert "No drift" in first
    assert "Drift in 1 of 2 columns: x " in seen
    assert running.returncode == 130
    assert "Traceback" not in err


def test_on_a_terminal_it_is_a_screen(artifact: ModelArtifact, tmp_path: Path) -> None:
    book = tmp_path / "book"
    write(book, artifact, rows(1_000, 5, shift=1.0))
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    with subprocess.Popen(
        command(book, artifact, "--interval", "0.1"), stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as running:
        os.close(theirs)
        seen = _read_until(ours, "Drift in 1 of 2 columns")
        running.send_signal(signal.SIGINT)
        seen += _read_until(ours, None)
        running.wait(SECONDS)
    os.close(ours)
    assert running.returncode == 130
    assert "signs 1.0.0" in seen
    assert "█" in seen
    assert "Traceback" not in seen
    assert seen.rindex("\x1b[?1049l") > seen.index("\x1b[?1049h"), "the terminal is given back"


def _read_until(descriptor: int, words: str | None) -> str:
    """Read what a terminal shows until ``words`` are there, or to the end."""
    seen = b""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and (words is None or words.encode() not in seen):
        if not select.select([descriptor], [], [], 0.1)[0]:
            continue
        try:
            chunk = os.read(descriptor, 65_536)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk
    return seen.decode("utf-8", "replace")


def drift(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sekisho", "--lang", "en", "drift", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


def test_an_artifact_is_a_reference_for_sekisho_drift(artifact: ModelArtifact, tmp_path: Path) -> None:
    rows(800, 6).to_csv(tmp_path / "same.csv", index=False)
    rows(800, 7, shift=1.0).to_csv(tmp_path / "other.csv", index=False)
    assert drift(artifact.folder, tmp_path / "same.csv").returncode == 0
    found = drift(artifact.folder, tmp_path / "other.csv")
    assert found.returncode == 1
    assert found.stdout.splitlines()[1].startswith("x\tdrift\t")


def test_an_artifact_without_a_reference_says_so(tmp_path: Path) -> None:
    table = rows(200, 8)
    table.to_csv(tmp_path / "now.csv", index=False)
    bare = ModelArtifact(LogisticRegression().fit(table, table["y"] > 0), lock=False).save(tmp_path / "bare")
    found = drift(bare.folder, tmp_path / "now.csv")
    assert found.returncode == 2
    assert "carries no drift reference" in found.stderr
    assert len(found.stderr.splitlines()) == 1
