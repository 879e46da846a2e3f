"""The child process that runs a model: ``python -m sekisho.predict.child FOLDER DESCRIPTOR ...``.

It loads the artifact and says that it is ready. Alone, it then answers one message after the other until its parent hangs up. As a nursery, it
never asks the model itself: each descriptor that its parent sends it is given to a fork, which answers there. Whatever the model prints goes nowhere, so that it can neither spoil the log nor fill a pipe; of an exception only the name leaves the process,
because its text may hold a caller's values.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from sekisho.artifact.artifact import ModelArtifact
from sekisho.errors import ModelFailed, SekishoError
from sekisho.predict.answers import invalid_output
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
            limits (:class:`~sekisho.predict.fence.Fence`) as JSON, and ``alone`` or ``nursery``.

    """
    folder, descriptor, parent, limits, mode = arguments
    fence = msgspec.json.decode(limits, type=Fence)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(int(parent))
    _silence()
    with suppress(PermissionError):
        os.setsid()  # so that whatever the model starts can be ended with it
    if fence.memory:
        _hold_below(fence.memory)
    wire = Connection(int(descriptor))
    runtime = _load(wire, Path(folder), fence)
    if runtime is not None and mode == "nursery":
        _nurse(wire, runtime)
    elif runtime is not None:
        _serve(wire, runtime)


def _serve(wire: Connection, runtime: Runtime) -> None:
    with suppress(EOFError, OSError):
        while True:
            wire.send_bytes(_answer(runtime, wire.recv_bytes()))


def _nurse(wire: Connection, runtime: Runtime) -> None:
    """Fork for each descriptor that the parent sends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the dead
    gc.freeze()  # what is here stays shared
    nursery = os.getpid()
    link = socket.socket(fileno=os.dup(wire.fileno()))
    while True:
        said, descriptors, _, _ = socket.recv_fds(link, 1, 1)
        if not said:
            return
        if os.fork() == 0:
            link.close()
            wire.close()
            os.setsid()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # the model may want to hear of what it starts
            die_with_parent(nursery)
            own = Connection(descriptors[0])
            own.send_bytes(reply(Reply(ready=True, process_id=os.getpid(), memory=_held())))
            _serve(own, runtime)
            os._exit(0)
        os.close(descriptors[0])


def _load(wire: Connection, folder: Path, fence: Fence) -> Runtime | None:
    try:
        artifact = ModelArtifact.load(
            folder,
            trust=fence.trust,
            trusted_types=fence.trusted_types,
            library_mismatch=fence.library_mismatch,
            digest=fence.digest,
        )
        runtime = artifact.runtime()
    except Exception as error:  # whatever a library raises while it loads a model is told in one line
        wire.send_bytes(reply(Reply(failure=_told(error)[:_LONGEST_FAILURE])))
        return None
    wire.send_bytes(reply(Reply(ready=True, process_id=os.getpid(), memory=_held())))
    return runtime


def _told(error: BaseException) -> str:
    """Return in one line why a model cannot be loaded, down to what the library said that could not load it."""
    own = error.what.en if isinstance(error, SekishoError) else f"{type(error).__name__}: {error}"
    cause = "" if error.__cause__ is None else f" ({_told(error.__cause__)})"
    return " ".join((own + cause).split())


def _answer(runtime: Runtime, message: bytes) -> bytes:
    try:
        columns = asked(message)
        rows = {len(column) for column in columns.values()}
        outputs = runtime.run(columns)
        if rows and {len(outputs.values)} != rows:
            raise invalid_output()  # before so much of it travels that there is no room for it
        return answer(outputs, memory=_held())
    except ModelFailed as error:
        return reply(Reply(failure=type(error).__name__, code=error.code, memory=_held()))
    except Exception as error:  # whatever a model raises becomes an answer of its own
        return reply(Reply(failure=type(error).__name__, memory=_held()))


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)


def _hold_below(memory: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))


def _held() -> int:
    """Return the bytes that this process holds: resident, or as data, which is what the limit is about; the larger of the two."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()
        return max(int(pages[1]), int(pages[5])) * os.sysconf("SC_PAGESIZE")
    except (OSError, ValueError, IndexError):
        return 0


if __name__ == "__main__":
    main(sys.argv[1:])
