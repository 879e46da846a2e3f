"""Bringing a model to life in a worker: loaded, proven on its golden rows, and watched as long as it serves."""

from __future__ import annotations

from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Final

from sekisho.errors import ArtifactError, ModelFailed
from sekisho.predict.answers import invalid_output
from sekisho.predict.batching import UNMEASURED, by_wish, measure
from sekisho.predict.fence import Fence, FencedRuntime, Nursery
from sekisho.predict.policies import apply_policies
from sekisho.predict.predictor import Predictor
from sekisho.predict.proving import compare_golden, golden_rows
from sekisho.serving.running.elsewhere import Elsewhere
from sekisho.serving.running.in_process import InProcess
from sekisho.serving.schema import example_row
from sekisho.serving.settings import ServingSettings
from sekisho.text import Text

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from sekisho.artifact.artifact import ModelArtifact
    from sekisho.artifact.signature import Signature
    from sekisho.predict.batching import Batching
    from sekisho.predict.predictor import Prepared
    from sekisho.predict.rows import Row
    from sekisho.serving.running.jobs import Desk, Runner

ONNX: Final = "onnx"
"""The only runtime that may run in the serving process: a graph cannot run code of its own."""
_TRIES: Final = 3


def with_policies(signature: Signature, settings: ServingSettings) -> Signature:
    """Return a signature whose features follow the policies of the service, where it states them."""
    return apply_policies(
        signature,
        out_of_range=settings.out_of_range,
        unseen_category=settings.unseen_category,
        terms=settings.features,
    )


def fence_of(settings: ServingSettings, digest: str) -> Fence:
    """Return the limits of a child process that runs the artifact with this digest, and no other."""
    return Fence(
        memory=settings.model_memory,
        start_seconds=settings.start_seconds,
        trust=settings.trust,
        trusted_types=settings.trusted_types,
        library_mismatch=settings.library_mismatch,
        digest=digest,
    )


def prove_fenced(
    artifact: ModelArtifact, runtime: FencedRuntime, *, seconds: float, deadline: float | None = None
) -> None:
    """Run the golden rows, or one made up where there are none, in a child process with limits on memory and time, which is ended after.

    A graph that allocates without bound or never ends shows it here, before it is let into a serving process.

    Args:
        artifact: Whose rows.
        runtime: The child.
        seconds: How long it may take to answer.
        deadline: How long one row may take once the model is warm; ``None``: as long.

    Raises:
        SekishoError: The model cannot be loaded, fails, hangs, is too slow, or answers otherwise than it did when it was packed.

    """
    try:
        runtime.start()
        predictor = Predictor(artifact.signature, None)
        prepared = golden_rows(artifact, predictor)
        runtime.wait_until_ready()
        if prepared is not None:
            outputs = runtime.run(predictor.columns(prepared), seconds=seconds)
            compare_golden(artifact, outputs)
            if predictor.read(outputs, prepared.rows).unsound:
                raise invalid_output()
        usual = example_row(artifact.signature) if prepared is None else dict(artifact.golden.rows[0])
        one = predictor.prepare([predictor.reader.read(usual, row=0)])
        if deadline is not None:
            _time(predictor, one, runtime, deadline)
        elif prepared is None:
            runtime.run(predictor.columns(one), seconds=seconds)
    finally:
        runtime.stop()


def _time(predictor: Predictor, one: Prepared, runtime: FencedRuntime, deadline: float) -> None:
    """Refuse a model that does not answer one row in time; the quickest of three tries counts, since others use the machine as well."""
    columns = predictor.columns(one)
    for _ in range(_TRIES):
        began = monotonic()
        outputs = runtime.run(columns, seconds=2.0 * deadline + 1.0)
        if predictor.read(outputs, 1).unsound:
            raise invalid_output()
        if monotonic() - began <= deadline:
            return
    raise ArtifactError(
        Text(
            en=f"the model takes longer for one row than the deadline of {deadline:g} seconds",
            ja=f"1行の予測に、制限時間の {deadline:g} 秒より長くかかります",
        ),
        Text(en="make the model faster, or the deadline longer", ja="モデルを速くするか、制限時間を延ばしてください"),
    )


