"""A model behind a fence: it runs in a child process that is killed at the deadline and started anew.

Code that can hang, leak or die (any native Python runtime) runs here for as long as the service lives; an ONNX graph runs here
once, before it is let into the serving process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from multiprocessing import Pipe
from typing import TYPE_CHECKING, Final

import msgspec

from sekisho.errors import ArtifactError, DeadlineExceeded, ModelFailed
from sekisho.predict.answers import invalid_output, model_failed
from sekisho.predict.parcels import Reply, ask, outputs_of, replied
from sekisho.text import Text

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

    from sekisho.artifact.formats.interface import Columns, Outputs

DEFAULT_MEMORY: Final = 4 * 2**30
DEFAULT_START_SECONDS: Final = 60.0
_SECONDS_TO_CLOSE: Final = 2.0


class Fence(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a child.

    Attributes:
        memory: Bytes of data that it may hold; 0 sets no limit. What asks for more fails inside the child.
        start_seconds: How long it may take to load the model.
        trust: Whether formats that run code on load may be read.
        trusted_types: Types that a skops file may hold beyond the curated list.

    """

    memory: int = DEFAULT_MEMORY
    start_seconds: float = DEFAULT_START_SECONDS
    trust: bool = False
    trusted_types: tuple[str, ...] = ()


class FencedRuntime:
    """A model in a child process. Not thread-safe: one question at a time.

    Args:
        folder: The artifact.
        fence: The limits.

    """

    def __init__(self, folder: Path, fence: Fence) -> None:
        self._folder = folder
        self._fence = fence
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: Connection | None = None
        self._ready = False
        self._started = 0.0

    @property
    def process_id(self) -> int | None:
        """The process id of the child; ``None`` while there is none."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the child without waiting until it is ready."""
        ours, theirs = Pipe()
        try:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "sekisho.predict.child"),
                    *(str(self._folder), str(theirs.fileno()), str(os.getpid())),
                    msgspec.json.encode(self._fence).decode(),
                ],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
            )
        finally:
            theirs.close()
        self._wire = ours
        self._ready = False
        self._started = time.monotonic()

    def wait_until_ready(self, seconds: float) -> None:
        """Wait until the child has loaded the model.

        Raises:
            ArtifactError: It could not.
            DeadlineExceeded: It is still loading after ``seconds``.

        """
        if self._wire is None:
            self.start()
        if self._ready:
            return
        first = self._receive(seconds)
        if first is None or not first.ready:
            self.stop()
            raise _cannot_load(self._folder, "" if first is None else first.failure or "")
        self._ready = True

    def run(self, columns: Columns, *, seconds: float) -> Outputs:
        """Answer the rows of ``columns``.

        Raises:
            DeadlineExceeded: There was no answer within ``seconds``; the child has been killed and another one started.
            ModelFailed: The model raised (``model_failed``), died (``model_died``; another child has been started) or gave
                an answer that cannot be (``invalid_output``).

        """
        ends = time.monotonic() + seconds
        try:
            self.wait_until_ready(min(seconds, max(0.0, self._started + self._fence.start_seconds - time.monotonic())))
        except ArtifactError:
            raise _died() from None
        except DeadlineExceeded:
            if time.monotonic() > self._started + self._fence.start_seconds:
                self.restart()
            raise DeadlineExceeded(seconds) from None
        said = self._ask(columns, max(0.0, ends - time.monotonic()), seconds)
        if said.failure is not None:
            raise model_failed(said.failure)
        if self._fence.memory and said.memory > self._fence.memory // 2:
            # It leaks. A new child is cheaper than one that dies in the middle of a request.
            self.restart()
        try:
            return outputs_of(said)
        except ValueError:
            raise invalid_output() from None

    def _ask(self, columns: Columns, left: float, seconds: float) -> Reply:
        assert self._wire is not None
        try:
            self._wire.send_bytes(ask(columns))
            said = self._receive(left)
        except DeadlineExceeded:
            self.restart()
            raise DeadlineExceeded(seconds) from None
        except OSError:
            said = None
        if said is None:
            self.restart()
            raise _died()
        return said

    def restart(self) -> None:
        """Kill the child and start another one, without waiting for it."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """End the child."""
        process, wire = self._process, self._wire
        self._process = self._wire = None
        self._ready = False
        if wire is not None:
            wire.close()
        if process is not None:
            process.kill()
            process.wait(_SECONDS_TO_CLOSE)

    def _receive(self, seconds: float) -> Reply | None:
        """Return what the child says next; ``None`` if it is gone, or talks nonsense."""
        assert self._wire is not None
        if not self._wire.poll(seconds):
            raise DeadlineExceeded(seconds)
        try:
            return replied(self._wire.recv_bytes())
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
