"""Processes that end with the process that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # <linux/prctl.h>


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process as soon as the process ``parent``, its parent, is gone.

    Works even when this process hangs in native code. Outside Linux there is no such service, and the caller watches the pipe
    to its parent instead.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        # It went before the kernel was asked.
        os._exit(1)
