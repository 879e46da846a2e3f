"""The data sets of the examples: real ones, small enough that a model is trained in a moment."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

TRAINING_ROWS = 2_000
ASKED_ROWS = 500


@dataclass(frozen=True, kw_only=True)
class Data:
    """Rows to train on, and rows that the model has not seen.

    Attributes:
        name: What it is called in the table.
        rows: The features: a data frame, or an array.
        answers: The target, one a row (or a column for each answer of a model with several).
        asked: Rows in the form of ``rows`` that are kept out of training.

    """

    name: str
    rows: Any
    answers: Any
    asked: Any


def breast_cancer() -> Data:
    """Return 30 numbers, two classes."""
    from sklearn.datasets import load_breast_cancer

    return _bunch("breast cancer", load_breast_cancer(as_frame=True))


def wine() -> Data:
    """Return 13 numbers, three classes."""
    from sklearn.datasets import load_wine

    return _bunch("wine", load_wine(as_frame=True))


def digits() -> Data:
    """Return 64 whole numbers as an array without names, ten classes."""
    from sklearn.datasets import load_digits

    given = load_digits()
    return _split("digits", given.data, given.target)


def diabetes() -> Data:
    """Return 10 numbers and a number to be predicted, above zero."""
    from sklearn.datasets import load_diabetes

    return _bunch("diabetes", load_diabetes(as_frame=True))


def linnerud() -> Data:
    """Return 3 numbers and three numbers to be predicted; its 20 rows are few, so each stands ten times, with a little noise."""
    from sklearn.datasets import load_linnerud

    given = load_linnerud(as_frame=True)
    noise = np.random.default_rng(0).normal(0, 1, (200, 3))
    rows = pd.concat([given.data] * 10, ignore_index=True) + noise
    return _split("linnerud", rows, pd.concat([given.target] * 10, ignore_index=True))


@functools.cache
def _employment() -> tuple[pd.DataFrame, pd.Series]:
    from sekisho.examples.employment import train
    from sekisho.examples.employment.layout import YEARS, read_table

    table = read_table()
    table = table[table["year"].isin(YEARS["training"])].sample(TRAINING_ROWS + ASKED_ROWS, random_state=0)
    table = table.reset_index(drop=True)
    return table.drop(columns=train.NOT_FEATURES), table[train.TARGET]


def employment() -> Data:
    """Return the demo's table: numbers, strings and nulls together, two classes."""
    return _split("employment", *_employment())


def employment_categories() -> Data:
    """Return the demo's table with its strings as pandas' categories."""
    rows, answers = _employment()
    strings = rows.select_dtypes(exclude="number").columns
    return _split("employment, categories", rows.astype(dict.fromkeys(strings, "category")), answers)


def employment_age() -> Data:
    """Return the demo's table, whose age is to be predicted from the rest."""
    rows, _ = _employment()
    return _split("employment, age", rows.drop(columns="AGEP"), rows["AGEP"])


def sentences() -> Data:
    """Return one column of text, two classes: lines in which scikit-learn's estimators explain themselves, the linear ones and the others."""
    return _split("docstrings", *_docstrings())


def bare_sentences() -> Data:
    """Return the same text as a list of strings would be given: a series, not a table."""
    table, labels = _docstrings()
    return _split("docstrings, a series", table["text"], labels)


def one_number() -> Data:
    """Return one of the numbers of the diabetes data, and the number to be predicted."""
    from sklearn.datasets import load_diabetes

    given = load_diabetes(as_frame=True)
    return _split("diabetes, bmi", given.data[["bmi"]], given.target)


@functools.cache
def _docstrings() -> tuple[pd.DataFrame, Any]:
    import inspect

    from sklearn.utils import all_estimators

    lines = [
        (line.strip(), "linear" if "linear_model" in estimator.__module__ else "other")
        for _, estimator in all_estimators()
        for line in (inspect.getdoc(estimator) or "").splitlines()
        if len(line.split()) > 4
    ]
    table = pd.DataFrame(lines, columns=["text", "kind"]).drop_duplicates("text", ignore_index=True)
    table = table.sample(TRAINING_ROWS + ASKED_ROWS, random_state=0).reset_index(drop=True)
    return table[["text"]], table["kind"].to_numpy()


def _bunch(name: str, given: Any) -> Data:
    return _split(name, given.data, given.target)


def _split(name: str, rows: Any, answers: Any) -> Data:
    """Keep a fifth, at most :data:`ASKED_ROWS`, out of training."""
    count = min(ASKED_ROWS, len(rows) // 5)
    order = np.random.default_rng(0).permutation(len(rows))
    kept, trained = order[:count], np.sort(order[count:])

    def at(table: Any, places: Any) -> Any:
        return table.iloc[places].reset_index(drop=True) if hasattr(table, "iloc") else table[places]

    return Data(name=name, rows=at(rows, trained), answers=at(answers, trained), asked=at(rows, kept))
