"""A model behind a fence: it runs in a child process that is killed at the deadline and started anew.

Code that can hang, leak or die (any native Python runtime) runs here for as long as the service lives. Its children come from a
:class:`Nursery`, a process that has loaded the model and never asks it: a fork of it is ready at once, and shares its memory. An ONNX graph
runs behind a fence once, in a child of its own, before it is let into the serving process.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from sekisho.errors import ArtifactError, DeadlineExceeded, ModelFailed
from sekisho.predict.answers import invalid_output, model_failed
from sekisho.predict.parcels import Reply, ask, outputs_of, replied
from sekisho.text import Text

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from sekisho.artifact.formats.interface import Columns, Outputs

DEFAULT_MEMORY: Final = 4 * 2**30
DEFAULT_START_SECONDS: Final = 60.0
LONGEST_ANSWER: Final = 2**30
"""Bytes; more than this is no answer to what a request may hold."""
_SECONDS_TO_CLOSE: Final = 2.0
_SETTINGS: Final = {
    # Several children share the cores; and a process that has started no threads can be forked.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # Arrow's own allocator reserves a gibibyte with the first array, which counts against the limit though nothing is in it.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}


class Fence(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a child.

    Attributes:
        memory: Bytes of data that it may hold; 0 sets no limit. What asks for more fails inside the child.
        start_seconds: How long it may take to load the model.
        trust: Whether formats that run code on load may be read.
        trusted_types: Types that a skops file may hold beyond the curated list.
        library_mismatch: Whether a model that was saved with other versions of its libraries is refused (``refuse``) or loaded (``warn``).
        digest: The artifact that must be in the folder; ``None``: whichever is there.

    """

    memory: int = DEFAULT_MEMORY
    start_seconds: float = DEFAULT_START_SECONDS
    trust: bool = False
    trusted_types: tuple[str, ...] = ()
    library_mismatch: Literal["refuse", "warn"] = "refuse"
    digest: str | None = None


@dataclass(kw_only=True, slots=True)
class Life:
    """One child.

    Attributes:
        wire: The way to it.
        process: The child itself, if it is ours; ``None`` if the nursery bore it.
        handle: A file descriptor of a child that the nursery bore (``pidfd_open(2)``), so that no other process with the same number is
            ever killed in its place; -1 while it has not told its number.
        number: Its process id; 0 while it has not told it.
        enough: Bytes at which it has taken so much more than at first that it is ended; 0: no limit.
        asked: How often it has been asked.

    """

    wire: Connection
    process: subprocess.Popen[bytes] | None = None
    handle: int = -1
    number: int = 0
    enough: int = 0
    asked: int = 0

    def born(self, said: Reply, memory: int) -> None:
        """Take hold of a child that has told its number.

        Args:
            said: What it said first.
            memory: How much it may hold.

        """
        self.number = said.process_id
        self.enough = _enough(said.memory, memory)
        with suppress(OSError):
            self.handle = os.pidfd_open(said.process_id)

    def says(self, seconds: float) -> bool:
        """Wait until it says something, or is dead; return whether either is so. What it started may hold its pipe open when it is dead."""
        poll = select.poll()
        poll.register(self.wire.fileno(), select.POLLIN)
        if self.handle >= 0:
            poll.register(self.handle, select.POLLIN)
        return bool(poll.poll(max(0.0, seconds) * 1e3))

    def end(self) -> None:
        """Kill it, and what it has started. One that has not told its number yet ends by itself, because nobody listens."""
        self.wire.close()
        if self.handle >= 0:
            _end_group(self.number, self.handle)
            os.close(self.handle)
            self.handle = -1
        if self.process is not None:
            self.process.kill()
            self.process.wait(_SECONDS_TO_CLOSE)


def _enough(held: int, memory: int) -> int:
    """Return how much a child may hold before another one takes its place: half of what is left to it. 0: as much as it likes.

    Libraries take memory with the first question that they keep: what is held after it is what is usual.
    """
    return (held + memory) // 2 if memory else 0


