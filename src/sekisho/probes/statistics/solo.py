"""How well one column alone, or all the others without it, answer the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact.table import Column, Table
from sekisho.probes.statistics.answers import Answers, Floats
from sekisho.probes.statistics.baselines import MOST_ROWS, numbers, sample
from sekisho.probes.statistics.intervals import Share
from sekisho.probes.statistics.metrics import METRICS

BINS: Final = 64
"""Into how many parts numbers are cut."""

FEW: Final = 30
ALMOST_ALL: Final = 0.995
"""A value of so many rows, of which so many are of one class, answers that class."""

Numbers = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Target:
    """Right answers of the rows learned from and of the rows asked about.

    Attributes:
        learned: Shape ``(n,)``: classes by number (int64), or values.
        asked: Shape ``(m,)``, likewise.
        classes: How many classes; 0 for values.
        positive: The number of the positive class, if there is one.

    """

    learned: Numbers
    asked: Numbers
    classes: int
    positive: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Marker:
    """A value, or its absence, that by itself gives a class away.

    Attributes:
        sign: ``missing``, ``present``, ``usual`` or ``unusual``: null or not, the most frequent value or any other.
        label: The number of the class.
        pure: Of the rows with the sign, those of the class.
        covered: Of the rows of the class, those with the sign.
        minority: Whether the class is at most half of all rows.

    """

    sign: str
    label: int
    pure: Share
    covered: Share
    minority: bool


def score(target: Target, given: Floats) -> float:
    """Return the area under the ROC curve of stated probabilities, or R² of values; NaN where it is undefined."""
    answers = Answers(
        task="regression" if not target.classes else "binary" if target.classes == 2 else "multiclass",
        truth=target.asked,
        given=given if not target.classes else given.argmax(axis=1),
        probabilities=given if target.classes else None,
        classes=target.classes,
        positive=target.positive,
    )
    if not target.classes:
        return METRICS["r2"].of(answers)
    present = np.unique(target.asked)
    if target.classes > 2 and len(present) < target.classes:  # a class without rows has no curve
        one_by_one = [
            METRICS["roc_auc"].of(Answers(**_fields(answers) | {"positive": int(number)})) for number in present
        ]
        return float(np.mean(one_by_one))
    return METRICS["roc_auc"].of(answers)


def _fields(answers: Answers) -> dict[str, Any]:
    return {name: getattr(answers, name) for name in answers.__slots__}


def alone(known: Column, asked: Column, target: Target) -> float:
    """Return how well one column by itself answers the target: by its values, or by how they are written.

    Args:
        known: The column of the rows learned from.
        asked: The same column of the rows asked about.
        target: The right answers of both.

    """
    ways = [(known, asked)]
    if known.kind == asked.kind:
        ways += zip(written(known), written(asked), strict=True)
    scores = [_by_parts(one, other, target) for one, other in ways]
    return max((found for found in scores if np.isfinite(found)), default=scores[0])


def written(column: Column) -> list[Column]:
    """Return how the cells of a column are written, where that can tell more than what they say: beginnings, length, decimals."""
    if column.kind == "float":
        whole = np.full(len(column), 7.0)
        for places in range(6, -1, -1):
            scaled = column.values.astype(np.float64) * 10.0**places
            with np.errstate(all="ignore"):
                whole[np.abs(scaled - np.round(scaled)) <= 1e-9 * np.maximum(1.0, np.abs(scaled))] = places
        return [Column(name=column.name, kind="float", dtype="float64", values=whole, null=column.null)]
    if column.kind != "text":
        return []
    words = ["" if cell is None else str(cell) for cell in column.scalars()]
    signs = [np.array([word[:most] for word in words], dtype=object) for most in (1, 2, 4)]
    signs.append(np.array([word[-1:] for word in words], dtype=object))
    found = [Column(name=column.name, kind="category", dtype="object", values=sign, null=column.null) for sign in signs]
    length = np.array([len(word) for word in words], dtype=np.float64)
    return [*found, Column(name=column.name, kind="float", dtype="float64", values=length, null=column.null)]


def _by_parts(known: Column, asked: Column, target: Target) -> float:
    """Return the score of the mean answer of each part of a column, learned apart.

    Args:
        known: The column of the rows learned from.
        asked: The same column of the rows asked about.
        target: The right answers of both.

    """
    learned_part, asked_part = parts(known, asked)
    count = int(max(learned_part.max(initial=0), asked_part.max(initial=0))) + 1
    rows = np.bincount(learned_part, minlength=count).astype(np.float64)
    right = np.eye(target.classes)[target.learned] if target.classes else target.learned[:, None].astype(np.float64)
    sums = np.stack([np.bincount(learned_part, weights=column, minlength=count) for column in right.T], axis=1)
    means = (sums + right.mean(axis=0)) / (rows[:, None] + 1)  # one row of the overall mean steadies small parts
    answer = means[asked_part]
    if target.classes:
        return score(target, answer)
    binned = score(target, answer[:, 0])
    return max(
        binned, _straight(numbers(known), numbers(asked), target), _between(numbers(known), numbers(asked), target)
    )


def _straight(known: Floats, asked: Floats, target: Target) -> float:
    """Return R² of a straight line, which parts cannot follow to the ends."""
    whole, rows = np.isfinite(known), np.isfinite(asked)
    if whole.sum() < 3 or not rows.any() or known[whole].std() == 0:
        return -np.inf
    slope, start = np.polyfit(known[whole], target.learned[whole].astype(np.float64), 1)
    middle = float(np.mean(target.learned))
    return score(target, np.where(rows, slope * np.nan_to_num(asked) + start, middle))


def _between(known: Floats, asked: Floats, target: Target) -> float:
    """Return R² of a line through all points learned from, in their order: exact for any recoding that keeps the order."""
    whole, rows = np.isfinite(known), np.isfinite(asked)
    if whole.sum() < 3 or not rows.any():
        return -np.inf
    places, where = np.unique(known[whole], return_inverse=True)
    heights = np.bincount(where, weights=target.learned[whole].astype(np.float64)) / np.bincount(where)
    middle = float(np.mean(target.learned))
    return score(target, np.where(rows, np.interp(np.nan_to_num(asked), places, heights), middle))


def parts(known: Column, asked: Column) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the part that each cell belongs to: 0 null or never seen, else a category or a range of numbers of ``known``."""
    if known.kind in {"float", "integer", "boolean", "datetime"} and asked.kind in {
        "float",
        "integer",
        "boolean",
        "datetime",
    }:
        learned = numbers(known)
        present = learned[np.isfinite(learned)]
        if not len(present):
            return np.zeros(len(known), dtype=np.int64), np.zeros(len(asked), dtype=np.int64)
        edges = np.unique(np.quantile(present, np.linspace(0, 1, BINS + 1)[:-1], method="lower"))
        return _part_of(learned, edges), _part_of(numbers(asked), edges)
    places = {str(value): place for place, value in enumerate(known.distinct(), start=1)}
    return (
        np.array([0 if cell is None else places[str(cell)] for cell in known.scalars()], dtype=np.int64),
        np.array([0 if cell is None else places.get(str(cell), 0) for cell in asked.scalars()], dtype=np.int64),
    )


