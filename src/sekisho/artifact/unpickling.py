"""Reading a trusted pickle: in a process of its own that has no network and no files of others, and hands back a safe format.

The code that a pickle holds runs there and nowhere else. What comes back is bytes that are looked at like any other stranger's.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from sekisho.artifact import confinement
from sekisho.artifact.content import a_pickle
from sekisho.artifact.interpreter import library_folders
from sekisho.errors import ArtifactError, IntegrityError
from sekisho.text import Text, verbatim

SECONDS: Final = 120.0
MOST_BYTES: Final = 4 * 1024**3
_CHILD: Final = "sekisho.artifact.unpickling_child"

_log = logging.getLogger("sekisho.artifact")


@dataclass(frozen=True, kw_only=True, slots=True)
class Resaved:
    """A model that was a pickle.

    Attributes:
        data: The model in a format that runs no code.
        open_to: What the process that read it was not kept from: ``network``, ``files``, ``processes``; empty where all holds.

    """

    data: bytes
    open_to: tuple[str, ...]


def resave(path: Path, *, trust: bool, trusted_types: tuple[str, ...] = (), seconds: float = SECONDS) -> Resaved:
    """Return the model in a pickle or joblib file in a safe format.

    Args:
        path: The file.
        trust: Whether somebody has said that it may be read, which runs its code. It is logged.
        trusted_types: Types that a skops file may hold beyond the curated list.
        seconds: How long reading it may take.

    Raises:
        UntrustedFormat: Nobody has.
        ArtifactError: It cannot be read, or holds no model that can be saved safely.

    """
    if not trust:
        raise a_pickle(str(path))
    _log.warning("reading a pickle because it was trusted: %s", path)
    with tempfile.TemporaryDirectory(prefix="sekisho-pickle-") as place:
        folder = Path(place).resolve()
        for name in ("home", "out"):
            (folder / name).mkdir()
        spec = {
            "read": [str(path.resolve()), *library_folders(path.resolve().parent)],
            "write": [str(folder / name) for name in ("home", "out")],
            "folder": str(folder / "home"),
            "report": str(folder / "held.json"),
        }
        child = [sys.executable, "-P", "-m", _CHILD, str(path.resolve()), str(folder / "out"), *trusted_types]
        command = [sys.executable, "-I", "-S", confinement.__file__, json.dumps(spec), *child]
        said = _run(command, folder / "home", path, seconds)
        safe = folder / "out" / "model"
        if said is not None or not safe.is_file() or safe.is_symlink() or safe.stat().st_size > MOST_BYTES:
            raise _unreadable(path, said)
        held = msgspec.json.decode((folder / "held.json").read_bytes(), type=dict[str, bool])
        open_to = tuple(name for name in ("network", "files", "processes") if not held.get(name))
        if open_to:
            _log.warning("on this system the pickle was not kept from: %s", ", ".join(open_to))
        return Resaved(data=safe.read_bytes(), open_to=open_to)


def _run(command: list[str], home: Path, path: Path, seconds: float) -> str | None:
    """Run the child; return what went wrong, in a word of its own, or ``None``."""
    environment = {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": str(home),
        "PYTHONPATH": os.pathsep.join(each for each in sys.path if each and Path(each).is_absolute()),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
    }
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=home,
        start_new_session=True,
    )
    try:
        _, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise ArtifactError(
            Text(
                en=f"reading the pickle took longer than {seconds:g} s",
                ja=f"pickle の読み込みが {seconds:g} 秒以内に終わりませんでした",
            ),
            Text(en="save the model as skops or ONNX", ja="モデルを skops か ONNX で保存してください"),
            where=path,
        ) from None
    finally:
        _end(process)
    if process.returncode == 0:
        return None
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    return (lines[-1] if lines else f"exit code {process.returncode}")[:300]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process with all that it started, however the waiting ended."""
    with process, contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _unreadable(path: Path, said: str | None) -> ArtifactError:
    kind = IntegrityError if said is None else ArtifactError
    what = verbatim(f": {said}") if said else verbatim("")
    return kind(
        Text(
            en=f"no model could be taken from the pickle{what.en}",
            ja=f"pickle からモデルを取り出せませんでした{what.ja}",
        ),
        Text(
            en="install the libraries that wrote it, or save the model as skops or ONNX",
            ja="書き出したときのライブラリを入れるか、モデルを skops か ONNX で保存してください",
        ),
        where=path,
    )
