"""Ctrl-C and TERM leave nothing behind: no child process, no open resource, no half-written book."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from sekisho.ledger.evidence import EvidenceBook

PROGRAM = """
import os, signal, subprocess, sys, threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sekisho.contract.project import Project
from sekisho.gate.check import check
from sekisho.gate.graph import Units
from sekisho.gate.probe import Progress, probe, resource
from sekisho.gate.runner import run_gate
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Verdict, passed
from sekisho.text import verbatim

WORDS = verbatim("words")
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]

class Service: ...

@dataclass(frozen=True, kw_only=True)
class Flood:
    n: int

@dataclass(frozen=True, kw_only=True)
class Quick:
    n: int

@resource(title=WORDS)
def service() -> Iterator[Service]:
    child = subprocess.Popen(SLEEP)
    print(child.pid, flush=True)
    try:
        yield Service()
    finally:
        child.terminate()
        child.wait()
        Path(sys.argv[1], "closed").touch()

@probe("a/quick", title=WORDS)
def quick() -> Quick:
    return Quick(n=1)

@probe("a/flood", title=WORDS)
def flood(service: Service, quick: Quick, progress: Progress) -> Flood:
    child = subprocess.Popen(SLEEP)
    print(child.pid, flush=True)
    child.wait()
    while True:
        progress.advance(0.0)

@check("security/rate-limiting", title=WORDS, why=WORDS, remedy=WORDS)
def box(flood: Flood) -> Verdict:
    return passed(WORDS)

def end(number, frame):
    raise SystemExit(128 + number)

signal.signal(signal.SIGTERM, end)
project = Project(root=Path(sys.argv[1]), contract=example_contract())
try:
    run_gate(project, ids=["security/rate-limiting"], units=Units.of((box,), (service, flood, quick)))
except KeyboardInterrupt:
    raise SystemExit(130) from None
"""


def is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return b"\nState:\tZ" not in Path(f"/proc/{pid}/status").read_bytes()
    return False


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_ends_its_children_and_closes_its_resources(
    tmp_path: Path, signum: signal.Signals, code: int
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        children = [int(running.stdout.readline()) for _ in range(2)]
        assert all(is_alive(child) for child in children)
        running.send_signal(signum)
        _, errors = running.communicate(timeout=60)
        assert (running.returncode, errors) == (code, "")
    assert not any(is_alive(child) for child in children)
    assert (tmp_path / "closed").is_file()
    with EvidenceBook(tmp_path / ".sekisho" / "ledger.sqlite") as book:
        assert book.verify() == ()
        assert len(list(book.rows())) == 1
