"""Loads one model file in a process of its own; run as ``python -P -m sekisho.probes.files.load_child CONTENT FILE BYTES``.

Whatever the library that reads it does wrong happens here: it may take at most ``BYTES`` of memory, and neither reach the network nor start
a program nor open a file for writing. Exit code 0: loaded; 3: no library here reads it; anything else: it does not load.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from typing import Any, Final

from sekisho.artifact.formats import skops

NO_LIBRARY: Final = 3
_FORBIDDEN: Final = (
    "socket.connect",
    "socket.bind",
    "socket.sendto",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
)


def load(content: str, path: Path) -> None:
    """Load the model at ``path``.

    Raises:
        ImportError: The library that reads ``content`` is not installed.
        Exception: Whatever that library says of a file that it cannot read.

    """
    if content == "ONNX":
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before it is imported
        import onnxruntime

        onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    elif content == "skops":
        skops.load(path.read_bytes(), where=path.name)
    elif content == "LightGBM text":
        import lightgbm

        lightgbm.Booster(model_file=str(path))
    elif content.startswith("XGBoost"):
        import xgboost  # type: ignore[import-not-found, unused-ignore]

        xgboost.Booster().load_model(str(path))
    elif content == "CatBoost":
        import catboost  # type: ignore[import-not-found, unused-ignore]

        catboost.CatBoost().load_model(str(path))
    elif content == "NumPy arrays":
        import numpy as np

        found = np.load(path, allow_pickle=False)
        for name in getattr(found, "files", ()):
            found[name].sum()
    elif content == "safetensors":
        import safetensors  # type: ignore[import-not-found, unused-ignore]

        safetensors.safe_open(str(path), framework="numpy")
    else:
        raise ImportError(content)


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event.startswith(_FORBIDDEN):
        raise PermissionError(event)
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        raise PermissionError(event)


def main(content: str, path: str, most_bytes: str) -> int:
    """Load one model and return the exit code."""
    resource.setrlimit(resource.RLIMIT_DATA, (int(most_bytes), int(most_bytes)))
    sys.addaudithook(_watch)
    try:
        load(content, Path(path))
    except ImportError:
        return NO_LIBRARY
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
