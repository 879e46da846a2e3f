"""The steps before an estimator that several families share."""

from __future__ import annotations

from typing import Any

from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def scaled(estimator: Any) -> Any:
    """Return ``estimator`` after a scaler."""
    return make_pipeline(StandardScaler(), estimator)


def mixed(estimator: Any, *, encoder: Any = None, imputer: Any = None, scaler: Any = None) -> Any:
    """Return ``estimator`` after columns of numbers are imputed and scaled and columns of strings encoded."""
    numbers = make_pipeline(imputer or SimpleImputer(), scaler or StandardScaler())
    strings = encoder or OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (strings, make_column_selector(dtype_exclude="number")),
    )
    return make_pipeline(columns, estimator)
