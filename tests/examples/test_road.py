"""The whole demo as a user runs it, and interrupted in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

COMMAND = [sys.executable, "-m", "sekisho", "demo"]


@pytest.mark.parametrize(("language", "phrase"), [("en", "drift seen in"), ("ja", "のドリフトを検知")])
def test_the_demo_walks_the_whole_road(tmp_path: Path, language: str, phrase: str) -> None:
    run = subprocess.run(
        [*COMMAND, "project", "--lang", language], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert phrase in run.stdout
    assert "AGEP" in run.stdout
    assert (tmp_path / "project" / ".sekisho" / "report" / "index.html").stat().st_size > 50_000
    judged = subprocess.run(
        [sys.executable, "-m", "sekisho", "check", "quality", "artifact/format", "--json", "-C", "project"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    statuses = {item["id"]: item["status"] for item in json.loads(judged.stdout)["items"]}
    assert statuses["quality/requirements"] == "pass"
    assert statuses["artifact/format"] == "pass"


@pytest.mark.parametrize("after_seconds", [2.0, 9.0, 25.0])
def test_ctrl_c_ends_the_demo_cleanly(tmp_path: Path, after_seconds: float) -> None:
    demo = subprocess.Popen(
        [*COMMAND, "project"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    time.sleep(after_seconds)
    os.killpg(demo.pid, signal.SIGINT)
    _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert "Traceback" not in errors
    artifact = tmp_path / "project" / "artifact"
    assert not artifact.exists() or (artifact / "manifest.json").exists()
    assert _still_running(tmp_path) == []


def _still_running(folder: Path) -> list[str]:
    """Return the command lines of processes that work in ``folder``."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                here = (entry / "cwd").resolve()
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if here.is_relative_to(folder):
                found.append(words)
    return found
