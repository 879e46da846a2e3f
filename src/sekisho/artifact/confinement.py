"""Runs code of somebody else's where it can neither reach the network nor touch files that it was not given.

Run as a script, ``python -I -S confinement.py SPEC COMMAND...``: it confines itself as far as this system lets it, says in a file what
holds, and runs the command. Every part is tried by itself, and what does not hold is said, not passed over:

- *network*: a network namespace of its own (:manpage:`network_namespaces(7)`); where that is refused, a seccomp filter that gives out no
  internet sockets (:manpage:`seccomp(2)`);
- *files*: Landlock (https://docs.kernel.org/userspace-api/landlock.html): what is not given for reading cannot be opened, and what is not
  given for writing cannot be changed;
- *place*: a mount namespace, in which one folder stands at the place of another, so that even absolute paths lead to the copy, and shared
  memory and the sockets of other programs are out of sight;
- *processes*: a namespace of process numbers, so that nothing that the command starts outlives it.

Only the standard library is imported, because this runs before anything else does.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import platform
import signal
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_NEW_MOUNTS, _NEW_USERS, _NEW_PROCESSES, _NEW_NETWORK = 0x0002_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000
_BIND, _RECURSIVE, _PRIVATE = 0x1000, 0x4000, 0x4_0000
_DEATH_SIGNAL, _SECCOMP, _NO_NEW_PRIVILEGES = 1, 22, 38

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_ENFORCE = 444, 445, 446
_READ: Final = 0b1101
"""Run a file, read it, list a folder."""
_OF_FILES: Final = 0b1_00000000_000111
"""The rights that a single file can have: run, write, read, cut off."""
_RIGHTS: Final = (0, (1 << 13) - 1, (1 << 14) - 1, (1 << 15) - 1)
"""All that each version of Landlock handles, from version 1; later ones add nothing that is needed here."""

_SOCKETS: Final = {"x86_64": (0xC000_003E, 41), "aarch64": (0xC000_00B7, 198)}
"""The audit number of each architecture, and its number of the call ``socket``."""
_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
_SHARED: Final = "/dev/shm"  # noqa: S108
_SERVICES: Final = "/run"
"""Where the sockets of other programs lie, such as Docker's."""
SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/proc", "/sys", "/opt", "/nix")
"""What programs read everywhere; no data of people lies there."""


def confine(
    *,
    read: Sequence[str],
    write: Sequence[str],
    copy: str | None = None,
    place: str | None = None,
    keep: Sequence[str] = (),
) -> dict[str, bool]:
    """Confine this process and all that it will start, and return what holds.

    Args:
        read: Files and folders that may be read, beside those of the system.
        write: Folders in which anything may be done.
        copy: A folder that is to stand at ``place``.
        place: Where ``copy`` is to stand.
        keep: Folders below ``place`` that stay what they are.

    Returns:
        ``network``, ``files``, ``place`` and ``processes``: whether each is confined.

    """
    held = dict.fromkeys(("network", "files", "place", "processes"), False)
    apart = _new_users()
    own = [place for place in (_SHARED, _SERVICES) if apart and _tried(partial(_empty, place))]
    if copy is not None and place is not None:
        held["place"] = _tried(lambda: _put(copy, place, keep))
    held["network"] = _tried(_no_network) or _tried(_no_sockets)
    shared = [_SHARED] if _SHARED in own or copy is not None else []
    held["files"] = _tried(lambda: _landlock([*SYSTEM, *read], [*write, *_DEVICES, *shared, *_accelerators()]))
    held["processes"] = apart and _tried(lambda: _unshare(_NEW_PROCESSES))
    return held


def main(spec: str, *command: str) -> int:
    """Confine this process as ``spec`` says and run ``command`` in it; return its exit code.

    Args:
        spec: JSON: the arguments of :func:`confine`, ``folder`` (where the command runs) and ``report`` (the file that is told what holds).
            Where nothing can stand at the place of the project, the command works in the copy by its own path.
        command: Program and arguments.

    """
    said: dict[str, Any] = json.loads(spec)
    folder, report = said.pop("folder"), said.pop("report")
    descriptor = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    held = confine(**said)
    words = list(command)
    copy, place = said.get("copy"), said.get("place")
    if copy and place and not held["place"]:
        folder, *words = (_moved(word, place, copy) for word in (folder, *words))
    os.chdir(folder)
    os.write(descriptor, json.dumps(held).encode())
    os.close(descriptor)
    return _run(words, first=held["processes"])


def _moved(word: str, place: str, copy: str) -> str:
    return copy + word[len(place) :] if word == place or word.startswith(f"{place}/") else word