def _part_of(values: Floats, edges: Floats) -> NDArray[np.int64]:
    part = np.searchsorted(edges, values, side="left") + 1  # a value that is there often has a part of its own
    return np.where(np.isfinite(values), part, 0).astype(np.int64)


def marker(asked: Column, target: Target) -> Marker | None:
    """Return the sign of a column that covers most of a class among those that are pure; ``None`` without one."""
    if not target.classes:
        return None
    import pandas as pd

    missing = asked.null
    codes, different = pd.factorize(asked.values if asked.kind != "datetime" else numbers(asked))
    codes = np.where(missing, -1, codes)
    signs = {"missing": missing, "present": ~missing}
    if len(different) > 1:
        usual = (codes == np.bincount(codes[~missing], minlength=1).argmax()) & ~missing
        signs |= {"usual": usual, "unusual": ~usual & ~missing}
    found: list[Marker] = []
    for sign, rows in signs.items():
        if not 0 < np.count_nonzero(rows) < len(rows):
            continue
        shown = np.bincount(target.asked[rows], minlength=target.classes)
        number = int(shown.argmax())
        whole = int(np.count_nonzero(target.asked == number))
        found.append(
            Marker(
                sign=sign,
                label=number,
                pure=Share(count=int(shown[number]), trials=int(shown.sum())),
                covered=Share(count=int(shown[number]), trials=whole),
                minority=2 * whole <= len(target.asked),
            )
        )
    return max(
        found, key=lambda one: 2 * one.minority * (one.pure.fraction >= 0.98) + one.covered.fraction, default=None
    )


