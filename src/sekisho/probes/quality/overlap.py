"""Which rows of the test set the model has seen in training, as they are or nearly so, and which are there twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.table import Column, Table
from sekisho.contract.sections import Data, Quality
from sekisho.errors import NotMeasured
from sekisho.gate.probe import Progress, probe
from sekisho.probes.resources.tables import TestSet, TrainingSet
from sekisho.probes.statistics.answers import Floats
from sekisho.probes.statistics.baselines import sample
from sekisho.probes.statistics.coincidence import repeats_by_chance
from sekisho.probes.statistics.intervals import Interval, Share, difference
from sekisho.probes.statistics.moments import moments
from sekisho.probes.statistics.rows import Hashes, coordinates, is_row_number, row_hashes, row_parts, times_seen
from sekisho.text import Text

LOOKED_AT: Final = 5_000
"""How many rows are searched for near neighbours."""
MOST_NEIGHBOURS: Final = 300_000
"""Among how many training rows they are searched."""
ALIKE: Final = 0.1
"""Two numbers of one row are nearly the same within this many standard deviations."""
ODD: Final = np.uint64(0x9E3779B97F4A7C15)
"""Keeps numbers apart that are joined to others: of features, of the rest of a row, of its identifier."""


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

    "By chance" are as many test rows as training rows look like another training row: where nothing was copied, a test row is one
    more row of the same kind.

    Attributes:
        test_rows, training_rows: How many rows they have.
        columns: The columns that were compared.
        by: Whether rows are told apart by their identifier and content, or by content alone.
        identifier: The column that identifies rows, if it tells any apart.
        exact: Rows of the test set that stand in the training set.
        by_chance: Rows of the training set that look like another one there: as many test rows would by chance.
        features: Of the other test rows, those that do so in their features alone; ``None`` where identifiers tell.
        features_by_chance: Of the training rows that are unlike all others, those that do so.
        coarse: Whether the columns are so coarse that training rows repeat one another by chance.
        coarse_features: Whether the features alone are.
        coarse_test: Whether the columns are so coarse that test rows repeat one another by chance.
        near: Rows that nearly do; ``None`` where identifiers tell (they are counted in ``exact`` then) or no number is compared.
        but_one: Likewise, rows that are the same in all columns but one; ``None`` where identifiers tell or there are fewer than three columns.
        set_aside: Rows that look like a training row but carry another identifier.
        shared: Rows whose identifier stands in the training set with other values: the same case, seen again.
        grouped: Rows whose group (``data.group``) stands in the training set; ``None`` when none is declared.
        later: Whether every test row is later than every training row; ``None`` when the times are not known.
        earlier: Rows from before the end of the training rows; ``None`` when the times are not known.
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
    features: Share | None
    features_by_chance: Share | None
    coarse: bool
    coarse_features: bool
    coarse_test: bool
    near: Near | None
    but_one: Near | None
    set_aside: int
    shared: Share
    grouped: Share | None
    later: bool | None
    earlier: Share | None
    duplicates: Share
    training_duplicates: Share
    test: str
    training: str


@probe(
    "quality/overlap", title=Text(en="Look for test rows in the training set", ja="学習データとの重複を検査"), seconds=2
)
def overlap(
    quality: Quality,
    data: Data,
    test: TestSet,
    training: TrainingSet,
    artifact: ModelArtifact | None,
    progress: Progress,
) -> Overlap:
    """Compare every row of the test set with the training set."""
    names = _compared(test, training, artifact)
    asked, known = test.full.select(names), training.full.select(names)
    features = _without_outcome(names, test)
    seen = _seen(asked, known, features, test, training)
    progress.advance(0.9)
    return Overlap(
        test_rows=asked.rows,
        training_rows=known.rows,
        columns=names,
        by="identifier" if seen.identified else "content",
        identifier=test.identifiers.name if seen.identified and test.identifiers is not None else None,
        exact=_share(seen.found),
        by_chance=_twins(seen.known),
        features=None if seen.identified else _share(seen.in_features[~seen.found]),
        features_by_chance=None if seen.identified else _more_twins(seen.known_features, seen.known),
        coarse=_repeats_by_chance(known, seen.known, quality),
        coarse_features=_repeats_by_chance(known.select(features), seen.known_features, quality),
        coarse_test=_repeats_by_chance(asked, seen.asked, quality),
        near=None if seen.identified else _near(asked, known, quality.seed),
        but_one=None if seen.identified else _but_one(asked, known, quality.seed),
        set_aside=int(np.count_nonzero(seen.looks_known & ~seen.found)) if seen.identified else 0,
        shared=_share(seen.shared),
        grouped=_grouped(data.group, test, training),
        later=_later(test.times, training.times),
        earlier=_earlier(test.times, training.times),
        duplicates=_repeats(seen.asked),
        training_duplicates=_repeats(seen.known),
        test=test.digest,
        training=training.digest,
    )


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class _Seen:
    """Every row as a number, with its identifier in it where that tells rows apart, and which test rows are known.

    Attributes:
        identified: Whether identifiers tell rows apart.
        asked, known: The rows of both sets.
        known_features: The features of the training rows.
        looks_known: Test rows that look like a training row.
        found: Test rows that are one.
        in_features: Test rows whose features look like those of a training row.
        shared: Test rows whose identifier stands in the training set with other values.

    """

    identified: bool
    asked: Hashes
    known: Hashes
    known_features: Hashes
    looks_known: NDArray[np.bool_]
    found: NDArray[np.bool_]
    in_features: NDArray[np.bool_]
    shared: NDArray[np.bool_]


def _seen(asked: Table, known: Table, features: tuple[str, ...], test: TestSet, training: TrainingSet) -> _Seen:
    asked_features, known_features = row_hashes([asked.select(features), known.select(features)])
    asked_rest, known_rest = row_hashes([asked.without(features), known.without(features)])
    asked_hashes = asked_features ^ (asked_rest * ODD) if asked_rest.size else asked_features
    known_hashes = known_features ^ (known_rest * ODD) if known_rest.size else known_features
    looks_known = np.isin(asked_hashes, known_hashes)
    found, shared = looks_known, np.zeros(asked.rows, dtype=np.bool_)
    identified = _identifies(test.identifiers, training.identifiers)
    if identified:
        assert test.identifiers is not None
        assert training.identifiers is not None
        asked_ids, known_ids = row_hashes([Table(columns=(test.identifiers,)), Table(columns=(training.identifiers,))])
        same = np.isin(asked_hashes ^ asked_ids * ODD, known_hashes ^ known_ids * ODD)
        found = same | _nearly_itself(asked, known, asked_ids, known_ids)
        shared = np.isin(asked_ids, known_ids) & ~found
        asked_hashes, known_hashes = asked_hashes ^ asked_ids * ODD, known_hashes ^ known_ids * ODD
    return _Seen(
        identified=identified,
        asked=asked_hashes,
        known=known_hashes,
        known_features=known_features,
        looks_known=looks_known,
        found=found,
        in_features=np.isin(asked_features, known_features),
        shared=shared,
    )


def _without_outcome(names: tuple[str, ...], test: TestSet) -> tuple[str, ...]:
    aside = {column.name for column in (test.target, test.times) if column is not None}
    return tuple(name for name in names if name not in aside)


def _repeats_by_chance(table: Table, hashes: Hashes, quality: Quality) -> bool:
    """Return whether rows repeat by chance, where so many do that it matters."""
    repeated = _twins(hashes).fraction > quality.largest_duplication
    return repeated and repeats_by_chance(table, quality.seed)


def _grouped(group: str | None, test: TestSet, training: TrainingSet) -> Share | None:
    """Return how many test rows have their group in the training set.

    Raises:
        NotMeasured: A set has no such column.

    """
    if group is None:
        return None
    for side, given in (("test", test), ("training", training)):
        if group not in given.full.names:
            raise NotMeasured(
                Text(
                    en=f"there is no column {group!r} (data.group) in data.{side}",
                    ja=f"data.{side} に列 {group!r}（data.group）がありません",
                ),
                Text(en="name a column of both sets", ja="両方の表にある列を指定してください"),
                where="data.group",
            )
    columns = test.full.column(group), training.full.column(group)
    asked, known = row_hashes([Table(columns=(column,)) for column in columns])
    return _share(np.isin(asked, known[~columns[1].null]) & ~columns[0].null)


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

    points, test = coordinates(
        known.take(sample(known.rows, MOST_NEIGHBOURS, seed)), asked.take(sample(asked.rows, LOOKED_AT, seed))
    )
    if points.shape[1] < 2 or len(points) < 3:
        return None
    within = _usual_distance(points, seed)
    if within is None:
        return None
    tree = cKDTree(points)
    nearest = np.asarray(tree.query(test, k=1, distance_upper_bound=within)[0])
    # A training row finds itself first; a copy of it next.
    itself = np.asarray(tree.query(points[sample(len(points), LOOKED_AT, seed)], k=2, distance_upper_bound=within)[0])[
        :, 1
    ]
    tests = Share(count=int(np.count_nonzero((nearest > 0) & np.isfinite(nearest))), trials=len(test))
    trained = Share(count=int(np.count_nonzero((itself > 0) & np.isfinite(itself))), trials=len(itself))
    return _compare(tests, trained)


def _but_one(asked: Table, known: Table, seed: int) -> Near | None:
    """Return how many test rows are a training row but for one cell, and how many training rows are another one but for one.

    A copy of which one column was rounded, scaled, moved or drawn anew is the same in all others.
    """
    if len(asked.columns) < 3:
        return None
    known = known.take(sample(known.rows, MOST_NEIGHBOURS, seed))
    tests, trained = sample(asked.rows, LOOKED_AT, seed), sample(known.rows, LOOKED_AT, seed)
    asked_parts, known_parts = row_parts([asked.take(tests), known])
    asked_rows, known_rows = (np.bitwise_xor.reduce(parts, axis=0) for parts in (asked_parts, known_parts))
    ordered = np.sort(known_rows)
    new = _times(ordered, asked_rows) == 0
    single = _times(ordered, known_rows[trained]) == 1
    test, other = np.zeros(len(tests), dtype=np.bool_), np.zeros(len(trained), dtype=np.bool_)
    for asked_part, known_part in zip(asked_parts, known_parts, strict=True):
        without = known_rows ^ known_part
        ordered = np.sort(without)
        test |= _times(ordered, asked_rows ^ asked_part) > 0
        other |= _times(ordered, without[trained]) > 1
    return _compare(_share(test[new]), _share(other[single]))


def _times(ordered: Hashes, hashes: Hashes) -> NDArray[np.int64]:
    """Return how often each number stands among ordered ones."""
    return np.searchsorted(ordered, hashes, side="right") - np.searchsorted(ordered, hashes, side="left")


def _compare(tests: Share, trained: Share) -> Near:
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


def _earlier(test: Column | None, training: Column | None) -> Share | None:
    if test is None or training is None:
        return None
    asked, known = moments(test), moments(training)
    return None if asked is None or known is None else _share(asked < np.nanmax(known))


def _more_twins(features: Hashes, rows: Hashes) -> Share:
    """Return how many of the rows that are unlike all others as a whole look like another one in their features."""
    return _share((times_seen(features) > 1)[times_seen(rows) == 1])


def _share(mask: NDArray[np.bool_]) -> Share:
    return Share(count=int(np.count_nonzero(mask)), trials=len(mask))


def _twins(hashes: Hashes) -> Share:
    return _share(times_seen(hashes) > 1)


def _repeats(hashes: Hashes) -> Share:
    ordered = np.sort(hashes)
    return Share(count=int(np.count_nonzero(ordered[1:] == ordered[:-1])), trials=len(hashes))
