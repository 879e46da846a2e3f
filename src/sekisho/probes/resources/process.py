"""Child processes that end with the checkpoint, and how much memory they hold."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sekisho.probes.resources import leash

_ESTABLISHED = "01"


class Child:
    """A command in a process group of its own.

    Args:
        command: Program and arguments.
        folder: Where it runs.
        environment: All of its environment.
        log: The file that its output goes to, replaced.

    """

    def __init__(self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        with log.open("wb") as output:
            self._leash = subprocess.Popen(
                [sys.executable, "-I", "-S", leash.__file__, *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=dict(environment),
                start_new_session=True,
            )

    @property
    def exit_code(self) -> int | None:
        """How it ended; ``None`` while it runs."""
        return self._leash.poll()

    @property
    def memory(self) -> int | None:
        """Resident bytes of the command and of all that it started; ``None`` where the system does not tell."""
        return _resident(self._leash.pid)

    @property
    def footprint(self) -> int | None:
        """Bytes of memory of the command and of all that it started, what they share counted once; ``None`` where the system does not tell."""
        held = _held(self._leash.pid)
        return None if held is None else sum(_proportional(pid, size) for pid, (size, _) in held.items())

    @property
    def processor_seconds(self) -> float:
        """Processor time of the command and of all that it started and that still runs, in seconds; 0 where the system does not tell."""
        ticks = sum(ticks for _, ticks in (_held(self._leash.pid) or {}).values())
        return ticks / os.sysconf("SC_CLK_TCK")

    def callers(self, port: int) -> dict[int, int]:
        """Return how many connections to ``port`` each process of the command holds, by pid; empty where the system does not tell."""
        inodes = {
            inode
            for name in ("tcp", "tcp6")
            for inode, state, at in _sockets(Path("/proc/net") / name)
            if state == _ESTABLISHED and at == port
        }
        held = {pid: len(inodes & {*_sockets_of(pid)}) for pid in _held(self._leash.pid) or ()}
        return {pid: count for pid, count in held.items() if count}

    @property
    def listening(self) -> tuple[int, ...]:
        """Ports on which the command or what it started listens, ascending; empty where the system does not tell."""
        return tuple(sorted({port for port, _ in self.doors}))

    @property
    def doors(self) -> tuple[tuple[int, bool], ...]:
        """Ports on which the command or what it started listens, each with whether other machines may come to it."""
        sockets: dict[str, tuple[int, bool]] = {}
        for name in ("tcp", "tcp6"):
            sockets |= _listeners(Path("/proc/net") / name)
        held = {sockets[each] for pid in _held(self._leash.pid) or () for each in _sockets_of(pid) if each in sockets}
        return tuple(sorted(held))

    def end(self) -> None:
        """End it with all that it started."""
        leash.release(self._leash)

    def last_line(self) -> str:
        """Return the last line that it wrote, or nothing."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


@contextlib.contextmanager
def child(command: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: Path) -> Iterator[Child]:
    """Run a :class:`Child` inside a ``with`` block."""
    started = Child(command, folder=folder, environment=environment, log=log)
    try:
        yield started
    finally:
        started.end()


def free_port() -> int:
    """Return a port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def surroundings(**more: str) -> dict[str, str]:
    """Return the environment for a child: this one's, with the programs of this Python within reach.

    Outside an activated virtual environment, ``python`` and ``uvicorn`` in a project's command mean those beside the
    interpreter that runs the checkpoint.
    """
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **more}
    if "VIRTUAL_ENV" not in environment:
        environment["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), environment.get("PATH", os.defpath)))
    return environment


def _resident(leash_pid: int) -> int | None:
    """Sum the resident memory of all that a leash holds."""
    held = _held(leash_pid)
    return None if held is None else sum(size for size, _ in held.values())


def _held(leash_pid: int) -> dict[int, tuple[int, int]] | None:
    """Return resident bytes and processor ticks, by pid, of all that a leash holds: its descendants, and the process group of its child."""
    processes = Path("/proc")
    if not (processes / "self/stat").exists():
        return None
    page = os.sysconf("SC_PAGE_SIZE")
    children: dict[int, list[int]] = defaultdict(list)
    groups: dict[int, list[int]] = defaultdict(list)
    used: dict[int, tuple[int, int]] = {}
    for entry in processes.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        pid = int(entry.name)
        children[int(fields[1])].append(pid)
        groups[int(fields[2])].append(pid)
        used[pid] = (int(fields[21]) * page, int(fields[11]) + int(fields[12]))
    waiting = [member for head in children[leash_pid] for member in (head, *groups[head])]
    held: dict[int, tuple[int, int]] = {}
    while waiting:
        pid = waiting.pop()
        if pid not in held:
            held[pid] = used[pid]
            waiting += children[pid]
    return held


def _listeners(table: Path) -> dict[str, tuple[int, bool]]:
    """Return the listening sockets of a table of the kernel: by inode, the port and whether its address is open to the network."""
    found: dict[str, tuple[int, bool]] = {}
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return {}
    for fields in map(str.split, lines):
        address, _, port = fields[1].partition(":")
        if fields[3] == "0A":  # it listens
            is_local = address.endswith("7F") and (len(address) == 8 or "FFFF0000" in address)
            is_local |= address == f"{'0' * 24}01000000"  # ::1
            found[fields[9]] = int(port, 16), not is_local
    return found


def _sockets(table: Path) -> Iterator[tuple[str, str, int]]:
    """Yield inode, state and local port of the sockets in a table of the kernel."""
    with contextlib.suppress(OSError):
        for fields in map(str.split, table.read_text().splitlines()[1:]):
            yield fields[9], fields[3], int(fields[1].rpartition(":")[2], 16)


def _sockets_of(pid: int) -> Iterator[str]:
    """Yield the inodes of the sockets that a process holds."""
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                where = str(entry.readlink())
                if where.startswith("socket:["):
                    yield where[8:-1]


def _proportional(pid: int, resident: int) -> int:
    """Return the memory of a process with its share of what others use too; all of ``resident`` where the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return resident
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")), resident)