def _run(command: list[str], *, first: bool) -> int:
    """Run the command; as the first process of a namespace, so that the kernel ends the rest with it."""
    keeper = os.fork() if first else 0
    if keeper:
        signal.signal(signal.SIGTERM, lambda *_: os.kill(keeper, signal.SIGKILL))
        return os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1]) % 256
    _LIBC.prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    worker = os.fork()
    if worker:
        while True:  # the first process of a namespace buries all others
            pid, status = os.wait()
            if pid == worker:
                code = os.waitstatus_to_exitcode(status)
                os._exit(code if code >= 0 else 128 - code)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the user's own command
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        os._exit(127)


def _tried(part: Callable[[], None]) -> bool:
    try:
        part()
    except OSError:
        return False
    return True


# Namespaces


def _unshare(flags: int) -> None:
    _checked(_LIBC.unshare(flags))


def _new_users() -> bool:
    """Become a user of a namespace of its own, who may do there what is needed and nothing outside; else stay who we are."""
    user, group = os.geteuid(), os.getegid()
    if _LIBC.unshare(_NEW_USERS | _NEW_MOUNTS) == 0:
        with contextlib.suppress(OSError):
            Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    elif _LIBC.unshare(_NEW_MOUNTS) != 0:
        return False
    return bool(_LIBC.mount(None, b"/", None, _PRIVATE | _RECURSIVE, None) == 0)


def _empty(place: str) -> None:
    """Let an empty folder in memory stand at ``place``."""
    _checked(_LIBC.mount(b"none", os.fsencode(place), b"tmpfs", 0, None))


def _accelerators() -> list[str]:
    devices = Path("/dev")
    return [str(path) for pattern in ("nvidia*", "dri", "kfd") for path in devices.glob(pattern)]


def _put(copy: str, place: str, keep: Sequence[str]) -> None:
    """Let ``copy`` stand at ``place``, and in it what is kept from there."""
    kept = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in keep]
    _bind(copy, place)
    for path, descriptor in kept:
        Path(path).mkdir(parents=True, exist_ok=True)
        _bind(f"/proc/self/fd/{descriptor}", path)


def _bind(source: str, target: str) -> None:
    _checked(_LIBC.mount(os.fsencode(source), os.fsencode(target), None, _BIND | _RECURSIVE, None))


def _no_network() -> None:
    """Leave the network: what is left is this process's own loopback, for libraries that speak to themselves."""
    _unshare(_NEW_NETWORK)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket, contextlib.suppress(OSError):
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x1))  # SIOCSIFFLAGS, IFF_UP


# Filters that hold without any privilege


def _no_sockets() -> None:
    """Refuse the call ``socket`` for every family but Unix domain sockets, with a classic BPF program."""
    architecture, call = _SOCKETS.get(platform.machine(), (0, 0))
    if not architecture:
        raise OSError("no numbers of system calls are known for this architecture")
    load, equal, give = 0x20, 0x15, 0x06
    allow, refuse, kill = 0x7FFF_0000, 0x0005_0000 | 13, 0x8000_0000
    program = [
        (load, 0, 0, 4),
        (equal, 1, 0, architecture),
        (give, 0, 0, kill),  # a call by another architecture's numbers
        (load, 0, 0, 0),
        (equal, 0, 3, call),
        (load, 0, 0, 16),
        (equal, 1, 0, socket.AF_UNIX),
        (give, 0, 0, refuse),
        (give, 0, 0, allow),
    ]
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    filter_of_them = struct.pack("H6xP", len(program), ctypes.addressof(buffer))
    _checked(_LIBC.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _checked(_LIBC.prctl(_SECCOMP, 2, filter_of_them, 0, 0))


def _landlock(read: Sequence[str], write: Sequence[str]) -> None:
    version = _LIBC.syscall(_LANDLOCK_CREATE, None, 0, 1)
    _checked(version)
    rights = _RIGHTS[min(version, len(_RIGHTS) - 1)]
    ruleset = _LIBC.syscall(_LANDLOCK_CREATE, struct.pack("Q", rights), 8, 0)
    _checked(ruleset)
    for path in read:
        _allow(ruleset, path, rights & _READ)
    for path in write:
        _allow(ruleset, path, rights)
    _checked(_LIBC.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _checked(_LIBC.syscall(_LANDLOCK_ENFORCE, ruleset, 0))
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no leave
    rights = rights if Path(path).is_dir() else rights & _OF_FILES
    _checked(_LIBC.syscall(_LANDLOCK_ADD, ruleset, 1, struct.pack("=Qi", rights, descriptor), 0))
    os.close(descriptor)


def _checked(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
