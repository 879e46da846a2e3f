"""Parity: a proof that a compiled model gives the same answers as the original, or the row on which it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from sekisho.artifact.column import Scalar
from sekisho.artifact.table import Table
from sekisho.errors import ArtifactError, ModelFailed
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from sekisho.artifact.runtime import Graph, Outputs, Runtime
    from sekisho.artifact.signature import Signature
    from sekisho.artifact.trials import Trial

NAME: Final = "parity.json"
TOLERANCE: Final = 1e-6
"""How far a probability may be off; for a regressor, of its largest answer to the reference set, or of the answer itself if that is larger."""
BATCHES: Final = (1, 3, 64)
_BATCH_CELLS: Final = 65_536
"""Rows of about as many cells are asked in batches of every size."""
_LARGEST: Final = float(np.finfo(np.float64).max)
"""Stands for an infinite difference, which JSON cannot carry."""
_MOST_CHANGED: Final = 2_000
"""Of more rows with another label, the rest are taken for what they seem."""


class CounterExample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row that is answered differently.

    Attributes:
        trial: The kind of row, as in :class:`~sekisho.artifact.trials.Trial`.
        row: The row; features marked personal are left out.
        original, compiled: What each answers: a label or number, or ``None`` where it refuses the row.
        difference: Between the probabilities, or the numbers; ``None`` where there are none to compare.

    """

    trial: str
    row: dict[str, Scalar]
    original: Scalar
    compiled: Scalar
    difference: float | None = None


class Attempt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One graph that was tried.

    Attributes:
        precision: What it computes in.
        equal: Whether all answers were the same.
        rows: How many rows were compared, by kind.
        largest_difference: Between probabilities, or between numbers as a share of the scale.
        reason: Why it was turned down.
        counter_example: The row that shows it.

    """

    precision: str
    equal: bool
    rows: dict[str, int]
    largest_difference: float
    reason: Text | None = None
    counter_example: CounterExample | None = None


class Parity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What answers, and why.

    Attributes:
        runtime: The id of the format that answers.
        proven: Whether a compiled model answers, and was proven to answer as the original does.
        tolerance: How far numbers may be off.
        attempts: Every graph that was tried, in order; the last is the one that passed, if any did.
        reason: Why the original answers, when it does.

    """

    runtime: str
    proven: bool
    tolerance: float = TOLERANCE
    attempts: tuple[Attempt, ...] = ()
    reason: Text | None = None

    @property
    def precision(self) -> str | None:
        """What the compiled model computes in."""
        return self.attempts[-1].precision if self.proven and self.attempts else None


def find_equal(
    graphs: Iterator[Graph],
    load: Callable[[bytes], Runtime],
    prepared: Sequence[Trial],
    signature: Signature,
) -> tuple[bytes | None, tuple[Attempt, ...]]:
    """Return the first graph that answers every trial as the original does, with all attempts up to it.

    Args:
        graphs: The candidates.
        load: Makes a runtime of a graph.
        prepared: The trials, answered by the original.
        signature: The model's signature.

    """
    attempts: list[Attempt] = []
    for graph in graphs:
        try:
            runtime = load(graph.onnx)
        except ArtifactError as error:
            attempts.append(
                Attempt(precision=graph.precision, equal=False, rows={}, largest_difference=0.0, reason=error.what)
            )
            continue
        attempts.append(compare(runtime, prepared, signature, precision=graph.precision))
        if attempts[-1].equal:
            return graph.onnx, tuple(attempts)
    return None, tuple(attempts)


