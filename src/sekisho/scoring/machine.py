"""Facts of the process and its libraries."""

from __future__ import annotations

import resource
import sys
from importlib.metadata import version

import sekisho


def peak_memory() -> int:
    """Return the most bytes that this process has held."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def versions_that_count() -> dict[str, str]:
    """Return the versions of what computes and writes answers: another one may round or write them otherwise."""
    return {"sekisho": sekisho.__version__} | {name: version(name) for name in ("numpy", "onnxruntime", "pyarrow")}
