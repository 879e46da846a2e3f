"""Which rows of the test set the model has seen in training, as they are or nearly so, and which are there twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.table import Column, Table
from sekisho.contract.sections import Quality
from sekisho.gate.probe import Progress, probe
from sekisho.probes.resources.tables import TestSet, TrainingSet
from sekisho.probes.statistics.answers import Floats
from sekisho.probes.statistics.baselines import sample
from sekisho.probes.statistics.intervals import Interval, Share, difference
from sekisho.probes.statistics.moments import moments
from sekisho.probes.statistics.rows import coordinates, is_row_number, row_hashes
from sekisho.text import Text

LOOKED_AT: Final = 5_000
"""How many rows are searched for near neighbours."""
MOST_NEIGHBOURS: Final = 300_000
"""Among how many training rows they are searched."""
ALIKE: Final = 0.1
"""Two numbers of one row are nearly the same within this many standard deviations."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Near:
    """Rows of the test set that lie nearer to a training row than training rows lie to one another.

    Attributes:
        test: How many of the rows looked at do.
        training: How many of the training rows looked at do, to be expected by chance.
        excess: The difference of the two shares.

    """

    test: Share
    training: Share
    excess: Interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlap:
    """What test and training set share.

    Attributes:
        test_rows, training_rows: How many rows they have.
        columns: The columns that were compared.
        by: Whether rows are told apart by their identifier and content, or by content alone.
        identifier: The column that identifies rows, if it tells any apart.
        exact: Rows of the test set that stand in the training set.
        by_chance: Rows of the training set that look like another one there: as many test rows would by chance.
        near: Rows that nearly do; ``None`` where identifiers tell (they are counted in ``exact`` then) or no number is compared.
        set_aside: Rows that look like a training row but carry another identifier.
        shared: Rows whose identifier stands in the training set with other values: the same case, seen again.
        later: Whether every test row is later than every training row; ``None`` when the times are not known.
        duplicates: Rows of the test set that repeat an earlier one.
        training_duplicates: Rows of the training set that do.
        test, training: The digests of the two tables.

    """

    test_rows: int
    training_rows: int
    columns: tuple[str, ...]
    by: Literal["identifier", "content"]
    identifier: str | None
    exact: Share
    by_chance: Share
    near: Near | None
    set_aside: int
    shared: Share
    later: bool | None
    duplicates: Share
    training_duplicates: Share
    test: str
    training: str


@probe(
    "quality/overlap", title=Text(en="Look for test rows in the training set", ja="学習データとの重複を検査"), seconds=2
)
def overlap(
    quality: Quality, test: TestSet, training: TrainingSet, artifact: ModelArtifact | None, progress: Progress
) -> Overlap:
    """Compare every row of the test set with the training set."""
    names = _compared(test, training, artifact)
    asked, known = test.full.select(names), training.full.select(names)
    asked_hashes, known_hashes = row_hashes([asked, known])
    progress.advance(0.3)
    looks_known = np.isin(asked_hashes, known_hashes)
    identifies = _identifies(test.identifiers, training.identifiers)
    if identifies:
        assert test.identifiers is not None
        assert training.identifiers is not None
        asked_ids, known_ids = row_hashes([Table(columns=(test.identifiers,)), Table(columns=(training.identifiers,))])
        same = np.isin(asked_hashes ^ asked_ids, known_hashes ^ known_ids)
        found = same | _nearly_itself(asked, known, asked_ids, known_ids)
        near, set_aside = None, int(np.count_nonzero(looks_known & ~found))
        shared = np.isin(asked_ids, known_ids) & ~found
        asked_hashes, known_hashes = asked_hashes ^ asked_ids, known_hashes ^ known_ids
    else:
        found, set_aside, shared = looks_known, 0, np.zeros(asked.rows, dtype=bool)
        near = _near(asked, known, quality.seed)
    progress.advance(0.9)
    return Overlap(
        test_rows=asked.rows,
        training_rows=known.rows,
        columns=names,
        by="identifier" if identifies else "content",
        identifier=test.identifiers.name if identifies and test.identifiers is not None else None,
        exact=_share(found),
        by_chance=_twins(known_hashes),
        near=near,
        set_aside=set_aside,
        shared=_share(shared),
        later=_later(test.times, training.times),
        duplicates=_repeats(asked_hashes),
        training_duplicates=_repeats(known_hashes),
        test=test.digest,
        training=training.digest,
    )


