"""Where the versions of the model are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sekisho.artifact.registry.opening import location_of
from sekisho.contract.project import Project
from sekisho.gate.probe import resource
from sekisho.text import Text


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionPlace:
    """The registry that the environment or the contract names, whether or not there is one.

    It has no digest: what others publish and promote there changes from one minute to the next, so that nothing measured about it is kept.

    Attributes:
        location: A path or the address of a bucket.

    """

    location: str


@resource(title=Text(en="Find the registry", ja="レジストリを探す"))
def version_place(project: Project) -> Iterator[VersionPlace]:
    """Yield where the versions are kept."""
    yield VersionPlace(location=location_of(project))
