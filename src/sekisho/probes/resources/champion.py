"""The model that is live now, which a new one must not fall behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.contracted import named_artifact
from sekisho.contract.project import Project
from sekisho.errors import NotMeasured
from sekisho.gate.probe import resource
from sekisho.text import Text


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Champion:
    """The live model.

    Attributes:
        place: What the contract calls it.
        artifact: The model.
        digest: Of the artifact, in hexadecimal.

    """

    place: str
    artifact: ModelArtifact
    digest: str


@resource(title=Text(en="Load the champion", ja="稼働中のモデルを読み込み"))
def champion(project: Project) -> Iterator[Champion]:
    """Yield the artifact at ``quality.champion``, every digest verified.

    Raises:
        NotMeasured: The contract names none.
        ArtifactError: It is damaged, or its format could run code.
        NotFound: There is none.

    """
    place = project.contract.quality.champion
    if place is None:
        raise NotMeasured(
            Text(en="quality.champion is not stated", ja="quality.champion が指定されていません"),
            Text(
                en="name the artifact of the live model in quality.champion",
                ja="稼働中のモデルの成果物を quality.champion に指定してください",
            ),
        )
    artifact = ModelArtifact.load(named_artifact(project, place))
    yield Champion(place=place, artifact=artifact, digest=artifact.digest)