def compare(compiled: Runtime, prepared: Sequence[Trial], signature: Signature, *, precision: str) -> Attempt:
    """Compare the answers of ``compiled`` with those of the original; it ends at the first difference that is not allowed."""
    rows: dict[str, int] = {}
    largest = 0.0
    scale = _scale(prepared, signature)
    for trial in prepared:
        rows[trial.kind] = rows.get(trial.kind, 0) + trial.rows.rows
        if trial.answers is None:
            failure = _answers_anyway(compiled, trial, signature)
        else:
            difference, failure = _differs(compiled, trial, signature, scale)
            largest = max(largest, difference)
        if failure is not None:
            reason, example = failure
            return Attempt(
                precision=precision,
                equal=False,
                rows=rows,
                largest_difference=largest,
                reason=reason,
                counter_example=example,
            )
    depends = _depends_on_batch(compiled, prepared, scale)
    return Attempt(precision=precision, equal=depends is None, rows=rows, largest_difference=largest, reason=depends)


_Failure = tuple[Text, CounterExample]


def _scale(prepared: Sequence[Trial], signature: Signature) -> float:
    """Return what differences are measured by: 1 for probabilities, the largest answer of a regressor to real rows."""
    if signature.output.task != "regression":
        return 1.0
    sizes = [
        np.abs(trial.answers.values.astype(np.float64)).max() for trial in prepared if trial.real and trial.answers
    ]
    return max(float(max(sizes, default=1.0)), 1e-300)


def _differs(compiled: Runtime, trial: Trial, signature: Signature, scale: float) -> tuple[float, _Failure | None]:
    assert trial.answers is not None
    expected = trial.answers
    try:
        given = compiled.run(trial.rows.arrays())
    except ModelFailed:
        example = _example(trial, signature, 0, expected, None, None)
        return 0.0, (
            Text(en="it refuses rows that the original answers", ja="元のモデルが答える行に答えられません"),
            example,
        )
    differences = _differences(expected, given, scale)
    largest = float(np.nanmax(np.minimum(differences, _LARGEST), initial=0.0))
    wrong = ~(differences <= TOLERANCE)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[np.argmax(np.nan_to_num(differences[wrong], nan=np.inf))])
        difference = float(np.nan_to_num(differences[row], nan=_LARGEST, posinf=_LARGEST))
        example = _example(trial, signature, row, expected, given, difference)
        return largest, (
            Text(en="its scores differ by more than the tolerance", ja="スコアの差が許容値を超えています"),
            example,
        )
    if signature.output.task != "regression":
        changed = np.asarray(expected.values != given.values)
        if not trial.real:
            changed &= ~_close_calls(expected, tied=trial.kind != "ties")
            changed &= ~_alike_elsewhere(expected, given, changed)
        if changed.any():
            row = int(np.flatnonzero(changed)[0])
            example = _example(trial, signature, row, expected, given, float(differences[row]))
            return largest, (Text(en="it changes a label", ja="予測ラベルが変わります"), example)
    return largest, None


def _differences(expected: Outputs, given: Outputs, scale: float) -> NDArray[np.float64]:
    """Return how far each row is off, shape ``(n,)``; zero where there is no score to compare; equal infinities and NaN are equal."""
    if expected.probabilities is not None:
        assert given.probabilities is not None
        gaps: NDArray[np.float64] = _gaps(expected.probabilities, given.probabilities).max(axis=1)
        return gaps
    if expected.values.dtype.kind != "f":
        return np.zeros(len(expected.values))
    mine, theirs = expected.values.astype(np.float64), given.values.astype(np.float64)
    shares: NDArray[np.float64] = _gaps(mine, theirs) / np.maximum(np.abs(mine), scale)
    return shares


def _gaps(expected: NDArray[np.float64], given: NDArray[np.float64]) -> NDArray[np.float64]:
    same = (expected == given) | (np.isnan(expected) & np.isnan(given))
    with np.errstate(invalid="ignore"):
        gaps: NDArray[np.float64] = np.where(same, 0.0, np.abs(expected - given))
    return gaps


def _close_calls(answers: Outputs, *, tied: bool) -> NDArray[np.bool_]:
    """Return the rows so near the boundary, within the tolerance, that either label is right.

    Args:
        answers: What the original answers.
        tied: Whether rows on the boundary itself are among them. A row that was pushed there may fall to either side; where votes are counted,
            ties are common among rows of any kind, and always answered with the same label.

    """
    if answers.probabilities is None:
        return np.zeros(len(answers.values), dtype=np.bool_)
    ordered = np.sort(answers.probabilities, axis=1)
    gap = ordered[:, -1] - ordered[:, -2]
    return np.asarray((gap <= 2 * TOLERANCE) & (tied | (gap > 0)))


