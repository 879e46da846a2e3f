"""Fairness reports that lie in the project, and which model each of them speaks of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from sekisho.artifact.artifact import ModelArtifact
from sekisho.contract.project import Project
from sekisho.gate.probe import probe
from sekisho.gate.subject import artifact_digest
from sekisho.probes.resources.artifacts import ModelFiles, file_digest
from sekisho.probes.resources.files import project_files
from sekisho.text import Text

BOX: Final = "quality/fairness"
MOST_BYTES: Final = 16 * 1024 * 1024
DIGEST: Final = re.compile(r"^(?:sha256:)?([0-9a-fA-F]{64})$")
ENDINGS: Final = frozenset({".json", ".md", ".txt", ".html"})
NAMED: Final = re.compile(r"fair|bias|disparit|equalit|公平", re.IGNORECASE)
IN_WORDS: Final = re.compile(r"(?<![0-9a-fA-F])([0-9a-fA-F]{64})(?![0-9a-fA-F])")
OF_THE_MODEL: Final = re.compile(r"model|artifact|bundle|モデル|成果物", re.IGNORECASE)
OF_SOMETHING_ELSE: Final = re.compile(r"data|test|train|contract|evidence|input|commit", re.IGNORECASE)
"""A digest under such a name is not that of the model."""
VERSION: Final = re.compile(r"\.(?:model|artifact|bundle)[._]version$", re.IGNORECASE)
"""A bare ``version`` may be that of the report."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FairnessReport:
    """One report.

    Attributes:
        file: Its name in the project.
        digests: The digests of models that it names, in hexadecimal.
        version: The model version that it names.

    """

    file: str
    digests: tuple[str, ...]
    version: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FairnessReports:
    """Every fairness report of the project.

    Attributes:
        reports: Those found in the project by their name, beside the model, and in sign-offs.
        model: Every digest that the model at hand is known by: of the artifact, of all its files, of each.
        version: Its version, if it has one.

    """

    reports: tuple[FairnessReport, ...]
    model: tuple[str, ...]
    version: str | None


@probe("quality/fairness-reports", title=Text(en="Read fairness reports", ja="公平性レポートを確認"), seconds=0.1)
def fairness_reports(project: Project, files: ModelFiles, artifact: ModelArtifact | None) -> FairnessReports:
    """Find the reports and read which model they speak of."""
    known = [artifact_digest(project), files.digest, *(file_digest(file) for file in files.files)]
    if artifact is not None:
        known.append(artifact.digest)
    places = sorted(set(_places(project, files)))
    return FairnessReports(
        reports=tuple(report for report in (_read(path, project.root) for path in places) if report is not None),
        model=tuple(dict.fromkeys(digest for digest in known if digest)),
        version=None if artifact is None else artifact.version,
    )


def _places(project: Project, files: ModelFiles) -> Iterator[Path]:
    inside = [*project_files(project.root), *files.files]
    yield from (path for path in inside if path.suffix.lower() in ENDINGS and NAMED.search(path.name))
    for statement in project.contract.sign_offs:
        if statement.box == BOX and statement.evidence is not None:
            yield project.path(statement.evidence)


def _read(path: Path, root: Path) -> FairnessReport | None:
    """Return what a report names; ``None`` for anything that is none."""
    if path.suffix.lower() not in ENDINGS or not path.is_file() or path.stat().st_size > MOST_BYTES:
        return None
    if path.suffix.lower() != ".json":
        return _read_words(path, root)
    try:
        content = msgspec.json.decode(path.read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    digests, versions = [], []
    for name, value in _strings(content, ""):
        found = DIGEST.match(value)
        if found and not OF_SOMETHING_ELSE.search(name):
            digests.append(found[1].lower())
        elif VERSION.search(name):
            versions.append(value)
    return FairnessReport(
        file=path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name,
        digests=tuple(dict.fromkeys(digests)),
        version=versions[0] if versions else None,
    )


def _read_words(path: Path, root: Path) -> FairnessReport:
    """Return what a report for people names: digests on lines that speak of the model."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    spoken = [line for line in lines if OF_THE_MODEL.search(line) and not OF_SOMETHING_ELSE.search(line)]
    digests = [found[1].lower() for line in spoken for found in IN_WORDS.finditer(line)]
    return FairnessReport(
        file=path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name,
        digests=tuple(dict.fromkeys(digests)),
        version=None,
    )


def _strings(value: object, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _strings(inner, f"{name}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, name)