class Model:
    """The model of one worker.

    Args:
        artifact: The artifact.
        signature: Its signature, with the policies of the service.
        settings: How the service runs.

    Attributes:
        batching: What batches cost, and what follows; measured when a model is loaded into this process.

    """

    def __init__(self, artifact: ModelArtifact, signature: Signature, settings: ServingSettings) -> None:
        self._artifact = artifact
        self._is_ours = artifact.runtime_name == ONNX and not artifact.sized_by_rows()
        self._signature = signature
        self._settings = settings
        self._predictor: Predictor | None = None
        self._children: list[FencedRuntime] = []
        self._nursery: Nursery | None = None
        self.batching = by_wish(settings.batching, UNMEASURED)

    @property
    def is_ours(self) -> bool:
        """Whether the model runs in this process: a graph whose work does not depend on what a caller sends."""
        return self._is_ours

    def load(self) -> None:
        """Load the model, and prove it on its golden rows. Takes a while; for a thread.

        Raises:
            SekishoError: It cannot be loaded, or answers otherwise than it did when it was packed.

        """
        if self.is_ours:
            self._predictor = Predictor(self._signature, self._artifact.runtime())
            self.prove()
            self.time_batches()
            return
        assert self._artifact.folder is not None
        self._predictor = Predictor(self._signature, None)
        fence = fence_of(self._settings, self._artifact.digest)
        self._nursery = Nursery(self._artifact.folder, fence)
        for _ in range(self._settings.model_processes):
            child = FencedRuntime(self._artifact.folder, fence, self._nursery)
            child.wait_until_ready()
            self._children.append(child)
        self.prove()

    def prove(self) -> None:
        """Compare the answers to the golden rows with those that were packed.

        Raises:
            ArtifactError: They are others.
            ModelFailed: There are none.

        """
        predictor = self._predictor
        assert predictor is not None
        prepared = golden_rows(self._artifact, predictor)
        if self.is_ours and prepared is not None:
            compare_golden(self._artifact, predictor.run(prepared))
        for child in self._children:
            self._prove_child(child)

    def _prove_child(self, child: FencedRuntime) -> None:
        """Compare a child's answers to the golden rows; without any, ask it a row that is made up, so that it has been asked once."""
        predictor = self._predictor
        assert predictor is not None
        seconds = self._settings.start_seconds
        prepared = golden_rows(self._artifact, predictor)
        if prepared is not None:
            compare_golden(self._artifact, child.run(predictor.columns(prepared), seconds=seconds))
            return
        row = predictor.reader.read(example_row(self._artifact.signature), row=0)
        with suppress(ModelFailed):
            child.run(predictor.columns(predictor.prepare([row])), seconds=seconds)

    def runner(self, desk: Desk, loop: asyncio.AbstractEventLoop, died: Callable[[], None]) -> Runner:
        """Return what brings jobs to the model.

        Args:
            desk: Where answers go.
            loop: The event loop.
            died: Told about every process of the model that had to be started again.

        """
        assert self._predictor is not None
        if self.is_ours:
            return InProcess(self._predictor, desk, loop, self.batching)
        return Elsewhere(self._predictor, self._children, desk, loop, died, self._prove_child, self._settings.batching)

    def time_batches(self) -> None:
        """Find out what batches cost; a model that fails at it is taken as it comes. Takes a moment; for a thread, while nobody asks."""
        predictor = self._predictor
        assert predictor is not None
        rows = [dict(row) for row in self._artifact.golden.rows] or [example_row(self._artifact.signature)]
        cells = [predictor.reader.read(row, row=at) for at, row in enumerate(rows)]
        # In this process everybody waits for a batch, elsewhere only those who are in it.
        longest, seconds = (0.005, 0.06) if self.is_ours else (0.05, 0.3)

        def run(rows: Sequence[Row]) -> object:
            prepared = predictor.prepare(rows)
            if self.is_ours:
                return predictor.read(predictor.run(prepared), prepared.rows)
            outputs = self._children[0].run(predictor.columns(prepared), seconds=self._settings.deadline_seconds)
            return predictor.read(outputs, prepared.rows)

        with suppress(ModelFailed):
            self.batching = by_wish(self._settings.batching, measure(run, cells, longest=longest, seconds=seconds))

    def close(self) -> None:
        """End its processes, and let go of it."""
        for child in self._children:
            child.stop()
        if self._nursery is not None:
            self._nursery.stop()
        self._children, self._predictor, self._nursery = [], None, None

    def is_sound(self) -> bool:
        """Whether the model still answers its golden rows as it did. One that runs elsewhere is not asked: it may be busy."""
        if not self.is_ours:
            return True
        try:
            self.prove()
        except (ArtifactError, ModelFailed):
            return False
        return True


def batching_of(artifact: ModelArtifact) -> Batching:
    """Return what batches of a model cost on this machine; it is loaded for that as a service would.

    Raises:
        SekishoError: It cannot be loaded, or answers otherwise than it did when it was packed.

    """
    assert artifact.folder is not None
    settings = ServingSettings(model_processes=1)
    if artifact.runtime_name == ONNX:
        fenced = FencedRuntime(artifact.folder, fence_of(settings, artifact.digest))
        prove_fenced(artifact, fenced, seconds=settings.start_seconds)
    model = Model(artifact, artifact.signature, settings)
    try:
        model.load()
        model.time_batches()
        return model.batching
    finally:
        model.close()
