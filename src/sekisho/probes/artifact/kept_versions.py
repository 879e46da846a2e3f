"""Where the versions of the model are kept, and whether one of them can ever stand for other bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.registry.registry import Registry
from sekisho.contract.project import Project
from sekisho.errors import ArtifactError, Conflict, NotFound, SekishoError
from sekisho.gate.probe import probe
from sekisho.probes.files.past_versions import committed, neighbours, plain_version, recorded, version_of
from sekisho.probes.files.scratch_registry import Trial, try_registry, written
from sekisho.probes.resources.artifacts import ModelFiles
from sekisho.probes.resources.version_place import VersionPlace
from sekisho.text import Text

ID: Final = "artifact/kept-versions"
LEDGER: Final = "ledger.sqlite"
Kind = Literal["registry", "git", "folders", "none"]


@dataclass(frozen=True, kw_only=True, slots=True)
class InRegistry:
    """What the registry says of the model.

    Attributes:
        published: The digest under this name and version; ``None`` when the version is not there.
        events: How much its history holds.
        whole: Whether the history is a chain and the content of this version is what it must be.
        alias: The alias that stands for what is live.
        live: The version that it stands for; ``None`` when for none.
        refused: Whether publishing other bytes under this version would be refused, by the registry's own word.
        trial: What came of trying a scratch registry of the same kind; ``None`` when none could be made.

    """

    published: str | None
    events: int
    whole: bool
    alias: str
    live: str | None
    refused: bool
    trial: Trial | None


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptVersions:
    """Where the versions of the model are kept.

    Attributes:
        kind: A registry of Sekisho's, the history of git, a folder for each version, or nowhere.
        name: The model.
        version: The version at hand; ``None`` when nothing states one.
        digest: The digest of the model at hand.
        seen: The digest of every version that can be seen now, so that it is remembered.
        earlier: How many versions were seen before, in git or by earlier runs.
        changed: Versions seen now that have stood for other bytes before.
        registry: What the registry says; ``None`` when there is none.
        trouble: Why the registry could not be asked; ``None`` when it could.
        damaged: Whether the trouble is that somebody or something has changed it.

    """

    kind: Kind
    name: str
    version: str | None
    digest: str
    seen: Mapping[str, str]
    earlier: int
    changed: tuple[str, ...]
    registry: InRegistry | None
    trouble: Text | None
    damaged: bool


@probe(ID, title=Text(en="Look where versions are kept", ja="バージョンの保管場所を確認"), seconds=3)
def kept_versions(
    project: Project, place: VersionPlace, files: ModelFiles, artifact: ModelArtifact | None
) -> KeptVersions:
    """Ask the registry; without one, look into git, folders of versions, and what earlier runs have seen."""
    name = project.contract.model.name if artifact is None else artifact.name
    version = version_of(files) if artifact is None else artifact.version
    digest = files.digest if artifact is None else artifact.digest
    seen = neighbours(files) | ({} if version is None else {version: digest})
    before = recorded(project.state / LEDGER, ID, name)
    found: InRegistry | None = None
    trouble: SekishoError | None = None
    if artifact is not None:
        try:
            found = _in_registry(project, place, artifact)
        except NotFound:
            pass
        except SekishoError as error:
            trouble = error
    # Where there is a registry, its word counts, and not what lay about here while the model was being made.
    history = () if found or trouble else committed(project.root, files.path)
    remembered = () if found or trouble else tuple(pair for each in before for pair in each.items())
    return KeptVersions(
        kind="registry" if found or trouble else "git" if history else "folders" if neighbours(files) else "none",
        name=name,
        version=version,
        digest=digest,
        seen=seen,
        earlier=len({plain_version(each) for each, _ in (*remembered, *history)}),
        # Git may keep a pointer in the place of a large file, so that its digests are compared among themselves.
        changed=_changed(seen, (*remembered, *seen.items()), history),
        registry=found,
        trouble=None if trouble is None else trouble.what,
        damaged=isinstance(trouble, ArtifactError),
    )


def _changed(seen: Iterable[str], *records: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return those of the versions ``seen`` now that stand for more than one digest in one of the records."""
    found: set[str] = set()
    for record in records:
        first: dict[str, str] = {}
        for version, digest in record:
            if first.setdefault(plain_version(version), digest) != digest:
                found.add(plain_version(version))
    return tuple(sorted(found & set(map(plain_version, seen))))


def _in_registry(project: Project, place: VersionPlace, artifact: ModelArtifact) -> InRegistry:
    """Ask the registry about the artifact.

    Raises:
        NotFound: There is no registry, or it knows no such model.
        SekishoError: It is damaged, or cannot be read.

    """
    registry = Registry(place.location)
    alias = project.contract.registry.alias
    events = registry.history(artifact.name)
    published = next((event for event in events if event.version == artifact.version), None)
    live = next((each.version for each in registry.live(artifact.name) if each.alias == alias), None)
    with tempfile.TemporaryDirectory(prefix="sekisho-") as folder:
        whole = published is None or _is_whole(registry, artifact, Path(folder) / "fetched")
        other = written(Path(folder) / "other", artifact.version, "other bytes", name=artifact.name)
        refused = published is None or _is_refused(registry, other)
    return InRegistry(
        published=None if published is None else published.digest,
        events=len(events),
        whole=whole,
        alias=alias,
        live=live,
        refused=refused,
        trial=_tried(place.location),
    )


def _is_whole(registry: Registry, artifact: ModelArtifact, folder: Path) -> bool:
    try:
        registry.fetch(f"{artifact.name}@{artifact.version}", folder)
    except SekishoError:
        return False
    return True


def _is_refused(registry: Registry, folder: Path) -> bool:
    try:
        registry.would_publish(folder)
    except Conflict:
        return True
    return False


def _tried(location: str) -> Trial | None:
    try:
        return try_registry(location)
    except SekishoError:
        return None
