"""Which single feature knows the answer too well: one that is made from the label, or known only after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Final, Literal

import numpy as np

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.table import Column, Table
from sekisho.contract.sections import Data, Quality
from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress, probe
from sekisho.probes.resources.labels import Labels, refuse_several
from sekisho.probes.resources.tables import DataSet, ProductionSample, TestSet, TrainingSet
from sekisho.probes.statistics.answers import Floats
from sekisho.probes.statistics.baselines import sample
from sekisho.probes.statistics.solo import Marker, Target, alone, answered_by_values, marker, without
from sekisho.text import Text

SUSPECT: Final = 0.95
"""From this score on, what the other features can do is measured too."""
SURE: Final = 0.995
"""From this score on, a feature is measured without its equals: what honest features reach together may be as good."""
PURE: Final = 0.25
"""So much of two classes answered by single values is suspect too."""
MOST_SUSPECTS: Final = 5
FEW: Final = 30
HALF: Final = 0.5
"""A feature that at least half of the test rows have and none of some tens of production rows is not known there in time."""
MOST_ROWS: Final = 100_000
"""How many rows of each table are looked at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Solo:
    """One feature by itself.

    Attributes:
        feature: Its name.
        score: How well it answers the target alone, on the test set.
        others: How well all other features do without it, or without all that are as good if that is less; ``None`` where it was not suspect.
        marker: The sign in it that gives a class away best; ``None`` without one.
        marked: The label of that class.
        pure: The share of their rows that two classes at least have at values of this feature where no other class occurs.

    """

    feature: str
    score: float
    others: float | None
    marker: Marker | None
    marked: str | None
    pure: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Unavailable:
    """A feature that is not known yet when the model is asked.

    Attributes:
        feature: Its name.
        why: ``declared`` in ``data.unavailable``, ``absent`` from the production sample, or ``empty`` there.

    """

    feature: str
    why: Literal["declared", "absent", "empty"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Leakage:
    """Every feature by itself.

    Attributes:
        metric: ``roc_auc`` (each class against the rest, if there are more than two) or ``r2``.
        learned_on: ``training``, or ``test`` when there is no training set and one half was learned from the other.
        rows: How many rows of the test set were looked at.
        features: The best first.
        unavailable: The features that nobody has at the moment of prediction.
        test: The digest of the test set.

    """

    metric: str
    learned_on: str
    rows: int
    features: tuple[Solo, ...]
    unavailable: tuple[Unavailable, ...]
    test: str


@probe(
    "quality/leakage",
    title=Text(en="Look for features that leak the label", ja="ラベルが漏れている特徴量を検査"),
    seconds=4,
)
def leakage(
    quality: Quality,
    data: Data,
    test: TestSet,
    training: TrainingSet | None,
    artifact: ModelArtifact | None,
    production: ProductionSample | None,
    progress: Progress,
) -> Leakage:
    """Score each feature alone, and all others without it where it is suspiciously good.

    Raises:
        NotMeasured: There is no target, or it has one value only.

    """
    known, asked, target, labels = _halves(quality, data, test, training, artifact)
    scores = {}
    for place, (one, other) in enumerate(zip(known.columns, asked.columns, strict=True)):
        scores[one.name] = alone(one, other, target)
        progress.advance(0.6 * place / len(known.columns))

    order = sorted((name for name in scores if isfinite(scores[name])), key=lambda name: -scores[name])
    pure = {name: answered_by_values(asked.column(name), target) for name in order}
    suspects = [name for name in order if scores[name] >= SUSPECT or pure[name] >= PURE][:MOST_SUSPECTS]
    # Two columns made from the label vouch for one another; so what is all but certain is measured without all such columns too.
    sure = [name for name in suspects if scores[name] >= SURE]
    rest = without(known.without(sure), asked.without(sure), target, quality.seed) if len(sure) > 1 else 1.0
    others = {}
    for place, name in enumerate(suspects):
        alone_without = without(known.without([name]), asked.without([name]), target, quality.seed)
        others[name] = min(rest, alone_without) if name in sure else alone_without
        progress.advance(0.6 + 0.4 * place / len(suspects))
    return Leakage(
        metric="roc_auc" if labels.classes else "r2",
        learned_on="training" if training is not None and training.target is not None else "test",
        rows=asked.rows,
        features=tuple(
            replace(
                _solo(name, scores[name], others.get(name), marker(asked.column(name), target), labels), pure=pure[name]
            )
            for name in order
        ),
        unavailable=_unavailable(data, test, known.names if artifact is None else artifact.signature.names, production),
        test=test.digest,
    )


def _unavailable(
    data: Data, test: TestSet, features: Sequence[str], production: ProductionSample | None
) -> tuple[Unavailable, ...]:
    """Return the features that the contract calls unavailable, and those that production does not have."""
    found = [Unavailable(feature=name, why="declared") for name in features if name in data.unavailable]
    if production is None:
        return tuple(found)
    for name in features:
        if name in data.unavailable or name not in test.full.names:
            continue
        if name not in production.full.names:
            found.append(Unavailable(feature=name, why="absent"))
        elif (
            len(production.full.column(name)) >= FEW and _filled(production, name) == 0 and _filled(test, name) >= HALF
        ):
            found.append(Unavailable(feature=name, why="empty"))
    return tuple(found)


def _filled(given: DataSet, name: str) -> float:
    return float(np.mean(~given.full.column(name).null))


def _solo(name: str, score: float, others: float | None, found: Marker | None, labels: Labels) -> Solo:
    label = None if found is None else str(labels.classes[found.label])
    return Solo(feature=name, score=score, others=others, marker=found, marked=label, pure=0.0)


def _halves(
    quality: Quality, data: Data, test: TestSet, training: TrainingSet | None, artifact: ModelArtifact | None
) -> tuple[Table, Table, Target, Labels]:
    """Return the features learned from, the features asked about, and the right answers of both."""
    refuse_several(None if artifact is None else artifact.signature.output)
    if test.target is None:
        raise NotMeasured(
            Text(en="data.target is not stated", ja="data.target が指定されていません"),
            Text(en="name the target column in sekisho.toml", ja="sekisho.toml に目的変数の列を指定してください"),
        )
    labels = Labels.of(None if artifact is None else artifact.signature.output, test.target)
    asked, asked_target = _known_rows(test, test.target, artifact, labels, quality.seed)
    if training is not None and training.target is not None:
        known, known_target = _known_rows(training, training.target, artifact, labels, quality.seed)
    else:
        mixed = np.random.default_rng(quality.seed).permutation(asked.rows)
        half = asked.rows // 2
        known, known_target = asked.take(mixed[:half]), asked_target[mixed[:half]]
        asked, asked_target = asked.take(mixed[half:]), asked_target[mixed[half:]]
    names = [name for name in asked.names if name in known.names]
    if len(np.unique(asked_target)) < 2 or len(np.unique(known_target)) < 2:
        raise NotMeasured(
            Text(en="the target has one value only", ja="目的変数の値が1種類しかありません"),
            Text(en="give rows of every class", ja="すべてのクラスの行を含めてください"),
        )
    kind = np.int64 if labels.classes else np.float64
    target = Target(
        learned=known_target.astype(kind),
        asked=asked_target.astype(kind),
        classes=len(labels.classes),
        positive=labels.positive(data.positive),
    )
    return known.select(names), asked.select(names), target, labels


def _known_rows(
    given: DataSet, target: Column, artifact: ModelArtifact | None, labels: Labels, seed: int
) -> tuple[Table, Floats]:
    features = given.table if artifact is None else given.full.select(artifact.signature.names)
    numbers = labels.numbers(target.scalars())
    known = np.flatnonzero(np.isfinite(numbers))
    rows = known[sample(len(known), MOST_ROWS, seed)]
    return features.take(rows), numbers[rows]
