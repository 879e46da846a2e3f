"""Linear models of scikit-learn, and what is linear behind a link."""

from __future__ import annotations

from typing import Final

from benchmarks.formats import data
from benchmarks.formats.families.interface import Example, Family
from benchmarks.formats.pipelines import scaled
from sklearn import linear_model as linear

from sekisho.text import Text

FAMILY: Final = Family(
    id="10-linear",
    title=Text(en="Linear models", ja="線形モデル"),
    library="scikit-learn",
    examples=(
        Example(name="LogisticRegression", data=data.breast_cancer, make=lambda: scaled(linear.LogisticRegression())),
        Example(name="LogisticRegression", data=data.wine, make=lambda: scaled(linear.LogisticRegression())),
        Example(
            name="LogisticRegressionCV",
            data=data.breast_cancer,
            make=lambda: scaled(
                linear.LogisticRegressionCV(
                    Cs=3, cv=3, use_legacy_attributes=False, scoring="accuracy", l1_ratios=(0.0,)
                )
            ),
        ),
        Example(
            name="SGDClassifier", data=data.breast_cancer, make=lambda: scaled(linear.SGDClassifier(random_state=0))
        ),
        Example(
            name="SGDClassifier, log loss",
            data=data.wine,
            make=lambda: scaled(linear.SGDClassifier(loss="log_loss", random_state=0)),
        ),
        Example(name="Perceptron", data=data.wine, make=lambda: scaled(linear.Perceptron(random_state=0))),
        Example(name="RidgeClassifier", data=data.wine, make=lambda: scaled(linear.RidgeClassifier())),
        Example(name="LinearRegression", data=data.diabetes, make=linear.LinearRegression),
        Example(name="Ridge", data=data.diabetes, make=linear.Ridge),
        Example(name="RidgeCV", data=data.diabetes, make=linear.RidgeCV),
        Example(name="Lasso", data=data.diabetes, make=linear.Lasso),
        Example(name="LassoCV", data=data.diabetes, make=linear.LassoCV),
        Example(name="ElasticNet", data=data.diabetes, make=linear.ElasticNet),
        Example(name="Lars", data=data.diabetes, make=linear.Lars),
        Example(name="OrthogonalMatchingPursuit", data=data.diabetes, make=linear.OrthogonalMatchingPursuit),
        Example(name="BayesianRidge", data=data.diabetes, make=linear.BayesianRidge),
        Example(name="ARDRegression", data=data.diabetes, make=linear.ARDRegression),
        Example(name="HuberRegressor", data=data.diabetes, make=lambda: scaled(linear.HuberRegressor(max_iter=1000))),
        Example(name="QuantileRegressor", data=data.diabetes, make=lambda: linear.QuantileRegressor(alpha=0.0)),
        Example(name="TheilSenRegressor", data=data.diabetes, make=lambda: linear.TheilSenRegressor(random_state=0)),
        Example(name="RANSACRegressor", data=data.diabetes, make=lambda: linear.RANSACRegressor(random_state=0)),
        Example(name="SGDRegressor", data=data.diabetes, make=lambda: scaled(linear.SGDRegressor(random_state=0))),
        Example(name="PoissonRegressor", data=data.diabetes, make=linear.PoissonRegressor),
        Example(name="GammaRegressor", data=data.diabetes, make=linear.GammaRegressor),
        Example(name="TweedieRegressor", data=data.diabetes, make=lambda: linear.TweedieRegressor(power=1.5)),
    ),
)
