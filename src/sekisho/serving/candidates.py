"""What is asked of an artifact before it may answer anybody: that it is what its manifest says, that it may go live, that it behaves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import msgspec

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.keys import TrustedKeys
from sekisho.errors import SekishoError, WrongUse
from sekisho.predict.fence import FencedRuntime
from sekisho.serving.lineup import Lineup, Served
from sekisho.serving.model import ONNX, fence_of, prove_fenced
from sekisho.serving.passing import check_pass
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sekisho.serving.settings import ServingSettings

MOST_AT_ONCE: Final = 4
"""Graphs that are tried side by side when a service starts."""


def verified(folder: Path, settings: ServingSettings, digest: str | None = None) -> ModelArtifact:
    """Return the artifact in a folder, once all of it is found to be what the deployer asks for.

    Args:
        folder: Where it lies.
        settings: How the service runs.
        digest: The artifact that must be there; ``None``: any.

    Raises:
        SekishoError: It is damaged, not signed, of other libraries, or the checkpoint has not let it through.

    """
    artifact = ModelArtifact.load(
        folder,
        trust=settings.trust,
        trusted_types=settings.trusted_types,
        keys=TrustedKeys.read(settings.trusted_keys),
        require_signature=settings.require_signature,
        library_mismatch=settings.library_mismatch,
        digest=digest,
    )
    check_pass(artifact.digest, settings)
    return artifact


def served_as(artifact: ModelArtifact, name: str) -> Served:
    """Return how an artifact is served under ``name``; if that is empty, as it was packed."""
    assert artifact.folder is not None
    return Served(
        name=name or artifact.name,
        version=artifact.version,
        digest=artifact.digest,
        folder=str(artifact.folder.resolve()),
        watched=artifact.reference is not None,
    )


def lineup_of(served: Sequence[Served], default: str | None) -> Lineup:
    """Return what is served at first: of each model, the version that was given first is live.

    Raises:
        WrongUse: A version is given twice, or there is no model that is called like ``default``.

    """
    models: list[Served] = []
    for one in served:
        if any((one.name, one.version) == (other.name, other.version) for other in models):
            raise WrongUse(
                Text(
                    en=f"{one.name} {one.version} is given twice", ja=f"{one.name} {one.version} が2回指定されています"
                ),
                Text(
                    en="give each another name: NAME=ARTIFACT",
                    ja="名前=成果物 の形で、別々の名前を付けてください",
                ),
                where=one.folder,
            )
        is_first = all(one.name != other.name for other in models)
        models.append(one if is_first else msgspec.structs.replace(one, role="beside"))
    names = [one.name for one in models]
    if default is not None and default not in names:
        raise WrongUse(
            Text(en="there is no model of the name that is the default", ja="既定に指定された名前のモデルがありません"),
            Text(en=f"name one of: {', '.join(names)}", ja=f"次から指定してください: {', '.join(names)}"),
        )
    return Lineup(default=default or names[0], models=tuple(models))


class Rehearsals:
    """Graphs that are tried behind a fence, before they are let into the serving processes. Any thread may stop them."""

    def __init__(self) -> None:
        self._runtimes: list[FencedRuntime] = []
        self._ended = False

    def prove(self, artifact: ModelArtifact, settings: ServingSettings) -> None:
        """Run the golden rows of a graph behind a fence. Any other model never leaves its own.

        Raises:
            SekishoError: It cannot be loaded, fails, hangs, or answers otherwise than it did when it was packed.

        """
        if artifact.runtime_name == ONNX:
            self._run(artifact, settings)

    def try_out(self, artifact: ModelArtifact, settings: ServingSettings) -> None:
        """Do the same with any model that shall take the place of another, and see that it answers in time.

        Raises:
            SekishoError: It cannot be loaded, fails, hangs, is too slow, or answers otherwise than it did when it was packed.

        """
        self._run(artifact, settings, deadline=settings.deadline_seconds)

    def _run(self, artifact: ModelArtifact, settings: ServingSettings, deadline: float | None = None) -> None:
        if self._ended:
            return
        assert artifact.folder is not None
        runtime = FencedRuntime(artifact.folder.resolve(), fence_of(settings, artifact.digest))
        self._runtimes.append(runtime)
        try:
            prove_fenced(artifact, runtime, seconds=settings.start_seconds, deadline=deadline)
        finally:
            self._runtimes.remove(runtime)

    def prove_all(self, artifacts: Sequence[ModelArtifact], settings: ServingSettings) -> SekishoError | None:
        """Try several graphs side by side; return what is wrong with the first that fails."""

        def prove(artifact: ModelArtifact) -> SekishoError | None:
            try:
                self.prove(artifact, settings)
            except SekishoError as error:
                error.where = error.where or str(artifact.folder)
                return error
            return None

        if len(artifacts) == 1:
            return prove(artifacts[0])
        with ThreadPoolExecutor(max_workers=MOST_AT_ONCE) as threads:
            return next(filter(None, threads.map(prove, artifacts)), None)

    def stop(self) -> None:
        """End all of them."""
        self._ended = True
        for runtime in list(self._runtimes):
            runtime.stop()
