"""The folder that the processes of one running service share, and what they say to one another."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from sekisho.files import write_atomically
from sekisho.serving import settings as settings_of_service
from sekisho.serving.guards.rate import make_table
from sekisho.serving.lineup import Lineup, Served
from sekisho.serving.settings import ServingSettings

if TYPE_CHECKING:
    from sekisho.errors import SekishoError

PREFIX: Final = "sekisho-run-"
LOCK: Final = "lock"
METRICS_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Tells companions where to write gauges that ``/metrics`` shows."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one running service; only its user can look into it.

    Attributes:
        path: Where it is.
        lock: The descriptor whose lock says that the service lives; -1 in a worker.

    """

    path: Path
    lock: int = -1

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

    @property
    def lineup(self) -> Lineup:
        """What the service serves."""
        return msgspec.json.decode((self.path / "lineup.json").read_bytes(), type=Lineup)

    def keep(self, lineup: Lineup) -> None:
        """Say what the service serves, to every worker that starts from now on."""
        write_atomically(self.path / "lineup.json", msgspec.json.encode(lineup))

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self.lock >= 0:
            os.close(self.lock)


def make_run_folder(settings: ServingSettings, lineup: Lineup) -> RunFolder:
    """Make the folder of a service that is about to run, and remove those of services that were killed.

    Raises:
        OSError: There is no place for temporary files.

    """
    place = _memory() or Path(tempfile.gettempdir())
    for left in place.glob(f"{PREFIX}*"):
        _remove_if_left(left)
    path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    folder = RunFolder(path, _lock(path / LOCK, os.O_CREAT))
    folder.metrics.mkdir()
    make_table(folder.limits)
    (folder.path / "settings.json").write_bytes(settings_of_service.encode(settings))
    folder.keep(lineup)
    return folder


def _lock(path: Path, flags: int = 0) -> int:
    """Lock a file, and return its descriptor; the lock goes with the process.

    Raises:
        OSError: Somebody else holds it, or there is no such file.

    """
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _remove_if_left(path: Path) -> None:
    """Remove the folder of a service that lives no more."""
    with suppress(OSError):
        RunFolder(path, _lock(path / LOCK)).remove()


def _memory() -> Path | None:
    """Return a folder in memory, if there is one.

    Workers count in memory-mapped files. On a disk, the system writes such a page back every few seconds, and the next addition to it waits for
    the journal of the file system when the disk is busy: the event loop would stand still for hundreds of milliseconds.
    """
    shared = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a folder of our own there
    return shared if shared.is_dir() and os.access(shared, os.W_OK | os.X_OK) else None


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A change of what is served that somebody asks for.

    Attributes:
        name: The model.
        deed: ``activate`` a version; ``reload`` what lies now where the model came from; ``rollback`` to the version that was live before.
        version: Which version or alias, of those that the registry holds.
        by: Who asks.
        allow_changed_signature: Whether the version may take or give something else than the one that is live.

    """

    name: str
    deed: Literal["activate", "reload", "rollback"]
    version: str = ""
    by: str = ""
    allow_changed_signature: bool = False


Code = Literal["activated", "unchanged", "refused", "unknown", "interrupted"]
"""What became of a wish: the version is live now, or was already; it must not answer; there is none; or something else was in the way."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a wish.

    Attributes:
        code: In a word.
        live: The version that is live now.
        before: The one that was live when the wish was granted.
        seconds: How long it took.
        what, remedy: Why not, in English and Japanese.

    """

    code: Code
    live: Served
    before: Served | None = None
    seconds: float = 0.0
    what: tuple[str, str] | None = None
    remedy: tuple[str, str] | None = None


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker tells its supervisor, one JSON object a line.

    Attributes:
        state: Of the worker: ``listening``: it answers, the models are not loaded yet; ``ready``: they answer as they did when they were packed;
            ``failed``: one never will. Of a change: ``prepared``, ``refused``, ``committed``. Of a caller: ``asks``.
        where: Which model failed.
        what, remedy: Why, in English and Japanese.
        number: The change that it is about, or the number of what a caller asks.
        wish: What a caller asks.

    """

    state: Literal["listening", "ready", "failed", "prepared", "refused", "committed", "asks"]
    where: str | None = None
    what: tuple[str, str] | None = None
    remedy: tuple[str, str] | None = None
    number: int = 0
    wish: Wish | None = None


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a supervisor tells a worker, one JSON object a line.

    Attributes:
        do: ``load`` the models; ``accept`` connections though they are not loaded; ``prepare`` to serve a lineup; ``commit`` to it:
            serve it from now on; ``abandon`` it; ``tell`` a caller what became of their wish.
        lineup: The one to prepare.
        number: The change that it is about, or the number of what a caller asked.
        outcome: What the caller is told.

    """

    do: Literal["load", "accept", "prepare", "commit", "abandon", "tell"]
    lineup: Lineup | None = None
    number: int = 0
    outcome: Outcome | None = None


def failure(error: SekishoError, state: Literal["failed", "refused"] = "failed", number: int = 0) -> Word:
    """Return what is told of an error."""
    return Word(
        state=state,
        where=None if error.where is None else str(error.where),
        what=(error.what.en, error.what.ja),
        remedy=(error.remedy.en, error.remedy.ja),
        number=number,
    )


def encode(message: Word | Order) -> bytes:
    """Return a message as a line."""
    return msgspec.json.encode(message) + b"\n"


def decode(line: bytes) -> Word:
    """Return the word of a line."""
    return msgspec.json.decode(line, type=Word)


def decode_order(line: bytes) -> Order:
    """Return the order of a line."""
    return msgspec.json.decode(line, type=Order)
