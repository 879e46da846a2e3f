"""What finds outliers: the answer is -1 or 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from benchmarks.formats import data
from benchmarks.formats.families.interface import Example, Family
from benchmarks.formats.pipelines import mixed, scaled
from sklearn import covariance, ensemble, linear_model, neighbors, svm

from sekisho.text import Text


def without_answers(make: Callable[[], data.Data]) -> Callable[[], data.Data]:
    """Return the same data set without its target, which these models are not taught."""
    return lambda: replace(make(), answers=None)


FAMILY: Final = Family(
    id="15-outliers",
    title=Text(en="Outlier detection", ja="外れ値検出"),
    library="scikit-learn",
    examples=(
        Example(
            name="IsolationForest",
            data=without_answers(data.breast_cancer),
            make=lambda: ensemble.IsolationForest(random_state=0),
        ),
        Example(
            name="IsolationForest",
            data=without_answers(data.employment),
            make=lambda: mixed(ensemble.IsolationForest(random_state=0)),
        ),
        Example(name="OneClassSVM", data=without_answers(data.wine), make=lambda: scaled(svm.OneClassSVM(nu=0.1))),
        Example(
            name="SGDOneClassSVM",
            data=without_answers(data.wine),
            make=lambda: scaled(linear_model.SGDOneClassSVM(random_state=0)),
        ),
        Example(
            name="LocalOutlierFactor",
            data=without_answers(data.wine),
            make=lambda: scaled(neighbors.LocalOutlierFactor(novelty=True)),
        ),
        Example(
            name="EllipticEnvelope",
            data=without_answers(data.wine),
            make=lambda: scaled(covariance.EllipticEnvelope(random_state=0)),
        ),
    ),
)
