"""The process that reads a trusted pickle: ``python -P -m sekisho.artifact.unpickling_child FILE FOLDER TYPE...``.

It runs confined (:mod:`sekisho.artifact.confinement`). The model is written to ``FOLDER/model`` in a format that runs no code; what went wrong
is the last line of standard error.
"""

from __future__ import annotations

import contextlib
import resource
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from sekisho.artifact.assembly import formats
from sekisho.errors import SekishoError

MEMORY: Final = 6 * 1024**3
PROCESSOR_SECONDS: Final = 300
MOST_WRITTEN: Final = 4 * 1024**3


def main(path: str, folder: str, *trusted_types: str) -> int:
    """Read the pickle, write its model safely, and return the exit code."""
    for what, most in (
        (resource.RLIMIT_DATA, MEMORY),
        (resource.RLIMIT_CPU, PROCESSOR_SECONDS),
        (resource.RLIMIT_FSIZE, MOST_WRITTEN),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(what, (most, most))
    warnings.simplefilter("ignore")
    try:
        read = _read(Path(path))
    except MemoryError:
        return _said("it needs more memory than it may have")
    except Exception as error:  # reading a pickle runs code of any kind, which raises errors of any kind
        return _said(f"{type(error).__name__}: {error}")
    for model in _models(read):
        for unit in formats().values():
            if not unit.keeps(model):
                continue
            try:
                Path(folder, "model").write_bytes(unit.write(model, trusted=frozenset(trusted_types)))
            except SekishoError as error:
                return _said(error.what.en)
            return 0
    return _said(f"a {type(read).__module__}.{type(read).__qualname__} is no model that can be saved safely")


def _read(path: Path) -> Any:
    with path.open("rb") as file:
        head = file.read(4)
    if head == b"PK\x03\x04":
        import torch

        return torch.load(path, map_location="cpu", weights_only=False)
    import joblib

    return joblib.load(path)


def _models(read: Any) -> Iterator[Any]:
    """Yield the object itself, then what a mapping or list of a few things holds, such as ``{"model": ..., "features": ...}``."""
    yield read
    inside: list[Any] = []
    if isinstance(read, Mapping):
        first = [read[name] for name in ("model", "pipeline", "estimator", "classifier", "regressor") if name in read]
        inside = [*first, *read.values()]
    elif isinstance(read, list | tuple):
        inside = list(read[:20])
    yield from (each for each in inside if hasattr(each, "predict"))


def _said(words: str) -> int:
    print(" ".join(words.split())[:300], file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
