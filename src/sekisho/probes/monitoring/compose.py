"""Whether the files that the Compose file mounts exist: a missing one comes up as an empty folder, and nothing is scraped."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sekisho.contract.project import Project
from sekisho.errors import NotMeasured
from sekisho.gate.probe import probe
from sekisho.probes.resources.files import COMPOSE_NAMES
from sekisho.text import Text


@dataclass(frozen=True, kw_only=True, slots=True)
class ComposeMounts:
    """What a Compose file takes from the project's folder.

    Attributes:
        file: The Compose file, from the project's folder; ``None`` when there is none.
        mounts: How many files and folders of the project it mounts.
        missing: Those that do not exist.

    """

    file: str | None
    mounts: int
    missing: tuple[str, ...]


@probe(
    "monitoring/compose",
    title=Text(en="Look for what Compose mounts", ja="Compose がマウントするファイルを確認"),
    seconds=1,
)
def compose(project: Project) -> ComposeMounts:
    """Read the Compose file of the contract, or one with a usual name, and look for all that it mounts.

    Raises:
        NotMeasured: It is named and not there, or is no YAML.

    """
    import yaml

    named = project.contract.infrastructure.compose
    candidates = (named,) if named else COMPOSE_NAMES
    path = next((project.path(name) for name in candidates if project.path(name).is_file()), None)
    if path is None and named is None:
        return ComposeMounts(file=None, mounts=0, missing=())
    try:
        document = yaml.safe_load(project.path(named or "").read_bytes() if path is None else path.read_bytes())
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        raise NotMeasured(
            Text(en="the Compose file cannot be read", ja="Compose ファイルを読み込めません"),
            Text(en="check infrastructure.compose", ja="infrastructure.compose を確認してください"),
            where=named or path,
        ) from None
    assert path is not None
    sources = sorted(set(_sources(document)))
    missing = tuple(source for source in sources if not _there(path.parent, source))
    return ComposeMounts(file=path.relative_to(project.root).as_posix(), mounts=len(sources), missing=missing)


def _sources(document: object) -> Iterator[str]:
    """Yield the places in the project that services, configs and secrets take files from."""
    if not isinstance(document, Mapping):
        return
    for service in _values(document.get("services")):
        volumes = service.get("volumes")
        for volume in volumes if isinstance(volumes, list) else ():
            if isinstance(volume, str) and volume.startswith((".", "~", "/", "$")) and ":" in volume:
                yield volume.split(":")[0]
            elif isinstance(volume, Mapping) and volume.get("type") == "bind":
                yield str(volume.get("source"))
    for section in ("configs", "secrets"):
        for entry in _values(document.get(section)):
            if isinstance(file := entry.get("file"), str):
                yield file


def _values(section: object) -> Iterator[Mapping[str, object]]:
    for value in section.values() if isinstance(section, Mapping) else ():
        if isinstance(value, Mapping):
            yield value


def _there(folder: Path, source: str) -> bool:
    expanded = os.path.expandvars(source)
    if "$" in expanded or expanded.startswith(("/", "~")):
        return True  # a place on the machine that runs it, not in the project
    return (folder / expanded).exists()
