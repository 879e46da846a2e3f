"""The model that scores: a graph in this process, on every core; any native model in processes of its own."""

from __future__ import annotations

import os
import queue
from typing import TYPE_CHECKING, Final

from sekisho.predict.fence import Fence, FencedRuntime, Nursery
from sekisho.predict.predictor import Predictor
from sekisho.predict.proving import compare_golden, golden_rows

if TYPE_CHECKING:
    from sekisho.artifact.artifact import ModelArtifact
    from sekisho.artifact.formats.interface import Outputs
    from sekisho.artifact.signature import Signature
    from sekisho.predict.predictor import Prepared

ONNX: Final = "onnx"
MOST_ROWS: Final = 4_096
"""Rows of one run: beyond it nothing gets faster, and what a layer holds no longer fits the cache of a core."""
DEADLINE_SECONDS: Final = 600.0
"""How long a process of a native model may take for one run."""


class Engine:
    """A model, proven on its golden rows, and ready to be asked from several threads.

    Args:
        artifact: The model.
        signature: Its signature, with the policies that hold.
        workers: Threads that ask; of a native model, processes.
        fence: The limits of such a process.

    Raises:
        SekishoError: It cannot be loaded, or answers its golden rows otherwise than when it was packed.

    """

    def __init__(self, artifact: ModelArtifact, signature: Signature, *, workers: int | None, fence: Fence) -> None:
        self.workers = workers or len(os.sched_getaffinity(0))
        self._nursery: Nursery | None = None
        self._idle: queue.SimpleQueue[FencedRuntime] = queue.SimpleQueue()
        self._children: list[FencedRuntime] = []
        # A graph can run no code of its own; one whose work grows with what stands in a row could still run without end.
        if artifact.runtime_name == ONNX and not artifact.sized_by_rows():
            artifact.verify()
            self.predictor = Predictor(signature, artifact.runtime())
            return
        self.predictor = Predictor(signature, None)
        assert artifact.folder is not None
        self._nursery = Nursery(artifact.folder, fence)
        try:
            for _ in range(self.workers):
                self._children.append(FencedRuntime(artifact.folder, fence, self._nursery))
                self._children[-1].wait_until_ready()
                self._idle.put(self._children[-1])
            proof = golden_rows(artifact, self.predictor)
            if proof is not None:
                compare_golden(artifact, self.run(proof))
        except BaseException:
            self.close()
            raise

    def run(self, prepared: Prepared) -> Outputs:
        """Ask the model. Thread-safe.

        Raises:
            ModelFailed: It raised, died or did not answer.

        """
        if self._nursery is None:
            return self.predictor.run(prepared)
        child = self._idle.get()
        try:
            return child.run(self.predictor.columns(prepared), seconds=DEADLINE_SECONDS)
        finally:
            self._idle.put(child)

    def close(self) -> None:
        """End the processes of the model."""
        for child in self._children:
            child.stop()
        if self._nursery is not None:
            self._nursery.stop()
