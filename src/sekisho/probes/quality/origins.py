"""Whether the artifact says of itself that it was made from the test set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sekisho.artifact.artifact import ModelArtifact
from sekisho.contract.project import Project
from sekisho.gate.probe import probe
from sekisho.probes.resources.artifacts import file_digest
from sekisho.probes.resources.tables import TestSet
from sekisho.text import Text

LEARNED_FROM: Final = frozenset({"training", "train", "reference"})
"""What the artifact calls the sets of rows that it was made from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Origins:
    """The sets of rows that the artifact names.

    Attributes:
        named: How many it was made from, by its own account.
        test_set: Which of them is the test set; ``None``: none is.
        test: The digest of the test set.

    """

    named: int
    test_set: str | None
    test: str


@probe(
    "quality/origins", title=Text(en="Look what the model was made from", ja="学習に使われたデータを確認"), seconds=0.2
)
def origins(project: Project, test: TestSet, artifact: ModelArtifact) -> Origins:
    """Compare the digests that the artifact states with those of the test set: of its file, its table and its features."""
    digests = {test.full.digest}
    if project.contract.data.test is not None:
        digests.add(file_digest(project.path(project.contract.data.test)))
    names = artifact.signature.names
    if set(names) <= set(test.full.names):
        digests.add(test.full.select(names).digest)
    made_from = [each for each in artifact.metadata.data if each.name in LEARNED_FROM]
    return Origins(
        named=len(made_from),
        test_set=next((each.name for each in made_from if each.digest.removeprefix("sha256:") in digests), None),
        test=test.digest,
    )
