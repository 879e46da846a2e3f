"""Children on a leash: they end with whoever holds it, however that happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sekisho.probes.resources.process import Child, child, free_port, surroundings

pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="processes are looked up in /proc")


def alive(mark: str) -> list[int]:
    """Return the processes whose command line holds ``mark``."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if mark.encode() in command and b"leash" not in command and state != "Z":
                found.append(int(entry.name))
    return found


def wait_for(condition: Callable[[], object]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it never came true")


@pytest.fixture
def mark() -> str:
    return f"mark{os.getpid()}x{time.monotonic_ns()}"


def sleeper(mark: str, *, before: str = "") -> list[str]:
    return [sys.executable, "-c", f"import time, sys\n{before}\nprint('up', flush=True)\ntime.sleep(100)  # {mark}"]


def start(command: list[str], tmp_path: Path) -> Child:
    return Child(command, folder=tmp_path, environment=surroundings(), log=tmp_path / "logs" / "service.log")


def test_it_runs_where_it_is_told_and_its_output_is_kept(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd()); print('last', file=sys.stderr); print()"
    with child([sys.executable, "-c", code], folder=tmp_path, environment=surroundings(), log=tmp_path / "log") as ran:
        wait_for(lambda: ran.exit_code is not None)
        assert ran.exit_code == 0
        assert str(tmp_path) in ran.log.read_text()
        assert ran.last_line() == "last"


def exit_code(command: list[str], tmp_path: Path) -> int | None:
    with child(command, folder=tmp_path, environment=surroundings(), log=tmp_path / "log") as ran:
        wait_for(lambda: ran.exit_code is not None)
        return ran.exit_code


@pytest.mark.parametrize(
    ("code", "expected"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137)]
)
def test_how_it_ended_is_told(tmp_path: Path, code: str, expected: int) -> None:
    assert exit_code([sys.executable, "-c", code], tmp_path) == expected


def test_a_program_that_does_not_exist_ends_with_127(tmp_path: Path) -> None:
    assert exit_code(["no-such-program"], tmp_path) == 127


def test_ending_it_ends_its_children_too(tmp_path: Path, mark: str) -> None:
    before = f"import subprocess; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(100) # {mark}'])"
    ran = start(sleeper(mark, before=before), tmp_path)
    wait_for(lambda: len(alive(mark)) == 2)
    ran.end()
    assert alive(mark) == []


def test_one_that_does_not_hear_sigterm_is_killed(tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = start(sleeper(mark, before="import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"), tmp_path)
    wait_for(lambda: "up" in ran.log.read_text())
    ran.end()
    assert alive(mark) == []


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_when_its_holder_is_killed(tmp_path: Path, mark: str, signum: signal.Signals) -> None:
    code = (
        "import sys, time; from pathlib import Path; from sekisho.probes.resources.process import Child, surroundings\n"
        f"Child({sleeper(mark)!r}, folder=Path('.'), environment=surroundings(), log=Path('log'))\n"
        "time.sleep(100)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    wait_for(lambda: len([pid for pid in alive(mark) if pid != holder.pid]) == 1)
    holder.send_signal(signum)
    holder.wait()
    wait_for(lambda: not alive(mark))


def test_a_terminated_leash_takes_the_service_along(tmp_path: Path, mark: str) -> None:
    """The gate ends the children of a probe that it gives up by SIGTERM."""
    ran = start(sleeper(mark), tmp_path)
    wait_for(lambda: alive(mark))
    os.kill(ran._leash.pid, signal.SIGTERM)
    wait_for(lambda: not alive(mark))
    ran.end()


def test_the_memory_of_the_whole_tree_is_counted(tmp_path: Path, mark: str) -> None:
    grow = "block = bytearray(64 * 2**20); block[::4096] = b'x' * len(block[::4096])"
    inner = f"import time; {grow}; print('grown', flush=True); time.sleep(100) # {mark}"
    before = f"import subprocess; subprocess.Popen([sys.executable, '-c', {inner!r}])"
    ran = start(sleeper(mark, before=before), tmp_path)
    wait_for(lambda: "grown" in ran.log.read_text())
    memory = ran.memory
    ran.end()
    assert memory is not None
    assert 64 * 2**20 < memory < 256 * 2**20


def test_a_free_port_can_be_bound() -> None:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))


def test_programs_beside_the_interpreter_are_found_outside_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    assert surroundings()["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
    monkeypatch.setenv("VIRTUAL_ENV", "/elsewhere")
    assert surroundings(PORT="1")["PATH"] == os.environ["PATH"]
    assert surroundings(PORT="1")["PORT"] == "1"
