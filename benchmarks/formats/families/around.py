"""Estimators around estimators of scikit-learn."""

from __future__ import annotations

from typing import Final

import numpy as np
from benchmarks.formats import data
from benchmarks.formats.families.interface import Example, Family
from benchmarks.formats.pipelines import mixed, scaled
from sklearn import (
    calibration,
    compose,
    ensemble,
    linear_model,
    model_selection,
    multiclass,
    naive_bayes,
    neighbors,
    svm,
    tree,
)

from sekisho.text import Text

FAMILY: Final = Family(
    id="14-around",
    title=Text(en="Estimators around estimators", ja="推定器を組み合わせるもの"),
    library="scikit-learn",
    examples=(
        Example(
            name="CalibratedClassifierCV, sigmoid",
            data=data.breast_cancer,
            make=lambda: calibration.CalibratedClassifierCV(scaled(svm.LinearSVC()), cv=3),
        ),
        Example(
            name="CalibratedClassifierCV, isotonic",
            data=data.breast_cancer,
            make=lambda: calibration.CalibratedClassifierCV(naive_bayes.GaussianNB(), method="isotonic", cv=3),
        ),
        Example(
            name="CalibratedClassifierCV, one ensemble",
            data=data.wine,
            make=lambda: calibration.CalibratedClassifierCV(
                ensemble.RandomForestClassifier(30, random_state=0), ensemble=False, cv=3
            ),
        ),
        Example(
            name="StackingClassifier", data=data.breast_cancer, make=lambda: ensemble.StackingClassifier(_three(), cv=3)
        ),
        Example(
            name="StackingClassifier, passthrough",
            data=data.wine,
            make=lambda: scaled(ensemble.StackingClassifier(_three(), passthrough=True, cv=3)),
        ),
        Example(name="StackingRegressor", data=data.diabetes, make=lambda: ensemble.StackingRegressor(_two(), cv=3)),
        Example(
            name="VotingClassifier, soft",
            data=data.breast_cancer,
            make=lambda: ensemble.VotingClassifier(_three(), voting="soft"),
        ),
        Example(name="VotingClassifier, hard", data=data.wine, make=lambda: ensemble.VotingClassifier(_three())),
        Example(
            name="VotingRegressor", data=data.diabetes, make=lambda: ensemble.VotingRegressor(_two(), weights=[2, 1])
        ),
        Example(
            name="BaggingClassifier", data=data.breast_cancer, make=lambda: ensemble.BaggingClassifier(random_state=0)
        ),
        Example(
            name="BaggingClassifier, of neighbours, some features",
            data=data.wine,
            make=lambda: scaled(
                ensemble.BaggingClassifier(neighbors.KNeighborsClassifier(3), max_features=0.5, random_state=0)
            ),
        ),
        Example(name="BaggingRegressor", data=data.diabetes, make=lambda: ensemble.BaggingRegressor(random_state=0)),
        Example(
            name="AdaBoostClassifier", data=data.breast_cancer, make=lambda: ensemble.AdaBoostClassifier(random_state=0)
        ),
        Example(name="AdaBoostClassifier", data=data.wine, make=lambda: ensemble.AdaBoostClassifier(random_state=0)),
        Example(name="AdaBoostRegressor", data=data.diabetes, make=lambda: ensemble.AdaBoostRegressor(random_state=0)),
        Example(
            name="FixedThresholdClassifier",
            data=data.breast_cancer,
            make=lambda: model_selection.FixedThresholdClassifier(
                scaled(linear_model.LogisticRegression()), threshold=0.3
            ),
        ),
        Example(
            name="TunedThresholdClassifierCV",
            data=data.breast_cancer,
            make=lambda: model_selection.TunedThresholdClassifierCV(scaled(linear_model.LogisticRegression()), cv=3),
        ),
        Example(
            name="GridSearchCV",
            data=data.employment,
            make=lambda: model_selection.GridSearchCV(
                mixed(linear_model.LogisticRegression(max_iter=500)), {"logisticregression__C": [0.1, 1.0]}, cv=2
            ),
        ),
        Example(
            name="RandomizedSearchCV",
            data=data.diabetes,
            make=lambda: model_selection.RandomizedSearchCV(
                linear_model.Ridge(), {"alpha": [0.1, 1.0, 10.0]}, n_iter=2, random_state=0
            ),
        ),
        Example(
            name="OneVsRestClassifier",
            data=data.wine,
            make=lambda: scaled(multiclass.OneVsRestClassifier(linear_model.LogisticRegression())),
        ),
        Example(
            name="OneVsOneClassifier",
            data=data.wine,
            make=lambda: scaled(multiclass.OneVsOneClassifier(svm.LinearSVC())),
        ),
        Example(
            name="OutputCodeClassifier",
            data=data.wine,
            make=lambda: scaled(multiclass.OutputCodeClassifier(linear_model.LogisticRegression(), random_state=0)),
        ),
        Example(
            name="TransformedTargetRegressor, log1p",
            data=data.diabetes,
            make=lambda: compose.TransformedTargetRegressor(linear_model.Ridge(), func=np.log1p, inverse_func=np.expm1),
        ),
        Example(
            name="TransformedTargetRegressor, of a pipeline",
            data=data.employment_age,
            make=lambda: compose.TransformedTargetRegressor(
                mixed(ensemble.HistGradientBoostingRegressor(max_iter=50, random_state=0)),
                func=np.sqrt,
                inverse_func=np.square,
            ),
        ),
    ),
)


def _three() -> list[tuple[str, object]]:
    return [
        ("linear", scaled(linear_model.LogisticRegression())),
        ("tree", tree.DecisionTreeClassifier(max_depth=3, random_state=0)),
        ("bayes", naive_bayes.GaussianNB()),
    ]


def _two() -> list[tuple[str, object]]:
    return [("linear", linear_model.Ridge()), ("tree", tree.DecisionTreeRegressor(max_depth=3, random_state=0))]
