"""Facts of the process and its libraries."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import sekisho


def peak_memory() -> int:
    """Return the most bytes that this process has held."""
    with suppress(OSError):  # getrusage(2) would count what the parent held when it made this process
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def versions_that_count() -> dict[str, str]:
    """Return the versions of what computes and writes answers: another one may round or write them otherwise."""
    return {"sekisho": sekisho.__version__} | {name: version(name) for name in ("numpy", "onnxruntime", "pyarrow")}
