"""Parts of the test set in which the model is weak: those that the contract names, and those that a search finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact.table import Table
from sekisho.contract.sections import Data, Quality
from sekisho.gate.probe import Progress, probe
from sekisho.probes.quality.performance import metric_of
from sekisho.probes.resources.scored import Scored
from sekisho.probes.statistics.answers import Answers, Floats
from sekisho.probes.statistics.baselines import constant, sample
from sekisho.probes.statistics.class_scores import exact_balanced_accuracy
from sekisho.probes.statistics.conditions import named_parts
from sekisho.probes.statistics.estimates import Resampling, estimate
from sekisho.probes.statistics.intervals import Interval
from sekisho.probes.statistics.means import associated, explained
from sekisho.probes.statistics.metrics import METRICS, Metric
from sekisho.probes.statistics.slicing import Cut, cut, worst_parts
from sekisho.text import Text

MOST_FOUND: Final = 8
"""How many parts are looked at a second time."""
MOST_SEARCHED: Final = 100_000
"""Among how many rows weak parts are searched."""
SMALLEST_ROWS: Final = 30
SMALLEST_SHARE: Final = 0.01
"""A part that is searched for has at least so many rows, and such a share of all."""
MUCH: Final = 0.1
"""An error this fraction larger than that of a constant answer is more than an accident of where the part lies."""

TELLS: Final = 0.1
"""A column that is no feature and tells so much of the answer (0 to 1) was written down after it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """One part of the test set.

    Attributes:
        name: What it holds: ``region = north, age 18–25``.
        declared: Whether the contract names it.
        rows: How many rows the score stands on.
        score: The metric with its corrected interval; ``None`` where it is undefined or there are fewer than 30 rows.
        uninformed: Whether the model is surely worse there than an answer that looks at nothing.

    """

    name: str
    declared: bool
    rows: int
    score: Interval | None
    uninformed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Slices:
    """The declared parts and the weakest that were found, the weakest first.

    Attributes:
        metric: What is scored.
        lower_is_better: Whether it measures an error.
        confidence: Of each interval, so that all of them hold together as surely as the contract asks.
        looked_at: How many parts the search compared.
        searched_rows: On how many rows.
        shown_rows: On how many other rows the found parts were measured again.
        slices: The parts.

    """

    metric: str
    lower_is_better: bool
    confidence: float
    looked_at: int
    searched_rows: int
    shown_rows: int
    slices: tuple[Slice, ...]


@probe("quality/slices", title=Text(en="Search for weak slices", ja="弱い部分集合を探索"), seconds=3)
def slices(quality: Quality, data: Data, scored: Scored, progress: Progress) -> Slices:
    """Score declared parts on all rows; search weak ones on half of the rows and score those on the other half.

    Raises:
        NotMeasured: A declared part names no column, or the metric is undefined.

    """
    answers = scored.answers
    metric = metric_of(quality.metric, answers)
    table = scored.test.without([name for name in (data.target, data.identifier, data.group) if name])
    declared: dict[str, NDArray[np.bool_]] = {}
    for words in quality.slices:
        declared |= named_parts(words, table)

    mixed = np.random.default_rng(quality.seed).permutation(len(answers))
    searched, shown = np.sort(mixed[::2]), np.sort(mixed[1::2])
    cuts = _cuts(table, scored.signature.names, answers)
    found, looked = _search(cuts, metric, answers, searched, quality.seed)
    progress.advance(0.6)

    # Bonferroni: each interval is as wide as all of them together need.
    several = max(1, len(declared) + len(found))
    how = Resampling(
        confidence=1 - (1 - quality.confidence) / several,
        resamples=quality.resamples,
        seed=quality.seed,
        most_rows=5_000,
    )
    middle = constant(answers, answers.truth, METRICS["mse"] if not answers.classes else metric)
    parts = [(name, True, np.flatnonzero(rows)) for name, rows in declared.items()]
    parts += [(name, False, shown[rows[shown]]) for name, rows in found.items() if name not in declared]
    scores = []
    for place, (name, named, rows) in enumerate(parts):
        scores.append(_slice(name, rows, metric, (answers, middle), how, declared=named))
        progress.advance(0.6 + 0.4 * place / len(parts))
    return Slices(
        metric=metric.name,
        lower_is_better=metric.lower_is_better,
        confidence=how.confidence,
        looked_at=looked,
        searched_rows=min(len(searched), MOST_SEARCHED),
        shown_rows=len(shown),
        slices=tuple(sorted(scores, key=lambda each: _weakness(each, metric))),
    )