def _compared(test: TestSet, training: TrainingSet, artifact: ModelArtifact | None) -> tuple[str, ...]:
    """Return what makes a row what it is: the features, the target and the time, as far as both tables have them."""
    features = test.table.names if artifact is None else artifact.signature.names
    others = [column.name for column in (test.target, test.times) if column is not None]
    names = [
        name for name in dict.fromkeys((*features, *others)) if name in test.full.names and name in training.full.names
    ]
    counting = {
        name for name in names if all(is_row_number(table.column(name)) for table in (test.full, training.full))
    }
    return tuple(name for name in names if name not in counting)


def _identifies(test: Column | None, training: Column | None) -> bool:
    """Return whether the identifiers mean the same in both tables: a number that each counts from the start does not."""
    if test is None or training is None:
        return False
    return not (is_row_number(test) and is_row_number(training))


def _nearly_itself(
    asked: Table, known: Table, asked_ids: NDArray[np.uint64], known_ids: NDArray[np.uint64]
) -> NDArray[np.bool_]:
    """Return which test rows stand in the training set under the same identifier with all but a few cells the same."""
    nearly = np.zeros(asked.rows, dtype=bool)
    order = np.argsort(known_ids, kind="stable")
    places = np.searchsorted(known_ids[order], asked_ids)
    there = (places < len(order)) & (known_ids[order[np.minimum(places, len(order) - 1)]] == asked_ids)
    rows, partners = np.flatnonzero(there), order[places[there]]
    if not len(rows):
        return nearly
    alike = np.zeros(len(rows))
    for one, other in zip(asked.columns, known.columns, strict=True):
        points, others = coordinates(Table(columns=(other,)), Table(columns=(one,)))
        gaps = np.abs(others[rows] - points[partners])
        alike += (gaps <= ALIKE).all(axis=1)
    nearly[rows] = alike >= 0.9 * len(asked.columns)
    return nearly


def _near(asked: Table, known: Table, seed: int) -> Near | None:
    """Return how many test rows lie nearer to a training row than training rows lie to one another."""
    from scipy.spatial import cKDTree

    points, others = coordinates(known.take(sample(known.rows, MOST_NEIGHBOURS, seed)), asked)
    if points.shape[1] < 2 or len(points) < 3:
        return None
    within = _usual_distance(points, seed)
    if within is None:
        return None
    tree = cKDTree(points)
    test = others[sample(len(others), LOOKED_AT, seed)]
    nearest = np.asarray(tree.query(test, k=1, distance_upper_bound=within)[0])
    # A training row finds itself first; a copy of it next.
    itself = np.asarray(tree.query(points[sample(len(points), LOOKED_AT, seed)], k=2, distance_upper_bound=within)[0])[
        :, 1
    ]
    tests = Share(count=int(np.count_nonzero((nearest > 0) & np.isfinite(nearest))), trials=len(test))
    trained = Share(count=int(np.count_nonzero((itself > 0) & np.isfinite(itself))), trials=len(itself))
    return Near(test=tests, training=trained, excess=difference(tests, trained, 0.95))


def _usual_distance(points: Floats, seed: int) -> float | None:
    """Return half of the distance that only one in a hundred different training rows keeps to its nearest neighbour."""
    from scipy.spatial import cKDTree

    some = points[sample(len(points), 10_000, seed)]
    distances = np.asarray(cKDTree(some).query(some[:2_000], k=2)[0])[:, 1]
    apart = distances[(distances > 0) & (distances < 1e5)]
    return float(np.quantile(apart, 0.01)) / 2 if len(apart) >= 30 else None


def _later(test: Column | None, training: Column | None) -> bool | None:
    if test is None or training is None:
        return None
    asked, known = moments(test), moments(training)
    return None if asked is None or known is None else bool(np.nanmin(asked) >= np.nanmax(known))


def _share(mask: NDArray[np.bool_]) -> Share:
    return Share(count=int(np.count_nonzero(mask)), trials=len(mask))


def _twins(hashes: NDArray[np.uint64]) -> Share:
    _, counts = np.unique(hashes, return_counts=True)
    return Share(count=int(counts[counts > 1].sum()), trials=len(hashes))


def _repeats(hashes: NDArray[np.uint64]) -> Share:
    return Share(count=len(hashes) - len(np.unique(hashes)), trials=len(hashes))
