"""The folder that the processes of one running service share, and what they say to one another."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from sekisho.serving import settings as settings_of_service
from sekisho.serving.guards.rate import make_table
from sekisho.serving.settings import ServingSettings

METRICS_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Tells companions where to write gauges that ``/metrics`` shows."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one running service; only its user can look into it."""

    path: Path

    @property
    def metrics(self) -> Path:
        """Where the workers count, and companions write their gauges."""
        return self.path / "metrics"

    @property
    def limits(self) -> Path:
        """The table of the rate limit."""
        return self.path / "limits"

    @property
    def settings(self) -> ServingSettings:
        """How the service runs."""
        return settings_of_service.decode((self.path / "settings.json").read_bytes())

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)


def make_run_folder(settings: ServingSettings) -> RunFolder:
    """Make the folder of a service that is about to run.

    Raises:
        OSError: There is no place for temporary files.

    """
    folder = RunFolder(Path(tempfile.mkdtemp(prefix="sekisho-")))
    folder.metrics.mkdir()
    make_table(folder.limits)
    (folder.path / "settings.json").write_bytes(settings_of_service.encode(settings))
    return folder


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker tells its supervisor, one JSON object a line.

    Attributes:
        state: ``listening``: it answers, the model is not loaded yet; ``ready``: the model answers as it did when it was packed;
            ``failed``: it never will.
        what, remedy: Why it failed, in English and Japanese.

    """

    state: str
    what: tuple[str, str] | None = None
    remedy: tuple[str, str] | None = None


GO: Final = b"go\n"
"""What the supervisor tells a worker when the model may be loaded."""


def encode(word: Word) -> bytes:
    """Return a word as a line."""
    return msgspec.json.encode(word) + b"\n"


def decode(line: bytes) -> Word:
    """Return the word of a line."""
    return msgspec.json.decode(line, type=Word)
