"""A model proven before it is asked: its golden rows, answered as when it was packed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.artifact.golden import same_answers
from sekisho.errors import ArtifactError
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.artifact import ModelArtifact
    from sekisho.artifact.formats.interface import Outputs
    from sekisho.predict.predictor import Predictor, Prepared


def golden_rows(artifact: ModelArtifact, predictor: Predictor) -> Prepared | None:
    """Return the golden rows made ready; ``None`` if the artifact was packed without any."""
    if not artifact.golden.rows:
        return None
    return predictor.prepare([predictor.reader.read(dict(row), row=at) for at, row in enumerate(artifact.golden.rows)])


def compare_golden(artifact: ModelArtifact, outputs: Outputs) -> None:
    """Compare answers to the golden rows with those that were packed.

    Raises:
        ArtifactError: They are others.

    """
    differing = same_answers(artifact.golden, outputs)
    if differing:
        raise ArtifactError(
            Text(
                en=f"the model answers {len(differing)} of {len(artifact.golden.rows)} golden rows otherwise than when it was packed",
                ja=f"ゴールデン行 {len(artifact.golden.rows)} 件中 {len(differing)} 件で、パック時と答えが異なります",
            ),
            Text(
                en="install the versions in the artifact's requirements.lock, or pack the model again",
                ja="成果物の requirements.lock にある版を導入するか、モデルをパックし直してください",
            ),
            where=artifact.folder,
        )
