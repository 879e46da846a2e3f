"""The artifact and the registry of a project, verified as its contract wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.keys import TrustedKeys
from sekisho.artifact.registry.names import looks_like_reference
from sekisho.artifact.registry.opening import location_of
from sekisho.artifact.registry.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.contract.project import Project


def artifact_of(project: Project) -> ModelArtifact:
    """Return the artifact at ``model.artifact``: every file verified, and its signature where ``security.require_signature`` says so.

    Raises:
        NotFound: There is no artifact, or no such key.
        ArtifactError: The artifact is damaged, unsigned although it must not be, or could run code.

    """
    security = project.contract.security
    return ModelArtifact.load(
        project.path(project.contract.model.artifact),
        keys=TrustedKeys.read(project.path(name) for name in security.trusted_keys),
        require_signature=security.require_signature,
        library_mismatch=security.library_mismatch,
    )


def registry_of(project: Project) -> Registry:
    """Return the registry that the environment or the contract names.

    Raises:
        SekishoError: It is neither a path nor the address of a bucket, or a trusted key cannot be read.

    """
    security = project.contract.security
    return Registry(
        location_of(project),
        keys=TrustedKeys.read(project.path(name) for name in security.trusted_keys),
        require_signature=security.require_signature,
    )


def named_artifact(project: Project, place: str) -> Path:
    """Return the folder of an artifact that the contract names: a path in the project, or ``NAME@VERSION`` or ``NAME@ALIAS`` of the registry.

    Raises:
        SekishoError: The registry does not know it, or it cannot be fetched.

    """
    path = project.path(place)
    return registry_of(project).fetch(place) if looks_like_reference(place) and not path.exists() else path