def answered_by_values(asked: Column, target: Target) -> float:
    """Return how much of the rows of each of two classes stands at values where hardly any other class occurs.

    Counted are values of at least 30 rows. Measured are the two classes of which most stands there: the smaller of both shares.
    """
    import pandas as pd

    if not target.classes or asked.kind == "text":
        return 0.0
    codes, different = pd.factorize(asked.values if asked.kind != "datetime" else numbers(asked))
    codes = codes.astype(np.int64)
    codes[asked.null] = -1
    shown = np.bincount(
        codes[codes >= 0] * target.classes + target.asked[codes >= 0], minlength=len(different) * target.classes
    ).reshape(-1, target.classes)
    rows = shown.sum(axis=1)
    pure = shown[(rows >= FEW) & (shown.max(axis=1) >= ALMOST_ALL * np.maximum(rows, 1))]
    whole = np.bincount(target.asked, minlength=target.classes)
    covered = np.zeros(target.classes)
    np.add.at(covered, pure.argmax(axis=1), pure.max(axis=1))
    shares = np.sort(covered / np.maximum(whole, 1))
    return float(shares[-2])


def without(training: Table, test: Table, target: Target, seed: int) -> float:
    """Return how well boosted trees answer the target from all columns of ``training`` and ``test``."""
    rows = sample(training.rows, MOST_ROWS, seed)
    cut = [parts(known.take(rows), asked) for known, asked in zip(training.columns, test.columns, strict=True)]
    if not cut:
        return 0.0 if not target.classes else 0.5
    known, asked = np.stack([part[0] for part in cut], axis=1), np.stack([part[1] for part in cut], axis=1)
    return score(target, boosted(known, target.learned[rows], asked, classes=target.classes, seed=seed))


def boosted(
    known: NDArray[np.int64], learned: Numbers, asked: NDArray[np.int64], *, classes: int, seed: int, rounds: int = 60
) -> Floats:
    """Return what boosted trees answer: probabilities, shape ``(m, classes)``, or values, shape ``(m,)``, if there are none.

    Args:
        known: The parts of the rows learned from, shape ``(n, k)``.
        learned: Their right answers, shape ``(n,)``.
        asked: The parts of the rows asked about, shape ``(m, k)``.
        classes: How many classes there are; 0 for values.
        seed: Of the trees.
        rounds: How many trees, for each class.

    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    # One thread: on so few rows more of them wait for one another, and on a busy machine for long.
    with threadpool_limits(1):
        if not classes:
            values: Floats = (
                HistGradientBoostingRegressor(max_iter=rounds, random_state=seed).fit(known, learned).predict(asked)
            )
            return values
        model = HistGradientBoostingClassifier(max_iter=rounds, random_state=seed).fit(known, learned)
        stated = np.zeros((len(asked), classes))
        stated[:, model.classes_.astype(np.int64)] = model.predict_proba(asked)
    return stated
