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
AT_ONCE: Final = 100_000
"""How many rows a baseline answers at a time."""
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


def plain(
    answers: Answers, learned: np.ndarray[Any, np.dtype[Any]], training: Table, test: Table, seed: int
) -> dict[str, Answers]:
    """Return the answers of plain models that learn from the same features; none if there is nothing to learn.

    ``linear`` is a logistic or ridge regression, ``tree`` one tree of at most eight leaves.

    Args:
        answers: The answers they are compared with.
        learned: The targets of ``training``, in the numbers of ``answers``, shape ``(n,)``.
        training: The features that they learn from, ``n`` rows.
        test: The features that they answer, ``len(answers)`` rows.
        seed: Chooses the training rows if there are many.

    """
    from threadpoolctl import threadpool_limits

    rows = sample(training.rows, MOST_ROWS, seed)
    learned, known = learned[rows], training.take(rows)
    inputs = _design(known, known)
    if not inputs.shape[1] or len(np.unique(learned)) < 2:
        return {}
    # One thread: on so few rows more of them wait for one another, and on a busy machine for long.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")  # a baseline that has not fully converged is a baseline still
        models = {name: model.fit(inputs, learned) for name, model in _models(answers, seed).items()}
        found: dict[str, list[Floats]] = {name: [] for name in models}
        for start in range(0, test.rows, AT_ONCE):
            asked = _design(known, test.take(slice(start, start + AT_ONCE)))
            for name, model in models.items():
                found[name].append(_asked(model, asked, answers.classes))
    return {name: _as_answers(np.concatenate(parts), answers) for name, parts in found.items()}


def _models(answers: Answers, seed: int) -> dict[str, Any]:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    limits = {"max_depth": 3, "min_samples_leaf": 10, "random_state": seed}
    if answers.task == "regression":
        return {"linear": Ridge(), "tree": DecisionTreeRegressor(**limits)}
    return {"linear": LogisticRegression(max_iter=200), "tree": DecisionTreeClassifier(**limits)}


def _asked(model: Any, inputs: Floats, classes: int) -> Floats:
    if not classes:
        values: Floats = model.predict(inputs)
        return values
    stated = np.zeros((len(inputs), classes))
    stated[:, model.classes_] = model.predict_proba(inputs)
    return stated


def _as_answers(given: Floats, answers: Answers) -> Answers:
    if not answers.classes:
        return replace(answers, given=given, probabilities=None)
    return replace(answers, given=given.argmax(axis=1), probabilities=given)


def sample(rows: int, most: int, seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the places of at most ``most`` of ``rows`` rows, in order."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _design(training: Table, table: Table) -> Floats:
    """Return a table as numbers, by what ``training`` holds: scaled, nulls replaced by the median and marked, one place a category."""
    parts = [
        _scaled(known, asked) if known.kind in {"float", "integer", "boolean", "datetime"} else _levels(known, asked)
        for known, asked in zip(training.columns, table.columns, strict=True)
        if known.kind != "text"
    ]
    return np.hstack(parts) if parts else np.zeros((table.rows, 0))


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


def _scaled(known: Column, asked: Column) -> Floats:
    learned = numbers(known)
    present = learned[np.isfinite(learned)]
    if not len(present):
        return np.zeros((len(asked), 0))
    middle, spread = float(np.median(present)), float(present.std()) or 1.0
    values = numbers(asked)
    missing = ~np.isfinite(values)
    return np.stack([(np.where(missing, middle, values) - middle) / spread, missing.astype(np.float64)], axis=1)


def _levels(known: Column, asked: Column) -> Floats:
    import pandas as pd

    seen, counts = np.unique([str(cell) for cell in known.scalars()], return_counts=True)
    levels = seen[np.argsort(-counts, kind="stable")[:MOST_LEVELS]]
    codes, different = pd.factorize(np.array(asked.scalars(), dtype=object), use_na_sentinel=False)
    words = np.array([str(None if pd.isna(cell) else cell) for cell in different])
    places = (words[:, None] == levels).astype(np.float64)
    chosen: Floats = places[codes]
    return chosen
