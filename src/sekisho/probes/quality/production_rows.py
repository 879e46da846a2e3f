"""Whether the rows of the production sample are rows of their own: not those of another table, not the same ones again, each with a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact.table import Column
from sekisho.contract.sections import Quality
from sekisho.gate.probe import probe
from sekisho.probes.resources.labels import spelling
from sekisho.probes.resources.tables import DataSet, ProductionSample, TestSet, TrainingSet
from sekisho.probes.statistics.baselines import sample
from sekisho.probes.statistics.conversions import distance
from sekisho.probes.statistics.intervals import Interval, deviations
from sekisho.probes.statistics.moments import moments
from sekisho.probes.statistics.rows import row_hashes
from sekisho.text import Text

RUN: Final = 8
"""So many rows in the same order twice, no two alike among them, are a block that was copied."""
MOST_ROWS: Final = 200_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductionRows:
    """Where the rows of the production sample come from.

    Attributes:
        rows: How many there are.
        source: ``file``, or ``ledger`` when they are what the service has written down.
        from_training, from_test: The share of them that stand in that table too, every common column but the time alike; ``None`` without it.
        usual: The share of test rows that stand in the training set: what rows of so few values have in common by chance.
        repeated: The share that repeats an earlier row of the sample.
        usually_repeated: The share of test rows, as many, that repeat one.
        blocks: The share that stands in runs of rows that are there twice.
        timed: How many rows have a time that can be read; ``None`` when nobody names a column of times.
        unreadable_times: Whether the column of times holds something else.
        zones: The share of written times that bear a time zone; ``None`` when they are no words.
        labels: How many rows have a target.
        label_shift: How far the labels are from those of the test set: half the sum of the differences between shares, or the distance of
            Kolmogorov and Smirnov for values; with its interval. ``None`` with fewer than 30 labels.

    """

    rows: int
    source: str
    from_training: float | None
    from_test: float | None
    usual: float
    repeated: float
    usually_repeated: float
    blocks: float
    timed: int | None
    unreadable_times: bool
    zones: float | None
    labels: int
    label_shift: Interval | None


@probe("quality/production-rows", title=Text(en="Look where rows come from", ja="行の出どころを確認"), seconds=1)
def production_rows(
    quality: Quality, test: TestSet, production: ProductionSample, training: TrainingSet | None
) -> ProductionRows:
    """Compare rows between tables and within the production sample."""
    rows, asked = production.full.rows, min(production.full.rows, test.full.rows)
    names = tuple(name for name in production.full.names if name in test.full.names)
    (hashes,) = row_hashes([production.full.select(names)])
    some = sample(test.full.rows, asked, quality.seed)
    (judged,) = row_hashes([test.full.select(names).take(some)])
    times = production.times
    read = None if times is None else moments(times)
    return ProductionRows(
        rows=rows,
        source=production.source,
        from_training=None if training is None else _shared(production, training),
        from_test=_shared(production, test),
        usual=0.0 if training is None else _shared(test, training) or 0.0,
        repeated=_repeated(hashes[sample(rows, asked, quality.seed)]),
        usually_repeated=_repeated(judged),
        blocks=_blocks(hashes[:MOST_ROWS]),
        timed=None if times is None else 0 if read is None else int(np.isfinite(read).sum()),
        unreadable_times=times is not None and read is None and not bool(times.null.all()),
        zones=None if times is None else _zones(times),
        labels=0 if production.target is None else len(production.target.present()),
        label_shift=_label_shift(test, production, quality),
    )


def _shared(one: DataSet, other: DataSet) -> float | None:
    """Return the share of rows of ``one`` that are in ``other``, whatever time they bear: it is soon written anew.

    ``None`` when they have no two columns in common.
    """
    aside = {column.name for column in (one.times, other.times) if column is not None}
    names = [name for name in one.full.names if name in other.full.names and name not in aside]
    if len(names) < 2:
        return None
    ours, theirs = row_hashes([one.full.select(names), other.full.select(names)])
    return float(np.isin(ours, theirs).mean())


def _repeated(hashes: NDArray[np.uint64]) -> float:
    return 1 - len(np.unique(hashes)) / len(hashes) if len(hashes) else 0.0


def _blocks(hashes: NDArray[np.uint64]) -> float:
    """Return the share of rows in runs of rows that stand at two places."""
    if len(hashes) < 2 * RUN:
        return 0.0
    runs = np.lib.stride_tricks.sliding_window_view(hashes, RUN)
    ordered = np.sort(runs, axis=1)
    varied = (ordered[:, 1:] != ordered[:, :-1]).all(axis=1)
    weights = np.random.default_rng(0).integers(1, 2**63, RUN, dtype=np.uint64) | np.uint64(1)
    with np.errstate(over="ignore"):
        codes = (runs * weights).sum(axis=1, dtype=np.uint64)
    _, places, counts = np.unique(codes, return_inverse=True, return_counts=True)
    again = np.flatnonzero(varied & (counts[places] > 1))
    inside = np.zeros(len(hashes), dtype=bool)
    for step in range(RUN):
        inside[again + step] = True
    return float(inside.mean())


def _zones(times: Column) -> float | None:
    """Return the share of written times that bear a zone; ``None`` for days, numbers, and moments that a file keeps as such."""
    if times.kind not in {"category", "text"}:
        return None
    words = [str(cell).strip() for cell in times.scalars() if cell is not None]
    clocks = [word[10:] for word in words if ":" in word[10:]]
    if not clocks:
        return None
    return sum(word.endswith(("Z", "z")) or "+" in word or "-" in word for word in clocks) / len(clocks)


def _label_shift(test: DataSet, production: DataSet, quality: Quality) -> Interval | None:
    if test.target is None or production.target is None:
        return None
    known, asked = test.target.take(~test.target.null), production.target.take(~production.target.null)
    if min(len(known), len(asked)) < 30:
        return None
    labels = sorted({*map(spelling, known.scalars()), *map(spelling, asked.scalars())})
    if known.kind in {"float", "integer"} and asked.kind in {"float", "integer"} and len(labels) > 20:
        point = distance(known.values.astype(np.float64), asked.values.astype(np.float64))
        # The bound of Dvoretzky, Kiefer and Wolfowitz (P. Massart, Annals of Probability 18, 1990), one sample each.
        reach = float(np.sqrt(np.log(2 / (1 - quality.confidence)) / 2) * (len(known) ** -0.5 + len(asked) ** -0.5))
        return Interval(point=point, low=max(0.0, point - reach), high=min(1.0, point + reach))
    return _of_classes([list(map(spelling, each.scalars())) for each in (known, asked)], labels, quality.confidence)


def _of_classes(tables: Sequence[list[str]], labels: Sequence[str], confidence: float) -> Interval:
    known, asked = (np.array([table.count(label) for label in labels], dtype=np.float64) for table in tables)
    before, after = known / known.sum(), asked / asked.sum()
    point = float(np.abs(after - before).sum() / 2)
    variance = (before * (1 - before) / known.sum() + after * (1 - after) / asked.sum()).sum() / 2
    reach = deviations(confidence) * float(np.sqrt(variance))
    return Interval(point=point, low=max(0.0, point - reach), high=min(1.0, point + reach))