def _alike_elsewhere(expected: Outputs, given: Outputs, changed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which of the ``changed`` rows have a label that the original itself gives to a row with the same scores, within the tolerance.

    So it is on both sides of a threshold that is not one half, and of a decision that is taken by another score than the probabilities.
    """
    alike = np.zeros(len(changed), dtype=np.bool_)
    scores = expected.probabilities
    if scores is None:
        return alike
    for row in np.flatnonzero(changed)[:_MOST_CHANGED]:
        near = np.abs(scores - scores[row]).max(axis=1) <= 2 * TOLERANCE
        alike[row] = bool(np.any(near & (expected.values == given.values[row])))
    return alike


def _answers_anyway(compiled: Runtime, trial: Trial, signature: Signature) -> _Failure | None:
    """Return the failure of a model that answers, with a straight face, a row that the original refuses."""
    try:
        given = compiled.run(trial.rows.arrays())
    except ModelFailed:
        return None
    scores: NDArray[Any] = given.values if given.probabilities is None else given.probabilities
    if scores.dtype.kind == "f" and not np.isfinite(scores.astype(np.float64)).all():
        return None
    example = _example(trial, signature, 0, None, given, None)
    return Text(en="it answers rows that the original refuses", ja="元のモデルが拒否する行に答えてしまいます"), example


def _depends_on_batch(compiled: Runtime, prepared: Sequence[Trial], scale: float) -> Text | None:
    """Return why the answers depend on how many rows are asked at once, or in which order; ``None`` if they do not."""
    real = [trial.rows for trial in prepared if trial.real and trial.answers is not None]
    if not real:
        return None
    longest = max(real, key=len)
    count = min(longest.rows, int(np.clip(_BATCH_CELLS // len(longest.columns), 16, 256)))
    columns = longest.take(slice(0, count)).arrays()
    at_once = compiled.run(columns)
    orders = [np.arange(count)[start : start + size] for size in BATCHES for start in range(0, count, size)]
    random = np.random.default_rng(0)
    # Backwards, shuffled, and drawn with repetition.
    orders += [np.arange(count)[::-1], random.permutation(count), random.integers(count, size=count)]
    for order in orders:
        apart = compiled.run({name: values[order] for name, values in columns.items()})
        expected = _picked(at_once, order)
        labels = expected.probabilities is not None or expected.values.dtype.kind != "f"
        if (labels and (expected.values != apart.values).any()) or not bool(
            np.all(_differences(expected, apart, scale) <= TOLERANCE)
        ):
            return Text(en="its answers depend on the rows beside them", ja="答えが、一緒に尋ねた行によって変わります")
    return None


def _picked(outputs: Outputs, rows: NDArray[np.intp]) -> Outputs:
    probabilities = outputs.probabilities
    return replace(
        outputs, values=outputs.values[rows], probabilities=None if probabilities is None else probabilities[rows]
    )


def _example(
    trial: Trial,
    signature: Signature,
    row: int,
    original: Outputs | None,
    compiled: Outputs | None,
    difference: float | None,
) -> CounterExample:
    kept = [feature.name for feature in signature.features if not feature.personal]
    (record,) = Table(columns=trial.rows.select(kept).columns).take([row]).records()
    return CounterExample(
        trial=trial.kind,
        row=record,
        original=None if original is None else _scalar(original.values[row]),
        compiled=None if compiled is None else _scalar(compiled.values[row]),
        difference=difference,
    )


def _scalar(value: Any) -> Scalar:
    plain: Scalar = value.item() if hasattr(value, "item") else value
    if isinstance(plain, float) and not np.isfinite(plain):
        return str(plain)
    return plain
