"""All models of one worker: which there are, and where each is asked."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sekisho.artifact.artifact import ModelArtifact
from sekisho.serving.hosted import Hosted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sekisho.serving.front import Place
    from sekisho.serving.hosted import Surroundings
    from sekisho.serving.lineup import Lineup, Served
    from sekisho.serving.openapi import Facts
    from sekisho.serving.settings import ServingSettings


class Hosting:
    """The models of one worker.

    Args:
        lineup: What is served.
        around: What the models share.

    Attributes:
        lineup: What is served at the moment.

    """

    def __init__(self, lineup: Lineup, around: Surroundings) -> None:
        self.lineup = lineup
        self._around = around
        self._hosted: dict[tuple[str, str], Hosted] = {}

    def host(self, served: Served) -> Hosted:
        """Return a version made ready to be loaded. For any thread.

        Raises:
            SekishoError: Its folder does not hold what it should, or the service's policies do not fit it.

        """
        artifact = open_artifact(served, self._around.settings)
        several = len(self.lineup.names) > 1
        return Hosted(
            served,
            artifact,
            self._around,
            versions=partial(self._versions, served.name),
            states=self.states if several else dict,
        )

    def take_in(self, hosted: Hosted) -> None:
        """Have one more."""
        self._hosted[hosted.served.name, hosted.served.digest] = hosted

    def switch(self, lineup: Lineup) -> list[Hosted]:
        """Serve another lineup, all of whose versions are here; return those that are served no more."""
        self.lineup = lineup
        for served in lineup.models:
            self._hosted[served.name, served.digest].served = served
        kept = {(one.name, one.digest) for one in lineup.models}
        gone = [self._hosted.pop(key) for key in [key for key in self._hosted if key not in kept]]
        for hosted in self:
            hosted.note()
        return gone

    def __iter__(self) -> Iterator[Hosted]:
        return iter(self._hosted.values())

    def find(self, served: Served) -> Hosted | None:
        """Return a version that is here, if it is."""
        return self._hosted.get((served.name, served.digest))

    def live(self, name: str) -> Hosted:
        """Return what the name of a model means."""
        served = self.lineup.live(name)
        return self._hosted[served.name, served.digest]

    @property
    def default(self) -> Hosted:
        """What is asked where no model is named."""
        return self.live(self.lineup.default)

    def states(self) -> dict[str, str]:
        """Return what every model is up to, by name."""
        return {name: self.live(name).health.state for name in self.lineup.names}

    def facts(self) -> tuple[Facts, ...]:
        """Return what the documents say of every live version, that of the default first."""
        names = sorted(self.lineup.names, key=lambda name: name != self.lineup.default)
        return tuple(self.live(name).facts for name in names)

    def places(self) -> dict[str, Place]:
        """Return all routes of all models, by path."""
        return {path: place for hosted in self for path, place in hosted.places(default=hosted is self.default)}

    def told(self) -> dict[str, Any]:
        """Return what is told of all models."""
        return {"default": self.lineup.default, "models": [self.told_of(name) for name in self.lineup.names]}

    def told_of(self, name: str) -> dict[str, Any]:
        """Return what is told of one model."""
        live = self.live(name)
        versions = [{"version": one.version, "digest": one.digest, "role": one.role} for one in self.lineup.of(name)]
        return {
            "name": name,
            "version": live.served.version,
            "digest": live.served.digest,
            "state": live.health.state,
            "versions": versions,
        }

    def infer_paths(self) -> set[str]:
        """Return what requests over gRPC are counted under."""
        return {hosted.infer.path for hosted in self if hosted.infer is not None}

    def infers(self) -> dict[tuple[str, str], Place]:
        """Return where inference over gRPC goes, by name and version, and by name alone; the default comes first."""
        found: dict[tuple[str, str], Place] = {}
        for hosted in sorted(self, key=lambda one: one is not self.default):
            served, place = hosted.served, hosted.infer_place()
            if served.role == "live":
                found[served.name, ""] = place
            found[served.name, served.version] = place
        return found

    def _versions(self, name: str) -> Sequence[str]:
        return [one.version for one in self.lineup.of(name)]


def open_artifact(served: Served, settings: ServingSettings) -> ModelArtifact:
    """Return the artifact of a version: the very one that was verified, and no other that lies in its folder meanwhile.

    Raises:
        SekishoError: It is another, or is damaged.

    """
    return ModelArtifact.load(
        served.path,
        trust=settings.trust,
        trusted_types=settings.trusted_types,
        library_mismatch=settings.library_mismatch,
        digest=served.digest,
    )
