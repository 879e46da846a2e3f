"""Every place that names the version of the model: manifest, metadata, each route of the service, and the labels of its metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sekisho.artifact.artifact import ModelArtifact
from sekisho.contract.project import Project
from sekisho.errors import SekishoError
from sekisho.gate.probe import probe
from sekisho.probes.files.past_versions import plain_version
from sekisho.probes.inference.surface import Surface
from sekisho.probes.resources.artifacts import ModelFiles
from sekisho.probes.resources.series import exposition
from sekisho.probes.resources.service import Service
from sekisho.probes.resources.written import SYNONYMS, read_written
from sekisho.probes.wire.message import Request
from sekisho.text import Text

_LABELS: Final = ("model_version", "modelversion", "model_ver")
_PLAIN_LABEL: Final = "version"
_OF_A_MODEL: Final = ("predict", "model", "inference")


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedVersions:
    """Who names which version.

    Attributes:
        versions: The version by place: the name of a folder or file, ``manifest``, ``metadata.json: version``, the name of a route, ``/metrics: label``.
        asked: Whether a service was asked.

    """

    versions: Mapping[str, str]
    asked: bool


@probe(
    "artifact/named-versions", title=Text(en="Compare the versions named", ja="表示されるバージョンを照合"), seconds=1
)
def named_versions(
    project: Project,
    files: ModelFiles,
    artifact: ModelArtifact | None,
    service: Service | None,
    surface: Surface | None,
) -> NamedVersions:
    """Read what is written, and ask the service."""
    versions = dict(_in_paths(project, files)) | dict(_written(files, artifact))
    if surface is not None:
        versions |= {
            f"answer of {name}" if name in {"predict", "batch", "invocations"} else name: version
            for name, version in surface.versions.items()
            if name != "artifact"
        }
    if service is not None and surface is not None:
        versions |= _exposed(service)
    return NamedVersions(
        versions={place: plain_version(version) for place, version in versions.items()}, asked=surface is not None
    )


def _in_paths(project: Project, files: ModelFiles) -> Iterator[tuple[str, str]]:
    """Yield the version that folders and files of the model bear in their names, such as ``models/v1.2.0`` or ``model-1.2.0.onnx``."""
    own = re.escape(project.contract.model.name or "model")
    named = re.compile(
        rf"(?:(?:.*[-_@])?v|(?:(?:model|artifact|bundle|release|{own})[-_@]?)?)(\d+\.\d+\.\d+)", re.IGNORECASE
    )
    for path in files.files:
        if path.is_relative_to(project.root):
            inside = path.relative_to(project.root)
            for part in (*inside.parent.parts, inside.stem):
                found = named.fullmatch(part)
                if found:
                    yield f"name {part}", found[1]


def _written(files: ModelFiles, artifact: ModelArtifact | None) -> Iterator[tuple[str, str]]:
    if artifact is not None:
        yield "manifest", artifact.version
        for name in ("version", "model_version"):
            if artifact.metadata.notes.get(name) is not None:
                yield f"metadata.json: {name}", str(artifact.metadata.notes[name])
        return
    written = read_written(files, None)
    place = ", ".join(written.files)
    for name in SYNONYMS["version"]:
        value = written.entries.get(name)
        if value not in {None, ""}:
            yield f"{place}: {name}", str(value)


def _exposed(service: Service) -> dict[str, str]:
    """Return the versions in the labels of the metrics, by the name of the label; several of one label are all told."""
    target = service.adapter.routes.metrics
    if target is None:
        return {}
    try:
        (reply,) = service.main.ask([Request(target=target, headers=(("Accept", "text/plain"),))], timeout=10.0)
    except SekishoError:
        return {}
    found: dict[str, set[str]] = {}
    for name, labels in exposition(reply).samples:
        for label, value in labels:
            about_model = label == _PLAIN_LABEL and any(word in name for word in _OF_A_MODEL)
            if value and (label.lower() in _LABELS or about_model):
                found.setdefault(label, set()).add(plain_version(value))
    return {f"{target}: {label}": ", ".join(sorted(values)) for label, values in found.items()}
