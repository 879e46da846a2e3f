"""Whether the reference that drift is measured against is the one that belongs to this model and its training data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.reference import DriftReference
from sekisho.gate.probe import probe
from sekisho.probes.resources.artifacts import ModelFiles, file_digest
from sekisho.probes.resources.tables import TrainingSet
from sekisho.text import Text

NAME: Final = "reference.npz"
MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceOrigin:
    """Where the drift reference comes from.

    Attributes:
        in_artifact: Whether the model's folder holds one.
        as_packed: Whether its digest is that of the manifest; ``None`` when there is no manifest.
        of_training: Whether it is what the declared training set gives; ``None`` when there is none to compare with.

    """

    in_artifact: bool
    as_packed: bool | None
    of_training: bool | None


@probe("monitoring/reference", title=Text(en="Trace the drift reference", ja="ドリフト基準の出所を確認"), seconds=1)
def reference(files: ModelFiles, artifact: ModelArtifact | None, training: TrainingSet | None) -> ReferenceOrigin:
    """Compare the reference with the manifest, and with one made anew from the training set."""
    path = files.root / NAME
    found = path.is_file()
    made = None
    if artifact is not None and artifact.reference is not None and training is not None:
        made = DriftReference.of(training.table.select(artifact.signature.names)).digest == artifact.reference.digest
    return ReferenceOrigin(
        in_artifact=found,
        as_packed=_as_packed(files, file_digest(path)) if found else None,
        of_training=made,
    )


def _as_packed(files: ModelFiles, digest: str) -> bool | None:
    """Return whether the manifest names ``digest`` for the reference, whatever else is in it."""
    manifest = files.root / MANIFEST
    if not manifest.is_file():
        return None
    return digest in manifest.read_text(encoding="utf-8", errors="replace")
