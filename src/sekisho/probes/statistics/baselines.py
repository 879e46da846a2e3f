"""Plain models that a real one must be compared with: a constant answer, and a linear model on the same rows."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any, Final

import numpy as np

from sekisho.artifact.table import Column, Table
from sekisho.probes.statistics.answers import Answers, Floats
from sekisho.probes.statistics.metrics import Metric

MOST_ROWS: Final = 20_000
"""How many training rows a baseline learns from; a simple model gains nothing from more."""
MOST_LEVELS: Final = 50
"""How many categories of a column get a place of their own; the rarest share one."""


def constant(answers: Answers, learned: np.ndarray[Any, np.dtype[Any]], metric: Metric) -> Answers:
    """Return the answers of a model that looks at nothing: always the most frequent class, or the middle value.

    Args:
        answers: The answers it is compared with.
        learned: The targets that it learns from, in the numbers of ``answers``, shape ``(n,)``.
        metric: The score it is compared by: a mean answers squared errors best, a median absolute ones.

    """
    if answers.task == "regression":
        middle = float(np.mean(learned)) if metric.constant is None else float(metric.constant(learned))
        return replace(answers, given=np.full(len(answers), middle), probabilities=None)
    shares = np.bincount(learned, minlength=answers.classes) / len(learned)
    return replace(
        answers,
        given=np.full(len(answers), shares.argmax()),
        probabilities=np.tile(shares, (len(answers), 1)),
    )


def linear(
    answers: Answers, learned: np.ndarray[Any, np.dtype[Any]], training: Table, test: Table, seed: int
) -> Answers | None:
    """Return the answers of a logistic or ridge regression on the same features; ``None`` if it can learn nothing.

    Args:
        answers: The answers it is compared with.
        learned: The targets of ``training``, in the numbers of ``answers``, shape ``(n,)``.
        training: The features that it learns from, ``n`` rows.
        test: The features that it answers, ``len(answers)`` rows.
        seed: Chooses the training rows if there are many.

    """
    from sklearn.linear_model import LogisticRegression, Ridge
    from threadpoolctl import threadpool_limits

    rows = sample(training.rows, MOST_ROWS, seed)
    learned = learned[rows]
    inputs, asked = _design(training.take(rows), test)
    if not inputs.shape[1] or len(np.unique(learned)) < 2:
        return None
    # One thread: on so few rows more of them wait for one another, and on a busy machine for long.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")  # a baseline that has not fully converged is a baseline still
        if answers.task == "regression":
            return replace(answers, given=Ridge().fit(inputs, learned).predict(asked), probabilities=None)
        model = LogisticRegression(max_iter=200).fit(inputs, learned)
    stated = np.zeros((len(answers), answers.classes))
    stated[:, model.classes_] = model.predict_proba(asked)
    return replace(answers, given=stated.argmax(axis=1), probabilities=stated)


def tree(
    answers: Answers, learned: np.ndarray[Any, np.dtype[Any]], training: Table, test: Table, seed: int
) -> Answers | None:
    """Return the answers of one tree of at most eight leaves on the same features; ``None`` if it can learn nothing.

    Args:
        answers: The answers it is compared with.
        learned: The targets of ``training``, in the numbers of ``answers``, shape ``(n,)``.
        training: The features that it learns from, ``n`` rows.
        test: The features that it answers, ``len(answers)`` rows.
        seed: Chooses the training rows if there are many.

    """
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    rows = sample(training.rows, MOST_ROWS, seed)
    learned = learned[rows]
    inputs, asked = _design(training.take(rows), test)
    if not inputs.shape[1] or len(np.unique(learned)) < 2:
        return None
    limits = {"max_depth": 3, "min_samples_leaf": 10, "random_state": seed}
    if answers.task == "regression":
        return replace(answers, given=DecisionTreeRegressor(**limits).fit(inputs, learned).predict(asked))
    model = DecisionTreeClassifier(**limits).fit(inputs, learned)
    stated = np.zeros((len(answers), answers.classes))
    stated[:, model.classes_] = model.predict_proba(asked)
    return replace(answers, given=stated.argmax(axis=1), probabilities=stated)


def sample(rows: int, most: int, seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the places of at most ``most`` of ``rows`` rows, in order."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _design(training: Table, test: Table) -> tuple[Floats, Floats]:
    """Return both tables as numbers: scaled, nulls replaced by the median and marked, one place a category."""
    parts = [
        _scaled(known, asked) if known.kind in {"float", "integer", "boolean", "datetime"} else _levels(known, asked)
        for known, asked in zip(training.columns, test.columns, strict=True)
        if known.kind != "text"
    ]
    if not parts:
        return np.zeros((training.rows, 0)), np.zeros((test.rows, 0))
    return np.hstack([part[0] for part in parts]), np.hstack([part[1] for part in parts])


def numbers(column: Column) -> Floats:
    """Return a column as float64, shape ``(n,)``: nulls are NaN, moments are seconds, words that are no numbers are NaN."""
    if column.kind == "datetime":
        values = column.values.astype("datetime64[us]").astype(np.int64).astype(np.float64) / 1e6
    elif column.kind in {"float", "integer", "boolean"}:
        values = column.values.astype(np.float64)
    else:
        values = np.full(len(column), np.nan)
    values[column.null] = np.nan
    return values


def _scaled(known: Column, asked: Column) -> tuple[Floats, Floats]:
    learned = numbers(known)
    present = learned[np.isfinite(learned)]
    if not len(present):
        return np.zeros((len(known), 0)), np.zeros((len(asked), 0))
    middle, spread = float(np.median(present)), float(present.std()) or 1.0

    def columns(values: Floats) -> Floats:
        missing = ~np.isfinite(values)
        return np.stack([(np.where(missing, middle, values) - middle) / spread, missing.astype(np.float64)], axis=1)

    return columns(learned), columns(numbers(asked))


def _levels(known: Column, asked: Column) -> tuple[Floats, Floats]:
    words = [str(cell) for cell in known.scalars()]
    seen, counts = np.unique(words, return_counts=True)
    levels = seen[np.argsort(-counts, kind="stable")[:MOST_LEVELS]]
    return (
        (np.array(words)[:, None] == levels).astype(np.float64),
        (np.array([str(cell) for cell in asked.scalars()])[:, None] == levels).astype(np.float64),
    )
