"""Holds a service on a leash; run as a script: ``python leash.py COMMAND...``.

The checkpoint keeps the other end of this process's standard input. When it lets go, in order or because it was killed
itself, the whole process group of the service is ended. So no service outlives the checkpoint that started it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from typing import Final

PATIENCE: Final = 5.0
"""Seconds that the service has to end by itself after SIGTERM."""


def main(command: list[str]) -> int:
    """Run ``command`` in a process group of its own until it ends, or until standard input does."""
    try:
        service = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        print(error.strerror, file=sys.stderr)
        return 127

    def let_go(*_: object) -> None:
        threading.Thread(target=_end, args=(service.pid,), daemon=True).start()

    signal.signal(signal.SIGTERM, let_go)
    threading.Thread(target=_wait_for_release, args=(service.pid,), daemon=True).start()
    status = service.wait()
    _end(service.pid)  # what it may have left behind
    return status if status >= 0 else 128 - status


def release(leash: subprocess.Popen[bytes]) -> None:
    """Let go of a leash: end what it holds, with all that it has started, kindly first."""
    if leash.stdin is not None:
        with contextlib.suppress(OSError):
            leash.stdin.close()
    try:
        leash.wait(PATIENCE + 2)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leash.pid, signal.SIGKILL)
        leash.wait()


def _wait_for_release(group: int) -> None:
    while os.read(0, 1):
        pass
    _end(group)


def _end(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            time.sleep(0.01)
            os.killpg(group, 0)
        os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the checkpoint, which then lets go
    sys.exit(main(sys.argv[1:]))
