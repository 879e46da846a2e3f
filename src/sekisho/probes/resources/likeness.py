"""How alike two models are that should be one and the same: their bytes, their answers, their quality."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Final, Literal

import numpy as np

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.assembly import formats
from sekisho.artifact.column import Scalar
from sekisho.artifact.runtime import Outputs
from sekisho.artifact.table import Table
from sekisho.contract.sections import Data, Quality
from sekisho.errors import SekishoError
from sekisho.probes.resources.artifacts import ModelFiles, file_digest
from sekisho.probes.resources.inert import difference
from sekisho.probes.resources.scored import Scored
from sekisho.probes.resources.tables import TestSet
from sekisho.probes.statistics.answers import Answers
from sekisho.probes.statistics.estimates import Resampling, estimate
from sekisho.probes.statistics.intervals import Interval, Share, wilson
from sekisho.probes.statistics.metrics import Metric, find_metric, fits

DESCRIBES: Final = (".json", ".md", ".txt", ".log", ".yaml", ".yml", ".lock", ".html", ".png", ".csv")
"""Endings of files that tell of a model, and may tell when it was made."""

Unlike = Literal["other features", "other answers", "cannot answer", "no rows", "not readable"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Likeness:
    """How alike two models are.

    Attributes:
        bytes_same: Whether the files of the model are the same, byte for byte.
        parameters: The largest difference between two numbers of pickles that nobody reads, as a share of the largest of its array;
            ``None`` when that was not needed, or they build different things.
        unlike: Why their answers could not be compared; ``None`` when they were.
        golden_rows, test_rows: How many rows both answered.
        labels_differ: To how many of these rows they give other labels; of a regressor, none.
        difference: The largest difference between two probabilities; of a regressor, between two answers, as a share of the largest.
        agreement: The share of the rows with the same label, with its interval; of a regressor, the share of the variance of the first's
            answers that the second's explain.
        metric: The score that was compared.
        at_hand: That score of the model at hand on the test set, with its interval.
        again: That score of the model that was trained again.

    """

    bytes_same: bool
    unlike: Unlike | None
    parameters: float | None = None
    golden_rows: int = 0
    test_rows: int = 0
    labels_differ: int = 0
    difference: float | None = None
    agreement: Interval | None = None
    metric: str | None = None
    at_hand: Interval | None = None
    again: float | None = None


def same_bytes(first: ModelFiles, second: ModelFiles, one: ModelArtifact | None, other: ModelArtifact | None) -> bool:
    """Return whether two models are the same files, but for what tells when and where they were made."""
    if one is not None and other is not None:
        return _of_artifact(one) == _of_artifact(other)
    return _of_files(first) == _of_files(second) != {}


def parameters_apart(first: ModelFiles, second: ModelFiles) -> float | None:
    """Return how far the numbers in the pickles of two models are apart; ``None`` when they build different things."""
    one, other = _models(first), _models(second)
    if not one or one.keys() != other.keys():
        return None
    apart = [difference(one[name].read_bytes(), other[name].read_bytes()) for name in one]
    known = [each for each in apart if each is not None]
    return max(known) if len(known) == len(apart) else None


def compare(
    one: ModelArtifact, other: ModelArtifact, *, same: bool, test: TestSet | None, data: Data, quality: Quality
) -> Likeness:
    """Return how alike the answers of two models are, on the golden rows of the first and on the test set."""
    if one.signature.names != other.signature.names:
        return Likeness(bytes_same=same, unlike="other features")
    if _classes(one) != _classes(other):
        return Likeness(bytes_same=same, unlike="other answers")
    tables = list(_tables(one, test))
    if not tables:
        return Likeness(bytes_same=same, unlike="no rows")
    try:
        pairs = [(one.predict(table), other.predict(table)) for table in tables]
        scores = _scores(one, other, test, data, quality)
    except SekishoError:
        return Likeness(bytes_same=same, unlike="cannot answer")
    rows = [table.rows for table in tables]
    golden = rows[0] if one.golden.rows else 0
    alike = [_alike(*pair) for pair in pairs]
    return Likeness(
        bytes_same=same,
        unlike=None,
        golden_rows=golden,
        test_rows=sum(rows) - golden,
        labels_differ=sum(each for each, _ in alike),
        difference=max(each for _, each in alike),
        agreement=_agreement(pairs, sum(rows) - sum(each for each, _ in alike), quality.confidence),
        metric=scores[0] if scores else None,
        at_hand=scores[1] if scores else None,
        again=scores[2] if scores else None,
    )


def _classes(model: ModelArtifact) -> list[tuple[str, tuple[Scalar, ...] | None]]:
    """Return the classes of every answer, with its name where there are several."""
    output = model.signature.output
    return [(one.name if output.outputs else "", one.classes) for one in output.each]


def _of_artifact(artifact: ModelArtifact) -> dict[str, str]:
    models = {unit.file for unit in formats().values()}
    return {file.name: file.sha256 for file in artifact.manifest.files if file.name in models}


def _of_files(files: ModelFiles) -> dict[str, str]:
    return {name: file_digest(path) for name, path in _models(files).items()}


def _models(files: ModelFiles) -> dict[str, Path]:
    """Return the files that hold the model, not those that tell of it."""
    if files.path.is_file():
        return {"": files.path}
    models = [path for path in files.files if path.suffix.lower() not in DESCRIBES]
    return {files.name(path): path for path in models or files.files}


def _tables(one: ModelArtifact, test: TestSet | None) -> Iterator[Table]:
    if one.golden.rows:
        yield one.golden.table(one.signature)
    if test is not None and set(one.signature.names) <= set(test.full.names):
        yield test.full.select(one.signature.names)


def _alike(first: Outputs, second: Outputs) -> tuple[int, float]:
    """Return how many labels differ, and the largest difference."""
    if _gives_values(first):
        one, other = (each.values.astype(np.float64) for each in (first, second))
        largest = np.abs(one).max(axis=0, initial=0.0)  # each answer by its own size
        return 0, _finite(np.abs(one - other) / np.where(largest > 0, largest, 1.0))
    differ = np.array([a != b for a, b in zip(first.values.tolist(), second.values.tolist(), strict=True)])
    if first.probabilities is None or second.probabilities is None:
        return int(differ.sum()), float(differ.any())
    return int(differ.sum()), _finite(np.abs(first.probabilities - second.probabilities))


def _agreement(pairs: list[tuple[Outputs, Outputs]], agreeing: int, confidence: float) -> Interval:
    if not _gives_values(pairs[0][0]):
        rows = sum(len(first.values) for first, _ in pairs)
        return wilson(Share(count=agreeing, trials=rows), confidence)
    one, other = (np.concatenate([pair[place].values for pair in pairs]).astype(np.float64) for place in (0, 1))
    unexplained = np.mean((one - other) ** 2, axis=0)
    shares = np.where(unexplained == 0, 1.0, 1 - unexplained / np.maximum(one.var(axis=0), 1e-300))
    share = float(np.min(shares))  # of several answers, the one that agrees least
    share = max(0.0, share) if isfinite(share) else 0.0
    return Interval(point=share, low=share, high=share)


def _gives_values(outputs: Outputs) -> bool:
    return outputs.values.dtype.kind == "f" and outputs.probabilities is None


def _finite(apart: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    return float(np.where(np.isfinite(apart), apart, 1e300).max(initial=0.0))


def _scores(
    one: ModelArtifact, other: ModelArtifact, test: TestSet | None, data: Data, quality: Quality
) -> tuple[str, Interval, float] | None:
    if one.signature.output.outputs or other.signature.output.outputs:
        return None
    if test is None or test.target is None or not set(one.signature.names) <= set(test.full.names):
        return None
    answers = [_answers(each, test, data, quality) for each in (one, other)]
    metric = _metric(quality, answers[0])
    if fits(metric, answers[0]) is not None or not all(isfinite(metric.of(each)) for each in answers):
        return None
    how = Resampling(confidence=quality.confidence, resamples=quality.resamples, seed=quality.seed)
    return metric.name, estimate(metric, answers[0], (), how).interval, float(metric.of(answers[1]))


def _answers(model: ModelArtifact, test: TestSet, data: Data, quality: Quality) -> Answers:
    assert test.target is not None
    return Scored(test, test.target, artifact=model, service=None, positive=data.positive, seed=quality.seed).answers


def _metric(quality: Quality, answers: Answers) -> Metric:
    if quality.metric is not None:
        metric = find_metric(quality.metric)
        if fits(metric, answers) is None:
            return metric
    return find_metric("rmse" if answers.task == "regression" else "accuracy")
