"""What stands before an estimator: imputers, encoders, scalers, selections, decompositions."""

from __future__ import annotations

from typing import Final

import numpy as np
from benchmarks.formats import data
from benchmarks.formats.families.interface import Example, Family
from benchmarks.formats.pipelines import mixed, scaled
from sklearn import (
    compose,
    decomposition,
    ensemble,
    feature_selection,
    impute,
    kernel_approximation,
    linear_model,
    preprocessing,
    random_projection,
)
from sklearn.pipeline import FeatureUnion, make_pipeline

from sekisho.text import Text

FAMILY: Final = Family(
    id="16-steps",
    title=Text(en="Steps of a pipeline", ja="パイプラインの処理"),
    library="scikit-learn",
    examples=(
        Example(name="OneHotEncoder, unknown ignored", data=data.employment, make=lambda: mixed(_logistic())),
        Example(
            name="OneHotEncoder, sparse",
            data=data.employment,
            make=lambda: mixed(_logistic(), encoder=preprocessing.OneHotEncoder(handle_unknown="ignore")),
        ),
        Example(
            name="OneHotEncoder, rare together",
            data=data.employment,
            make=lambda: mixed(
                _logistic(),
                encoder=preprocessing.OneHotEncoder(
                    handle_unknown="infrequent_if_exist", min_frequency=0.05, sparse_output=False
                ),
            ),
        ),
        Example(
            name="OrdinalEncoder",
            data=data.employment,
            make=lambda: mixed(
                ensemble.HistGradientBoostingClassifier(max_iter=50, random_state=0),
                encoder=preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
            ),
        ),
        Example(
            name="TargetEncoder",
            data=data.employment,
            make=lambda: mixed(_logistic(), encoder=preprocessing.TargetEncoder(random_state=0)),
        ),
        Example(name="KNNImputer", data=data.employment, make=lambda: mixed(_logistic(), imputer=impute.KNNImputer())),
        Example(name="IterativeImputer", data=data.employment, make=lambda: mixed(_logistic(), imputer=_iterative())),
        Example(
            name="SimpleImputer, with indicator",
            data=data.employment,
            make=lambda: mixed(_logistic(), imputer=impute.SimpleImputer(strategy="median", add_indicator=True)),
        ),
        Example(
            name="KBinsDiscretizer", data=data.diabetes, make=lambda: _before_ridge(preprocessing.KBinsDiscretizer(5))
        ),
        Example(name="KBinsDiscretizer, ordinal", data=data.diabetes, make=lambda: _before_ridge(_bins())),
        Example(
            name="SplineTransformer", data=data.diabetes, make=lambda: _before_ridge(preprocessing.SplineTransformer())
        ),
        Example(
            name="PolynomialFeatures",
            data=data.diabetes,
            make=lambda: _before_ridge(preprocessing.PolynomialFeatures(2)),
        ),
        Example(
            name="PowerTransformer", data=data.diabetes, make=lambda: _before_ridge(preprocessing.PowerTransformer())
        ),
        Example(
            name="QuantileTransformer",
            data=data.diabetes,
            make=lambda: _before_ridge(preprocessing.QuantileTransformer(n_quantiles=100)),
        ),
        Example(
            name="QuantileTransformer, normal",
            data=data.diabetes,
            make=lambda: _before_ridge(
                preprocessing.QuantileTransformer(n_quantiles=100, output_distribution="normal")
            ),
        ),
        Example(name="Normalizer", data=data.wine, make=lambda: make_pipeline(preprocessing.Normalizer(), _logistic())),
        Example(
            name="Binarizer",
            data=data.digits,
            make=lambda: make_pipeline(preprocessing.Binarizer(threshold=8.0), _logistic()),
        ),
        Example(
            name="MinMaxScaler, RobustScaler, MaxAbsScaler",
            data=data.wine,
            make=lambda: make_pipeline(
                FeatureUnion(
                    [
                        ("a", preprocessing.MinMaxScaler()),
                        ("b", preprocessing.RobustScaler()),
                        ("c", preprocessing.MaxAbsScaler()),
                    ]
                ),
                _logistic(),
            ),
        ),
        Example(
            name="PCA", data=data.digits, make=lambda: make_pipeline(decomposition.PCA(16, random_state=0), _logistic())
        ),
        Example(
            name="TruncatedSVD",
            data=data.digits,
            make=lambda: make_pipeline(decomposition.TruncatedSVD(16, random_state=0), _logistic()),
        ),
        Example(
            name="NMF",
            data=data.digits,
            make=lambda: make_pipeline(decomposition.NMF(8, init="nndsvda", max_iter=100, random_state=0), _logistic()),
        ),
        Example(
            name="Nystroem",
            data=data.wine,
            make=lambda: scaled(
                make_pipeline(kernel_approximation.Nystroem(n_components=30, random_state=0), _logistic())
            ),
        ),
        Example(
            name="GaussianRandomProjection",
            data=data.digits,
            make=lambda: make_pipeline(random_projection.GaussianRandomProjection(20, random_state=0), _logistic()),
        ),
        Example(
            name="SelectKBest",
            data=data.breast_cancer,
            make=lambda: scaled(make_pipeline(feature_selection.SelectKBest(k=8), _logistic())),
        ),
        Example(
            name="SelectFromModel",
            data=data.breast_cancer,
            make=lambda: scaled(
                make_pipeline(
                    feature_selection.SelectFromModel(ensemble.ExtraTreesClassifier(20, random_state=0)), _logistic()
                )
            ),
        ),
        Example(
            name="RFE",
            data=data.wine,
            make=lambda: scaled(make_pipeline(feature_selection.RFE(_logistic(), n_features_to_select=5), _logistic())),
        ),
        Example(
            name="VarianceThreshold",
            data=data.digits,
            make=lambda: make_pipeline(feature_selection.VarianceThreshold(), _logistic()),
        ),
        Example(
            name="FunctionTransformer, sqrt",
            data=data.digits,
            make=lambda: make_pipeline(preprocessing.FunctionTransformer(np.sqrt), _logistic()),
        ),
        Example(
            name="FunctionTransformer, log1p",
            data=data.digits,
            make=lambda: make_pipeline(preprocessing.FunctionTransformer(np.log1p), _logistic()),
        ),
        Example(
            name='ColumnTransformer(remainder="passthrough")',
            data=data.wine,
            make=lambda: make_pipeline(
                compose.ColumnTransformer(
                    [("scaled", preprocessing.StandardScaler(), [0, 12])], remainder="passthrough"
                ),
                ensemble.RandomForestClassifier(50, random_state=0),
            ),
        ),
        Example(
            name='set_output(transform="pandas")',
            data=data.employment,
            make=lambda: mixed(_logistic()).set_output(transform="pandas"),
        ),
    ),
)


def _logistic() -> linear_model.LogisticRegression:
    return linear_model.LogisticRegression(max_iter=300)


def _before_ridge(step: object) -> object:
    return make_pipeline(step, linear_model.Ridge())


def _bins() -> preprocessing.KBinsDiscretizer:
    return preprocessing.KBinsDiscretizer(5, encode="ordinal")


def _iterative() -> object:
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401

    return impute.IterativeImputer(random_state=0)
