"""Models that give several answers a row: numbers, or labels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd
from benchmarks.formats import data
from benchmarks.formats.families.interface import Example, Family
from benchmarks.formats.pipelines import scaled
from sklearn import cross_decomposition, ensemble, linear_model, multioutput, neighbors, neural_network, svm

from sekisho.text import Text


def _many_labels() -> data.Data:
    """Return the numbers of breast cancer with three labels each: the diagnosis, and whether two of the numbers are large."""
    given = data.breast_cancer()
    rows = pd.DataFrame(given.rows)
    large = [(rows.iloc[:, place] > rows.iloc[:, place].median()).astype(int).to_numpy() for place in (1, 8)]
    answers = pd.DataFrame(dict(zip(("diagnosis", "rough", "even"), (np.asarray(given.answers), *large), strict=True)))
    return replace(given, answers=answers)


def _side_by_side(model: Any, rows: Any) -> Any:
    """Return the probabilities of every class of every answer, side by side; labels where there are none."""
    if not hasattr(model, "predict_proba"):
        return np.asarray(model.predict(rows))
    stated = model.predict_proba(rows)
    if isinstance(stated, list):
        return np.hstack(stated)
    return np.stack([1 - stated, stated], axis=2).reshape(len(stated), -1)


def _labels(name: str, make: Any) -> Example:
    return Example(name=name, data=_many_labels, make=make, ask=_side_by_side)


FAMILY: Final = Family(
    id="18-several",
    title=Text(en="Several answers a row", ja="1行に複数の答え"),
    library="scikit-learn",
    examples=(
        Example(
            name="MultiOutputRegressor",
            data=data.linnerud,
            make=lambda: multioutput.MultiOutputRegressor(linear_model.Ridge()),
        ),
        Example(
            name="RegressorChain",
            data=data.linnerud,
            make=lambda: multioutput.RegressorChain(linear_model.Ridge()),
        ),
        Example(name="LinearRegression", data=data.linnerud, make=linear_model.LinearRegression),
        Example(name="PLSRegression", data=data.linnerud, make=lambda: cross_decomposition.PLSRegression(2)),
        Example(
            name="RandomForestRegressor",
            data=data.linnerud,
            make=lambda: ensemble.RandomForestRegressor(50, random_state=0),
        ),
        Example(
            name="MLPRegressor",
            data=data.linnerud,
            make=lambda: scaled(neural_network.MLPRegressor(max_iter=300, random_state=0)),
        ),
        _labels(
            "MultiOutputClassifier",
            lambda: scaled(multioutput.MultiOutputClassifier(linear_model.LogisticRegression())),
        ),
        _labels("MultiOutputClassifier, no probabilities", lambda: multioutput.MultiOutputClassifier(svm.LinearSVC())),
        _labels("ClassifierChain", lambda: scaled(multioutput.ClassifierChain(linear_model.LogisticRegression()))),
        _labels("RandomForestClassifier", lambda: ensemble.RandomForestClassifier(50, random_state=0)),
        _labels("KNeighborsClassifier", lambda: scaled(neighbors.KNeighborsClassifier())),
    ),
)
