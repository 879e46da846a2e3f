"""Running a training command again: in a copy, confined, with a limit, and ended whole."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec

from sekisho.artifact import confinement
from sekisho.artifact.interpreter import environment_inside, library_folders, program_folders
from sekisho.probes.resources.process import child, surroundings
from sekisho.probes.resources.scratch import Scratch

Fault = Literal["command failed", "time limit", "no such program", "wrote nothing"]

PASSED_ON: Final = (
    *("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "VIRTUAL_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH", "PYTHONPATH"),
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES"),
)
"""What training gets of this environment. Nothing else: neither secrets nor settings that nobody has written down."""
OFFLINE: Final = {"UV_OFFLINE": "1", "PIP_NO_INDEX": "1", "HF_HUB_OFFLINE": "1", "MPLBACKEND": "Agg"}
"""Tools that would wait for a network that is not there."""
_TICK: Final = 0.05
_SAID: Final = 200


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What kept the command apart: the network, the files of others, the place of the project, its processes."""

    network: bool = False
    files: bool = False
    place: bool = False
    processes: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run of the training command.

    Attributes:
        seconds: How long it took.
        fault: Why there is no model; ``None`` when there is one.
        said: The last line that it wrote, when there is none.
        held: What kept it apart.

    """

    seconds: float
    fault: Fault | None
    said: str
    held: Held


def run(
    command: Sequence[str], scratch: Scratch, base: Path, *, artifact: str, limit: float, tick: Callable[[float], None]
) -> Run:
    """Run the command in the copy.

    Args:
        command: Program and arguments.
        scratch: The copy.
        base: A folder for its home, its temporary files and its log.
        artifact: Where the model must lie afterwards, from the project's folder.
        limit: How many seconds it may take.
        tick: Told the share of the limit that is gone, again and again; what it raises ends the command.

    """
    root = scratch.place / scratch.root.relative_to(scratch.top)
    homes = {name: base / name.lower() for name in ("HOME", "TMPDIR")}
    for folder in homes.values():
        folder.mkdir(parents=True, exist_ok=True)
    environment = {name: value for name, value in surroundings().items() if name in PASSED_ON}
    environment |= OFFLINE | {name: str(folder) for name, folder in homes.items()} | {"PYTHONUNBUFFERED": "1"}
    report, log = base / "held.json", base / "training.log"
    report.unlink(missing_ok=True)
    words = _words(command, scratch, environment)
    readable = sorted({*program_folders(words[0], environment["PATH"]), *library_folders(scratch.place)})
    inner = {
        path: environment_inside(path, scratch.place) for path in readable if Path(path).is_relative_to(scratch.place)
    }
    spec = {
        "read": [path for path in readable if path not in inner or inner[path]],
        "write": [str(scratch.place), str(scratch.top), *map(str, homes.values())],
        "copy": str(scratch.top),
        "place": str(scratch.place),
        "keep": sorted({each for each in inner.values() if each is not None}),
        "folder": str(root),
        "report": str(report),
    }
    began = time.monotonic()
    confined = [sys.executable, "-I", "-S", confinement.__file__, json.dumps(spec), *words]
    with child(confined, folder=base, environment=environment, log=log) as running:
        while (code := running.exit_code) is None and (gone := (time.monotonic() - began) / limit) < 1:
            tick(gone)
            time.sleep(_TICK)
    seconds = time.monotonic() - began
    fault = _fault(code, (scratch.root / artifact))
    said = running.last_line().replace(str(scratch.top), str(scratch.place))[:_SAID] if fault else ""
    return Run(seconds=round(seconds, 2), fault=fault, said=said, held=_held(report))


def _fault(code: int | None, model: Path) -> Fault | None:
    if code is None:
        return "time limit"
    if code == 127:
        return "no such program"
    if code != 0:
        return "command failed"
    there = model.is_file() or (model.is_dir() and any(model.iterdir()))
    return None if there else "wrote nothing"


def _held(report: Path) -> Held:
    try:
        return msgspec.json.decode(report.read_bytes(), type=Held)
    except (OSError, msgspec.DecodeError):
        return Held()


def _words(command: Sequence[str], scratch: Scratch, environment: dict[str, str]) -> list[str]:
    """Return the command with its program found: by the path of this environment, as the user's shell would."""
    program = command[0] if "/" in command[0] else shutil.which(command[0], path=environment["PATH"]) or command[0]
    if not program.startswith("/") and "/" in program and (scratch.root / program).exists():
        program = f"./{program.removeprefix('./')}"
    return [program, *command[1:]]
