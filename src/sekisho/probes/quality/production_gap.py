"""How far the rows that the model was trained and judged on are from those of production: in time, and in what they look like.

How they look is measured by adversarial validation: boosted trees are trained to tell the two tables apart, and asked about rows that they
have not seen. If they cannot (an area under the curve of 0.5), nothing that trees can see differs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.table import Table
from sekisho.contract.sections import Quality
from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress, probe
from sekisho.probes.resources.tables import DataSet, ProductionSample, TestSet, TrainingSet
from sekisho.probes.statistics.answers import Answers
from sekisho.probes.statistics.baselines import sample
from sekisho.probes.statistics.estimates import Resampling, estimate
from sekisho.probes.statistics.intervals import Interval
from sekisho.probes.statistics.metrics import METRICS
from sekisho.probes.statistics.moments import DAY, day_of, moments
from sekisho.probes.statistics.solo import boosted, parts
from sekisho.text import Text

MOST_ROWS: Final = 3_000
"""How many rows of each table are compared: enough to know the area under the curve to within 0.02."""
FOLDS: Final = 2
ROUNDS: Final = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """When the rows of a table were: the first and the last day, ``YYYY-MM-DD`` in UTC."""

    first: str
    last: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductionGap:
    """The distance between the tables of the project and its production sample.

    Attributes:
        training, test, production: When their rows were; ``None`` without a column of times.
        test_after_training: Whether every test row is later than every training row; ``None`` when that is not known.
        age_days: How many days the last test row is older than the last production row; ``None`` when that is not known.
        test_told: How well the test set is told from the production sample, as an area under the curve.
        training_told: How well the training set is; ``None`` without one.
        telling: The features that differ most between test and production, with the area that each reaches alone.
        rows, test_rows: How many rows production sample and test set have.

    """

    training: Period | None
    test: Period | None
    production: Period | None
    test_after_training: bool | None
    age_days: float | None
    test_told: Interval
    training_told: Interval | None
    telling: tuple[tuple[str, float], ...]
    rows: int
    test_rows: int


@probe("quality/production-gap", title=Text(en="Compare with production", ja="本番データと比較"), seconds=5)
def production_gap(
    quality: Quality,
    test: TestSet,
    production: ProductionSample,
    training: TrainingSet | None,
    artifact: ModelArtifact | None,
    progress: Progress,
) -> ProductionGap:
    """Compare times and looks."""
    times = [
        None if each is None or each.times is None else moments(each.times) for each in (training, test, production)
    ]
    learned, judged, lived = (
        None if each is None or not np.isfinite(each).any() else (np.nanmin(each), np.nanmax(each)) for each in times
    )
    names = _names(test, production, artifact)
    recent = production.full.select(names)
    test_told = _told(test.full.select(names), recent, quality)
    progress.advance(0.4)
    trained = training if training is not None and set(names) <= set(training.full.names) else None
    training_told = None if trained is None else _told(trained.full.select(names), recent, quality)
    progress.advance(0.7)
    periods = [
        None if each is None else Period(first=day_of(each[0]), last=day_of(each[1]))
        for each in (learned, judged, lived)
    ]
    return ProductionGap(
        training=periods[0],
        test=periods[1],
        production=periods[2],
        test_after_training=None if learned is None or judged is None else bool(judged[0] >= learned[1]),
        age_days=None if judged is None or lived is None else round(float(lived[1] - judged[1]) / DAY, 1),
        test_told=test_told,
        training_told=training_told,
        telling=_telling(test.full.select(names), recent),
        rows=recent.rows,
        test_rows=test.full.rows,
    )


def _names(test: DataSet, production: DataSet, artifact: ModelArtifact | None) -> tuple[str, ...]:
    wanted = test.table.names if artifact is None else artifact.signature.names
    names = tuple(name for name in wanted if name in test.full.names and name in production.full.names)
    if not names:
        raise NotMeasured(
            Text(
                en="test set and production sample have no feature in common",
                ja="テストデータと本番データに共通の特徴量がありません",
            ),
            Text(en="name the features alike in both tables", ja="両方の表で特徴量の列名を揃えてください"),
            where="data.production",
        )
    return names


def _told(one: Table, other: Table, quality: Quality) -> Interval:
    """Return how well boosted trees tell rows of one table from the other, on rows that they have not seen."""
    one, other = (table.take(sample(table.rows, MOST_ROWS, quality.seed)) for table in (one, other))
    columns = [np.concatenate(parts(left, right)) for left, right in zip(one.columns, other.columns, strict=True)]
    inputs = np.stack(columns, axis=1)
    origin = np.repeat([0, 1], [one.rows, other.rows])
    fold = np.random.default_rng(quality.seed).permutation(len(origin)) % FOLDS
    stated = np.zeros(len(origin))
    for number in range(FOLDS):
        asked = fold == number
        answer = boosted(inputs[~asked], origin[~asked], inputs[asked], classes=2, seed=quality.seed, rounds=ROUNDS)
        stated[asked] = answer[:, 1]
    return estimate(METRICS["roc_auc"], _answers(origin, stated), (), _how(quality)).interval


def _telling(one: Table, other: Table) -> tuple[tuple[str, float], ...]:
    """Return the five columns that tell the tables apart best, each by the share of its parts."""
    found = []
    for left, right in zip(one.columns, other.columns, strict=True):
        learned, asked = parts(left, right)
        origin = np.repeat([0, 1], [len(learned), len(asked)])
        both = np.concatenate([learned, asked])
        shares = np.bincount(both, weights=origin) / np.maximum(np.bincount(both), 1)
        area = METRICS["roc_auc"].of(_answers(origin, shares[both]))
        found.append((left.name, round(area, 4)))
    return tuple(sorted(found, key=lambda pair: -pair[1])[:5])


def _answers(
    origin: np.ndarray[tuple[int], np.dtype[np.int64]], stated: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> Answers:
    return Answers(
        task="binary",
        truth=origin,
        given=(stated >= 0.5).astype(np.int64),
        probabilities=np.stack([1 - stated, stated], axis=1),
        classes=2,
        positive=1,
    )


def _how(quality: Quality) -> Resampling:
    return Resampling(confidence=quality.confidence, resamples=min(quality.resamples, 500), seed=quality.seed)
