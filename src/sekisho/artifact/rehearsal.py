"""An ONNX graph runs once in a child process with limits on memory and time, before it is let into a process that matters.

A graph runs no code of its own, but a few bytes of it can ask for terabytes (``ConstantOfShape``) or never end (``Loop``), and ONNX Runtime
knows no limit. Run as a module, this is the child: it reads the graph from standard input and answers one row of nothing.
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

from sekisho.errors import ArtifactError
from sekisho.text import Text

if TYPE_CHECKING:
    from pathlib import Path

MEMORY: Final = 4 * 1024**3
SECONDS: Final = 30.0
_FAILED: Final = 3
_NO_MEMORY: Final = 4


def rehearse(graph: bytes, *, where: Path | str | None, seconds: float = SECONDS, memory: int = MEMORY) -> None:
    """Load a graph and run it once, where it can do no harm.

    Args:
        graph: The serialized model.
        where: Its file, for the error.
        seconds: How long it may take.
        memory: Bytes of data that it may hold.

    Raises:
        ArtifactError: It asks for more, does not end, or takes its process down. What else goes wrong is not told here: rows of nothing
            need not be rows that it can answer.

    """
    command = [sys.executable, "-P", "-m", __name__, str(memory)]
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    try:
        done = subprocess.run(
            command,
            input=graph,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
            env=environment | {"ORT_DISABLE_TELEMETRY": "1"},
        )
    except subprocess.TimeoutExpired:
        raise _refused(
            where,
            Text(
                en=f"one row is not answered within {seconds:g} s", ja=f"1行の推論が {seconds:g} 秒以内に終わりません"
            ),
        ) from None
    if done.returncode in {0, _FAILED}:
        return
    gib = memory / 1024**3
    raise _refused(
        where,
        Text(
            en=f"it needs more than {gib:g} GiB for one row, or takes its process down",
            ja=f"1行の推論に {gib:g} GiB 以上のメモリーを要求するか、プロセスを落とします",
        ),
    )


def main(memory: int) -> int:
    """Answer one row of zeros and empty strings; return the exit code."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, allowed))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        os.nice(5)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(sys.stdin.buffer.read(), options, providers=["CPUExecutionProvider"])
        session.run(None, {given.name: _nothing(given) for given in session.get_inputs()})
    except MemoryError:
        return _NO_MEMORY
    except Exception as error:
        words = str(error).lower()
        return _NO_MEMORY if "bad_alloc" in words or "allocate memory" in words or "size overflow" in words else _FAILED
    return 0


def _nothing(given: Any) -> Any:
    """Return one row of nothing for an input."""
    import numpy as np

    shape = [size if isinstance(size, int) else 1 for size in given.shape]
    if given.type == "tensor(string)":
        return np.full(shape, "", dtype=object)
    kinds: dict[str, type[np.generic]] = {
        "tensor(float)": np.float32,
        "tensor(double)": np.float64,
        "tensor(int64)": np.int64,
    }
    kinds |= {"tensor(int32)": np.int32, "tensor(bool)": np.bool_}
    return np.zeros(shape, dtype=kinds.get(given.type, np.float32))


def _refused(where: Path | str | None, what: Text) -> ArtifactError:
    return ArtifactError(
        what,
        Text(
            en="take the model from its makers again, or convert it again",
            ja="作成元からモデルを取得し直すか、変換し直してください",
        ),
        where=where,
    )


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