def _cuts(table: Table, features: Sequence[str], answers: Answers) -> list[Cut]:
    """Return the columns to search: features, and others that do not tell the answer.

    What is written down after the outcome would make a part of the misses alone.
    """
    found = []
    for column in table.columns:
        made = cut(column)
        if made is None:
            continue
        if column.name not in features:
            codes = made.codes.astype(np.int64)
            told = (
                associated(codes, answers.truth)
                if answers.classes
                else explained(answers.truth.astype(np.float64), codes)
            )
            if told > TELLS:
                continue
        found.append(made)
    return found


def _weakness(each: Slice, metric: Metric) -> float:
    if each.score is None:
        return float("inf")
    return -each.score.point if metric.lower_is_better else each.score.point


def _losses(metric: Metric, answers: Answers) -> Floats:
    """Return the loss of each row that a metric is about.

    Classes have different losses; where a metric does not count rows alone, each is measured from the mean of its own class, or a part
    would be weak for nothing but holding more of a hard class.
    """
    if not answers.classes or metric.losses is not None:
        rows_lose: Floats = (metric.losses or _squares)(answers)
        return rows_lose
    losses = (answers.truth != answers.given).astype(np.float64)
    if metric.hides_small_classes:
        plain: Floats = losses
        return plain
    rows = np.bincount(answers.truth, minlength=answers.classes)
    means = np.bincount(answers.truth, weights=losses, minlength=answers.classes) / np.maximum(rows, 1)
    centred: Floats = losses - means[answers.truth]
    return centred


def _squares(answers: Answers) -> Floats:
    errors: Floats = (answers.truth.astype(np.float64) - answers.given.astype(np.float64)) ** 2
    return errors


def _excess(answers: Answers) -> Floats | None:
    """Return how much larger each row's squared distance is than its own probabilities let expect; ``None`` without any.

    Near the border between two classes every model errs, and says so. What counts is where it errs more than it says.
    """
    stated = answers.probabilities
    if stated is None:
        return None
    right = answers.truth[:, None] == np.arange(answers.classes)
    excess: Floats = ((stated - right) ** 2 - stated * (1 - stated)).sum(axis=1)
    return excess


def _search(
    cuts: Sequence[Cut], metric: Metric, answers: Answers, searched: NDArray[np.int64], seed: int
) -> tuple[Mapping[str, NDArray[np.bool_]], int]:
    """Return the rows of each weak part by its name, and how many parts were looked at.

    Parts of all columns are compared by what goes beyond the stated probabilities, parts of columns of words by the loss itself as well:
    in a band of numbers the loss mostly says how near the border it lies.
    """
    searched = searched[sample(len(searched), MOST_SEARCHED, seed)]
    if not cuts or len(searched) < 2 * SMALLEST_ROWS:
        return {}, 0
    smallest = max(SMALLEST_ROWS, round(SMALLEST_SHARE * len(searched)))
    losses, excess = _losses(metric, answers), _excess(answers)
    looks = [(cuts, losses)] if excess is None else [(cuts, excess), ([one for one in cuts if not one.bands], losses)]
    found: dict[str, NDArray[np.bool_]] = {}
    looked = 0
    for chosen, values in looks:
        half = [replace(one, codes=one.codes[searched]) for one in chosen]
        weak, several = worst_parts(half, values[searched], smallest=smallest, most=MOST_FOUND // len(looks))
        found |= {part.name(chosen): part.rows(chosen) for part in weak}
        looked = max(looked, several)
    return found, looked


def _slice(
    name: str,
    rows: NDArray[np.int64],
    metric: Metric,
    several: tuple[Answers, Answers],
    how: Resampling,
    *,
    declared: bool,
) -> Slice:
    inside, middle = (answers.take(rows) for answers in several)
    score = None
    if len(rows) >= SMALLEST_ROWS and isfinite(metric.of(inside)):
        score = estimate(metric, inside, (), how).interval
    uninformed = len(rows) >= SMALLEST_ROWS and _is_uninformed(inside, middle, how)
    return Slice(name=name, declared=declared, rows=len(rows), score=score, uninformed=uninformed)


def _is_uninformed(inside: Answers, middle: Answers, how: Resampling) -> bool:
    """Return whether the model is surely worse than chance, or its squared error surely much above that of a constant."""
    if inside.classes:
        present = len(np.unique(inside.truth))
        return present > 1 and exact_balanced_accuracy(inside, how.confidence).high < 1 / present
    gap = estimate(METRICS["mse"], inside, [middle], how).differences[0]
    return gap.low > MUCH * METRICS["mse"].of(middle)
