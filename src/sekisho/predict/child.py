"""The child process that runs a model: ``python -m sekisho.predict.child FOLDER DESCRIPTOR ...``.

It loads the artifact, says that it is ready, and answers one message after the other until its parent hangs up. Whatever the
model prints goes nowhere, so that it can neither spoil the log nor fill a pipe; of an exception only the name leaves the process,
because its text may hold a caller's values.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from sekisho.artifact.artifact import ModelArtifact
from sekisho.predict.fence import Fence
from sekisho.predict.lifeline import die_with_parent
from sekisho.predict.parcels import Reply, answer, asked, reply

if TYPE_CHECKING:
    from sekisho.artifact.formats.interface import Runtime

_LONGEST_FAILURE: Final = 500


def main(arguments: list[str]) -> None:
    """Run the child.

    Args:
        arguments: The folder of the artifact, the number of the descriptor that leads to the parent, the parent's process id, and the
            limits (:class:`~sekisho.predict.fence.Fence`) as JSON.

    """
    folder, descriptor, parent, limits = arguments
    fence = msgspec.json.decode(limits, type=Fence)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(int(parent))
    _silence()
    if fence.memory:
        _hold_below(fence.memory)
    wire = Connection(int(descriptor))
    runtime = _load(wire, Path(folder), fence)
    if runtime is not None:
        with suppress(EOFError, OSError):
            while True:
                wire.send_bytes(_answer(runtime, wire.recv_bytes()))


def _load(wire: Connection, folder: Path, fence: Fence) -> Runtime | None:
    try:
        runtime = ModelArtifact.load(folder, trust=fence.trust, trusted_types=fence.trusted_types).runtime()
    except Exception as error:  # whatever a library raises while it loads a model is told in one line
        wire.send_bytes(reply(Reply(failure=f"{type(error).__name__}: {error}"[:_LONGEST_FAILURE])))
        return None
    wire.send_bytes(reply(Reply(ready=True, memory=_resident())))
    return runtime


def _answer(runtime: Runtime, message: bytes) -> bytes:
    try:
        return answer(runtime.run(asked(message)), memory=_resident())
    except Exception as error:  # whatever a model raises becomes an answer of its own
        return reply(Reply(failure=type(error).__name__, memory=_resident()))


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)


def _hold_below(memory: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))


def _resident() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGESIZE")


if __name__ == "__main__":
    main(sys.argv[1:])
