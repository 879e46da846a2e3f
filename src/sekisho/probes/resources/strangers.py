"""Models that Sekisho did not pack, made to answer without anything of them being run here."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.packing import may_run_code, model_in, read_model
from sekisho.errors import SekishoError
from sekisho.probes.resources.artifacts import ModelFiles

MOST_BYTES = 1024**3


def model_of_somebody(files: ModelFiles, names: Sequence[str]) -> ModelArtifact | None:
    """Return the model in files of somebody else's; ``None`` when it is in no format that is safe to read.

    Args:
        files: Its files.
        names: The features, where the model itself does not know their names.

    """
    return _first(files, names, trust=False)


def model_made_here(files: ModelFiles, names: Sequence[str]) -> ModelArtifact | None:
    """Return the model that the project's own training command has just written, even if that is a pickle.

    The code in it comes from the command that has run here before; it is read in a confined process like that one.
    """
    return _first(files, names, trust=True)


def _first(files: ModelFiles, names: Sequence[str], *, trust: bool) -> ModelArtifact | None:
    for path in _candidates(files):
        try:
            data = path.read_bytes()
            model = read_model(path, trust=trust) if may_run_code(data) else model_in(data, where=path.name)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ModelArtifact(model, {"feature_names": list(names)}, lock=False)
        except SekishoError:
            continue
    return None


def _candidates(files: ModelFiles) -> Iterator[Path]:
    """Yield the files that may hold the model, one named so first."""
    sized = [path for path in files.files if path.stat().st_size <= MOST_BYTES]
    yield from sorted(sized, key=lambda path: ("model" not in path.name.lower(), path.name))
