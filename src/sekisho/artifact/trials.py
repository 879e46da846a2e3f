"""The rows that a compiled model must answer as the original does: real ones, and ones made to find a difference.

Each trial is a table and what the original answers to it. Where the original refuses (a null it was never taught, a category it does not
know), the compiled model must refuse as well.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.artifact.boundaries import ask, boundaries, stacked
from sekisho.artifact.column import Column
from sekisho.artifact.table import Table
from sekisho.artifact.thresholds import thresholds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sekisho.artifact.runtime import Outputs, Runtime
    from sekisho.artifact.signature import Feature, Signature

REFERENCE_ROWS: Final = 10_000
BASE_ROWS: Final = 32
MOST_CELLS: Final = 8_192
"""The base rows have about as many cells."""
MOST_FEATURES: Final = 256
"""Of a wider table, as many features are emptied, filled with strangers and pushed beyond their range."""
MIXED_ROWS: Final = 4_096
CLOSEST_ROWS: Final = 512
"""Of as many rows that mix the values of real ones, those that the original can hardly choose between."""
TOGETHER: Final = 64
"""How many tables of :data:`BASE_ROWS` rows are asked at once."""
TOGETHER_EMPTY: Final = 4
"""As many times several features are emptied at once."""
MOST_ASKS: Final = 12
"""Where the original refuses some rows of many, as many questions are spent on finding out which."""
_LARGEST_WHOLE: Final = 2**53


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Trial:
    """Rows of one kind.

    Attributes:
        kind: ``golden``, ``reference``, ``nulls``, ``unseen``, ``extremes``, ``ties``, ``boundaries`` or ``thresholds``.
        rows: The rows.
        answers: What the original answers; ``None`` where it refuses the one row that there is.
        real: Whether the rows are real ones, for which no label may change at all.

    """

    kind: str
    rows: Table
    answers: Outputs | None
    real: bool = False


def trials(original: Runtime, signature: Signature, reference: Table, golden: Table) -> Iterator[Trial]:
    """Yield every trial, the likeliest to fail first.

    Args:
        original: The model itself, by its own library.
        signature: Its signature.
        reference: The features of the reference set.
        golden: The golden rows.

    """
    random = np.random.default_rng(0)
    sample = reference.take(np.sort(random.permutation(reference.rows)[:REFERENCE_ROWS]))
    base = reference.take(np.sort(random.permutation(reference.rows)[: _base_rows(len(reference.columns))]))
    for kind, rows in (("golden", golden), ("reference", sample)):
        yield from _apart(original, kind, rows, real=True)
    some = sorted(random.permutation(len(signature.features))[:MOST_FEATURES].tolist())
    features = [signature.features[index] for index in some]
    for kind, made in (("nulls", _nulls), ("unseen", _unseen), ("extremes", _extremes)):
        yield from _together(original, kind, made(features, base, reference))
    tied = _ties(original, signature, sample, random)
    if tied is not None:
        yield tied
    pushed = boundaries(original, signature, reference, random)
    if pushed is not None:
        yield from _apart(original, "boundaries", pushed)
    beside = thresholds(original, signature, sample, random)
    if beside is not None:
        yield from _apart(original, "thresholds", beside)


def _base_rows(width: int) -> int:
    """Return how many rows each change is tried on: fewer in a wide table, where there are many changes."""
    return int(np.clip(MOST_CELLS // max(width, 1), 4, BASE_ROWS))


def _together(original: Runtime, kind: str, tables: Iterator[Table]) -> Iterator[Trial]:
    """Yield the trials of ``tables``, asked many at a time: a question costs about the same for many rows as for few."""
    while batch := list(islice(tables, TOGETHER)):
        rows = stacked(batch)
        answers = ask(original, rows)
        if answers is not None:
            yield Trial(kind=kind, rows=rows, answers=answers)
            continue
        for each in batch:
            yield from _apart(original, kind, each)


def _apart(original: Runtime, kind: str, rows: Table, *, real: bool = False) -> Iterator[Trial]:
    """Yield the trials of ``rows``; those that the original refuses apart, one by one, as far as :data:`MOST_ASKS` finds them."""
    answers = ask(original, rows)
    if answers is not None:
        yield Trial(kind=kind, rows=rows, answers=answers, real=real)
        return
    # A null is the likeliest reason.
    holes = np.any([column.null for column in rows.columns], axis=0)
    waiting = [part for part in (rows.take(~holes), rows.take(holes)) if part.rows]
    asks = MOST_ASKS
    while waiting and asks:
        part = waiting.pop(0)
        asks -= 1
        answers = ask(original, part)
        if answers is not None or part.rows == 1:
            yield Trial(kind=kind, rows=part, answers=answers, real=real)
        else:
            middle = part.rows // 2
            waiting += [part.take(slice(0, middle)), part.take(slice(middle, None))]


def _ties(original: Runtime, signature: Signature, reference: Table, random: np.random.Generator) -> Trial | None:
    """Return the rows between which the original could hardly choose, out of many that mix the values of real ones."""
    if signature.output.outputs or signature.output.task == "regression" or not signature.output.probabilities:
        return None
    mixed = reference.take(random.integers(reference.rows, size=MIXED_ROWS))
    others = reference.take(random.integers(reference.rows, size=MIXED_ROWS))
    columns = []
    for mine, theirs in zip(mixed.columns, others.columns, strict=True):
        swap = random.random(MIXED_ROWS) < 0.5
        columns.append(
            replace(
                mine,
                values=np.where(swap, theirs.values, mine.values).astype(mine.values.dtype),
                null=np.where(swap, theirs.null, mine.null),
                codes=None,
            )
        )
    rows = Table(columns=tuple(columns))
    answers = ask(original, rows)
    if answers is None or answers.probabilities is None:
        return None
    ordered = np.sort(answers.probabilities, axis=1)
    closest = np.sort(np.argsort(ordered[:, -1] - ordered[:, -2], kind="stable")[:CLOSEST_ROWS])
    kept = replace(answers, values=answers.values[closest], probabilities=answers.probabilities[closest])
    return Trial(kind="ties", rows=rows.take(closest), answers=kept)


def _with(rows: Table, name: str, change: Callable[[Column], Column]) -> Table:
    return Table(columns=tuple(change(column) if column.name == name else column for column in rows.columns))


def _nulls(features: Sequence[Feature], base: Table, reference: Table) -> Iterator[Table]:  # noqa: ARG001
    """Yield rows with one feature empty, then with several at once: all that may be, and halves of them drawn at random."""
    names = [feature.name for feature in features if feature.nullable]
    for name in names:
        yield _with(base, name, _emptied)
    if len(names) < 2:
        return
    random = np.random.default_rng(0)
    halves = [set(random.permutation(names)[: (len(names) + 1) // 2].tolist()) for _ in range(TOGETHER_EMPTY)]
    for several in (set(names), *halves):
        yield Table(columns=tuple(_emptied(column) if column.name in several else column for column in base.columns))


def _emptied(column: Column) -> Column:
    values = column.values.copy()
    empty: Any = {"float": np.nan, "integer": 0, "boolean": False, "datetime": np.datetime64("NaT")}.get(column.kind)
    values[:] = empty
    return replace(column, values=values, null=np.ones(len(column), dtype=np.bool_))


def _unseen(features: Sequence[Feature], base: Table, reference: Table) -> Iterator[Table]:  # noqa: ARG001
    for feature in features:
        stranger = _stranger(feature)
        if stranger is None or feature.unseen_category == "reject":
            continue
        for value in stranger:
            yield _with(base, feature.name, partial(_filled, value=value))


def _stranger(feature: Feature) -> tuple[object, ...] | None:
    """Return values of a category that was never seen."""
    if feature.kind == "text":
        return ("", " ", "見知らぬ値", "cafe\u0301 CAFÉ ｃａｆｅ\u3000\n\t-1e9 <b>&amp;</b> 👩\u200d🔬", "x" * 5_000)
    if feature.kind != "category" or not feature.categories:
        return None
    if any(isinstance(category, str) for category in feature.categories):
        return _strange_words(feature)
    if any(isinstance(category, bool) for category in feature.categories):
        return None
    known = [int(category) for category in feature.categories if category is not None]
    return (max(known) + 1, min(known) - 1)


def _strange_words(feature: Feature) -> tuple[object, ...]:
    """Return strangers: nothing, something else, and a known category written a little otherwise."""
    known = [category for category in feature.categories or () if isinstance(category, str)]
    one = next((category for category in known if any(ord(character) > 127 for character in category)), known[0])
    forms = [f"{one} ", f" {one}", one.swapcase(), *(unicodedata.normalize(form, one) for form in ("NFD", "NFKC"))]
    return ("見知らぬ値", "", *dict.fromkeys(form for form in forms if form not in known))


def _filled(column: Column, value: Any) -> Column:
    values = column.values.copy()
    values[:] = value if column.kind != "integer" else int(np.clip(value, -_LARGEST_WHOLE, _LARGEST_WHOLE))
    return replace(column, values=values, null=np.zeros(len(column), dtype=np.bool_))


def _extremes(features: Sequence[Feature], base: Table, reference: Table) -> Iterator[Table]:
    for feature in features:
        column = reference.column(feature.name)
        if feature.kind not in {"float", "integer"} or column.null.all():
            continue
        present = column.present().astype(np.float64)
        low, high = float(present.min()), float(present.max())
        span = (high - low) or max(abs(high), 1.0)
        beyond = (
            []
            if feature.out_of_range == "reject"
            else [low - span, high + span, low - 10 * span, high + 10 * span, 0.0, *_awkward(feature, span)]
        )
        for value in (low, high, *beyond):
            yield _with(base, feature.name, partial(_filled, value=value))


def _awkward(feature: Feature, span: float) -> tuple[float, ...]:
    """Return numbers that one precision or one library may take for another: far away, next to nothing, beyond float32's whole numbers."""
    if feature.kind == "integer":
        return (2.0**24 + 1, -(2.0**24) - 1)
    return (-1e6 * span, 1e6 * span, -0.0, 1e-40, -1e-320)