class FencedRuntime:
    """A model in a child process. Not thread-safe: one question at a time. But any thread may stop it.

    Args:
        folder: The artifact.
        fence: The limits.
        nursery: Where children come from; ``None``: each is started by itself.

    """

    def __init__(self, folder: Path, fence: Fence, nursery: Nursery | None = None) -> None:
        self._folder = folder
        self._fence = fence
        self._nursery = nursery
        self._life: Life | None = None
        self._ready = False

    @property
    def is_alive(self) -> bool:
        """Whether there is a child: started, and neither dead nor killed as far as is known."""
        return self._life is not None

    def start(self) -> None:
        """Start the child without waiting until it is ready; one that runs already is left as it is.

        Raises:
            ArtifactError: The nursery cannot load the model.

        """
        if self._life is None:
            self._life = _spawn(self._folder, self._fence, "alone") if self._nursery is None else self._nursery.bear()
            self._ready = False

    def wait_until_ready(self, seconds: float | None = None) -> None:
        """Start the child if there is none, and wait until it has loaded the model.

        Args:
            seconds: How long at most; ``None``: as long as the fence allows.

        Raises:
            ArtifactError: It could not, or not as soon as the fence wants; it is gone.
            DeadlineExceeded: It is still loading after ``seconds``; it goes on.

        """
        self.start()
        if self._ready:
            return
        try:
            first = self._receive(self._fence.start_seconds if seconds is None else seconds)
        except DeadlineExceeded:
            if seconds is not None:
                raise
            self.stop()
            raise _slow_to_load(self._folder, self._fence.start_seconds) from None
        if first is None or not first.ready:
            self.stop()
            raise _cannot_load(self._folder, "" if first is None else first.failure or "")
        self._living().born(first, self._fence.memory)
        self._ready = True

    def run(self, columns: Columns, *, seconds: float) -> Outputs:
        """Answer the rows of ``columns``. If the child does not survive this, the next call starts another one.

        Raises:
            DeadlineExceeded: There was no answer within ``seconds``; a child that was asked has been killed.
            ModelFailed: The model raised (``model_failed``), died (``model_died``), or gave an answer that cannot be
                (``invalid_output``).

        """
        ends = time.monotonic() + seconds
        try:
            self.wait_until_ready(seconds)
        except ArtifactError:
            raise _died() from None
        said = self._ask(columns, max(0.0, ends - time.monotonic()), seconds)
        life = self._life
        if life is not None and said.failure == "MemoryError":
            # What earlier questions have left may have taken the room for this one.
            self.stop()
            if life.asked > 1:
                return self.run(columns, seconds=max(0.0, ends - time.monotonic()))
        if life is not None and life.asked == 1:
            life.enough = _enough(said.memory, self._fence.memory)
        if life is not None and life.enough and said.memory > life.enough:
            # It leaks. A new child is cheaper than one that dies in the middle of a request.
            self.stop()
        if said.code == "invalid_output":
            raise invalid_output()
        if said.failure is not None:
            raise model_failed(said.failure)
        try:
            return outputs_of(said)
        except ValueError:
            raise invalid_output() from None

    def stop(self) -> None:
        """End the child."""
        life, self._life = self._life, None
        self._ready = False
        if life is not None:
            life.end()

    def _ask(self, columns: Columns, left: float, seconds: float) -> Reply:
        try:
            life = self._living()
            life.asked += 1
            life.wire.send_bytes(ask(columns))
            said = self._receive(left)
        except DeadlineExceeded:
            self.stop()
            raise DeadlineExceeded(seconds) from None
        except OSError:
            said = None
        if said is None:
            self.stop()
            raise _died()
        return said

    def _receive(self, seconds: float) -> Reply | None:
        """Return what the child says next; ``None`` if it is gone, or talks nonsense."""
        return _receive(self._living(), seconds)

    def _living(self) -> Life:
        life = self._life
        if life is None:
            raise _died()  # somebody has stopped it meanwhile
        return life


