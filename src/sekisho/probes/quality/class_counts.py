"""How many rows of each class the test set has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sekisho.artifact.artifact import ModelArtifact
from sekisho.errors import NotMeasured
from sekisho.gate.probe import probe
from sekisho.probes.resources.labels import Labels, refuse_several, spelling
from sekisho.probes.resources.tables import TestSet
from sekisho.text import Text


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassCount:
    """One class and its rows."""

    label: str
    rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassCounts:
    """The rows of the test set.

    Attributes:
        rows: How many have a target.
        without_target: How many have none.
        classes: The rows of each class that the model or the test set knows, most frequent first; empty for values.
        digest: Of the test set.

    """

    rows: int
    without_target: int
    classes: tuple[ClassCount, ...]
    digest: str


@probe("quality/class-counts", title=Text(en="Count the rows of each class", ja="クラスごとの行数を集計"), seconds=0.1)
def class_counts(test: TestSet, artifact: ModelArtifact | None) -> ClassCounts:
    """Count the rows of each class.

    Raises:
        NotMeasured: The contract names no target, or the model gives several answers a row.

    """
    refuse_several(None if artifact is None else artifact.signature.output)
    if test.target is None:
        raise NotMeasured(
            Text(en="data.target is not stated", ja="data.target が指定されていません"),
            Text(en="name the target column in sekisho.toml", ja="sekisho.toml に目的変数の列を指定してください"),
        )
    labels = Labels.of(None if artifact is None else artifact.signature.output, test.target)
    known = [cell for cell in test.target.scalars() if cell is not None]
    counts = Counter(dict.fromkeys((spelling(label) for label in labels.classes), 0))
    if labels.classes:
        counts.update(spelling(cell) for cell in known)
    return ClassCounts(
        rows=len(known),
        without_target=int(test.target.null.sum()),
        classes=tuple(ClassCount(label=label, rows=rows) for label, rows in counts.most_common()),
        digest=test.digest,
    )
