"""The artifact of a project, verified as its contract wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.keys import TrustedKeys

if TYPE_CHECKING:
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