class Nursery:
    """A child process that has loaded the model, and of which runtimes are forks. Thread-safe.

    Args:
        folder: The artifact.
        fence: The limits, of this process and of each fork.

    """

    def __init__(self, folder: Path, fence: Fence) -> None:
        self._folder = folder
        self._fence = fence
        self._life: Life | None = None
        self._lock = threading.Lock()

    def bear(self) -> Life:
        """Return a new child that has the model; the first one takes as long as the model takes to load.

        Raises:
            ArtifactError: The model cannot be loaded, or not in time.

        """
        ours, theirs = Pipe()
        with self._lock, closing(theirs):
            try:
                self._fork(theirs)
            except OSError:
                # The nursery itself is gone.
                self._stop()
                self._fork(theirs)
        return Life(wire=ours)

    def stop(self) -> None:
        """End the nursery, and with it all its children."""
        with self._lock:
            self._stop()

    def _fork(self, wire: Connection) -> None:
        if self._life is None:
            self._life = _spawn(self._folder, self._fence, "nursery")
            try:
                first = _receive(self._life, self._fence.start_seconds)
            except DeadlineExceeded:
                self._stop()
                raise _slow_to_load(self._folder, self._fence.start_seconds) from None
            if first is not None and first.ready:
                self._life.born(first, 0)
            if first is None or not first.ready:
                self._stop()
                raise _cannot_load(self._folder, "" if first is None else first.failure or "")
        with socket.socket(fileno=os.dup(self._life.wire.fileno())) as link:
            socket.send_fds(link, [b"+"], [wire.fileno()])

    def _stop(self) -> None:
        if self._life is not None:
            self._life.end()
            self._life = None


def _spawn(folder: Path, fence: Fence, mode: str) -> Life:
    """Start a child with an interpreter of its own."""
    ours, theirs = Pipe()
    with closing(theirs):
        process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "sekisho.predict.child"),
                *(str(folder), str(theirs.fileno()), str(os.getpid())),
                *(msgspec.json.encode(fence).decode(), mode),
            ],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            env=_SETTINGS | dict(os.environ),
        )
    return Life(wire=ours, process=process)


def _end_group(number: int, handle: int) -> None:
    """Kill a child and all in its group: what it has started.

    The number of a group is nobody else's as long as one of it lives; but of one that is dead and has left nobody, the number may be
    another's by now.
    """
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        os.killpg(number, signal.SIGKILL)
        return
    if not Path(f"/proc/{number}").exists():
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(number, signal.SIGKILL)


def _receive(life: Life, seconds: float) -> Reply | None:
    """Return what a child says next; ``None`` if it is gone, or talks nonsense.

    Raises:
        DeadlineExceeded: It says nothing.

    """
    try:
        if not life.says(seconds):
            raise DeadlineExceeded(seconds)
        return replied(life.wire.recv_bytes(LONGEST_ANSWER)) if life.wire.poll() else None
    except (EOFError, OSError, msgspec.DecodeError):
        return None


def _died() -> ModelFailed:
    return ModelFailed(
        "model_died",
        Text(en="the process of the model died", ja="モデルのプロセスが落ちました"),
        Text(
            en="try again; if it happens again, tell the operator of the service",
            ja="再試行し、繰り返すようならサービスの運用者に連絡してください",
        ),
    )


def _slow_to_load(folder: Path, seconds: float) -> ArtifactError:
    return ArtifactError(
        Text(en=f"the model is not loaded after {seconds:g} s", ja=f"{seconds:g} 秒たってもモデルを読み込めません"),
        Text(
            en="raise serving.start_seconds, or see what it waits for while it loads: a network, a lock, a file",
            ja="serving.start_seconds を上げるか、読み込み中に何を待っているか（ネットワーク、ロック、ファイル）を調べてください",
        ),
        where=folder,
    )


def _cannot_load(folder: Path, failure: str) -> ArtifactError:
    reason = failure or "the process died while it was loading"
    return ArtifactError(
        Text(en=f"the model cannot be loaded: {reason}", ja=f"モデルを読み込めません: {reason}"),
        Text(
            en="install the versions in the artifact's requirements.lock, or pack the model again",
            ja="成果物の requirements.lock にある版を導入するか、モデルをパックし直してください",
        ),
        where=folder,
    )
