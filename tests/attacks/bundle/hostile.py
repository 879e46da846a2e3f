"""What somebody with write access could make of an artifact, and what it must come to: one line, and none of their code run."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import pickletools
import subprocess
import sys
import time
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pytest

from sekisho.artifact import bom
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.inspection import inspect
from sekisho.artifact.manifest import File, read_manifest
from sekisho.errors import IntegrityError, SekishoError

if TYPE_CHECKING:
    from collections.abc import Callable

FILES: Final = (
    "bom.cdx.json",
    "golden.json",
    "metadata.json",
    "model.onnx",
    "model.skops",
    "parity.json",
    "reference.npz",
    "signature.json",
)
MARKER: Final = "sekisho-marker"


class Bomb:
    """A pickle that writes a file when it is read: whichever function it calls, scanners may call it clean."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def bombs(folder: Path) -> dict[str, bytes]:
    """Return pickles of every dress; reading any would make a file named after the marker in ``folder``."""
    marker = folder / MARKER
    by_shell = pickle.dumps(Bomb(os.system, f"touch '{marker}'"))
    protocols = {
        f"protocol {number}": pickle.dumps(Bomb(os.system, f"touch '{marker}'"), protocol=number) for number in range(6)
    }
    array = io.BytesIO()
    np.save(array, np.array([Bomb(os.system, f"touch '{marker}'")], dtype=object), allow_pickle=True)
    arrays = io.BytesIO()
    np.savez(arrays, head=np.zeros(1), a=np.array([Bomb(os.system, f"touch '{marker}'")], dtype=object))
    return {
        "shell": by_shell,
        "path": pickle.dumps(Bomb(Path.write_text, marker, "x")),
        "numpy": pickle.dumps(Bomb(np.save, str(marker), np.zeros(1))),
        **protocols,
        "optimised": pickletools.optimize(by_shell),
        "without its first opcode": by_shell[2:],
        "after a comment": b"# model\n" + by_shell,
        "compressed": zlib.compress(by_shell),
        "object array": array.getvalue(),
        "object arrays": arrays.getvalue(),
        "torch": zipped({"archive/data.pkl": by_shell, "archive/version": b"3"}),
        "keras": zipped({"config.json": b'{"class_name": "Lambda"}', "metadata.json": b"{}", "model.weights.h5": b"x"}),
        "hdf5": b"\x89HDF\r\n\x1a\n" + by_shell,
        "skops": zipped({"schema.json": b"{}", "0.npy": by_shell}),
        "skops with an object array": zipped({"schema.json": b"{}", "0.npy": array.getvalue()}),
        "nested": zipped({"schema.json": b"{}", "0.npz": zipped({"a.npy": by_shell})}),
        "twice nested": zipped({"schema.json": b"{}", "0.npz": zipped({"a.npz": zipped({"a.npy": by_shell})})}),
    }


def zipped(entries: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return stream.getvalue()


def forge(folder: Path, **files: bytes) -> None:
    """Write files, and a bill and a manifest that list them as they are: what somebody with write access could do."""
    manifest = read_manifest((folder / "manifest.json").read_bytes(), where="")
    for name, data in files.items():
        (folder / name.replace("__", ".")).write_bytes(data)

    def listed() -> tuple[File, ...]:
        return tuple(
            File(name=path.name, size=path.stat().st_size, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
            for path in sorted(folder.iterdir())
            if path.name not in {"manifest.json", "manifest.dsse.json"}
        )

    path = folder / bom.NAME
    if path.exists() and "bom__cdx__json" not in files:
        said = json.loads(path.read_bytes())
        said["metadata"]["component"]["components"] = [
            {"name": file.name, "hashes": [{"alg": "SHA-256", "content": file.sha256}]}
            for file in listed()
            if file.name != bom.NAME
        ]
        path.write_bytes(json.dumps(said).encode())
    forged = msgspec.structs.replace(manifest, files=listed()).sealed()
    (folder / "manifest.json").write_bytes(forged.encoded())


def edited(folder: Path, name: str, change: Callable[[Any], object]) -> bytes:
    """Return the JSON of one file, changed."""
    plain = json.loads((folder / name).read_bytes())
    change(plain)
    return json.dumps(plain).encode()


def use(folder: Path) -> None:
    """Do all that anybody does with an artifact."""
    artifact = ModelArtifact.load(folder)
    artifact.verify()
    artifact.runtime("skops")


def refused(folder: Path, kind: type[SekishoError] = IntegrityError) -> str:
    """Use and inspect the artifact: both must refuse it, in one line; return the line."""
    with pytest.raises(kind):
        use(folder)
    with pytest.raises(kind) as caught:
        inspect(folder)
    return one_line(caught.value)


def one_line(error: BaseException) -> str:
    """Return the line of an error, which must be one, and say what to do."""
    line = str(error)
    assert "\n" not in line
    assert "→" in line
    assert len(line) < 1_000
    return line


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a child process ended."""

    code: int
    lines: tuple[str, ...]
    seconds: float
    peak_bytes: int


_LIMITED: Final = """
import json, resource, sys
memory, *words = json.loads(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
from sekisho.cli.main import run
code = run(words)
sys.stderr.flush()
sys.stdout.flush()
print(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
sys.exit(code)
"""


def sekisho(*words: str, memory: int = 6 * 1024**3, seconds: float = 60.0) -> Ended:
    """Run a command in a child process with a limit on its address space, and measure it."""
    began = time.monotonic()
    command = [sys.executable, "-c", _LIMITED, json.dumps([memory, *words])]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env=os.environ | {"SEKISHO_LANG": "en", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    peak = done.stdout.strip().splitlines()[-1]
    lines = tuple(line for line in done.stderr.splitlines() if line.strip() and not line.endswith("…"))
    return Ended(code=done.returncode, lines=lines, seconds=time.monotonic() - began, peak_bytes=int(peak) * 1024)
