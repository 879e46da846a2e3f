"""XGBoost, LightGBM and CatBoost: their estimators alone, bare models, and inside scikit-learn."""

from __future__ import annotations

from typing import Any, Final

import catboost
import lightgbm
import xgboost
from benchmarks.formats import data
from benchmarks.formats.data import Data
from benchmarks.formats.families.interface import Example, Family
from benchmarks.formats.pipelines import mixed, scaled
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from sekisho.text import Text

LGBM: Final[dict[str, Any]] = {"verbose": -1, "random_state": 0}
CAT: Final[dict[str, Any]] = {"verbose": 0, "random_seed": 0, "allow_writing_files": False, "iterations": 200}


def strings() -> Data:
    """Return the demo's table with a word in place of each null string, as CatBoost asks for."""
    given = data.employment()
    words = given.rows.select_dtypes(exclude="number").columns

    def filled(rows: Any) -> Any:
        return rows.assign(**{name: rows[name].astype(object).where(rows[name].notna(), "none") for name in words})

    return Data(name=given.name, rows=filled(given.rows), answers=given.answers, asked=filled(given.asked))


def fit_strings(model: Any, given: Data) -> Any:
    return model.fit(given.rows, given.answers, cat_features=list(given.rows.select_dtypes(exclude="number").columns))


def fit_early(model: Any, given: Data) -> Any:
    rows, answers = given.rows, given.answers
    return model.fit(rows[::2], answers[::2], eval_set=[(rows[1::2], answers[1::2])], verbose=False)


def train_xgboost(options: Any, given: Data) -> Any:
    return xgboost.train(options, xgboost.DMatrix(given.rows, given.answers), 100)


def train_lightgbm(options: Any, given: Data) -> Any:
    return lightgbm.train(options, lightgbm.Dataset(given.rows, given.answers), 100)


def ask_xgboost(model: Any, rows: Any) -> Any:
    import numpy as np

    positive = model.predict(xgboost.DMatrix(rows))
    return np.column_stack([1 - positive, positive])


XGBOOST: Final = Family(
    id="20-xgboost",
    title=Text(en="XGBoost", ja="XGBoost"),
    library="xgboost-cpu",
    examples=(
        Example(name="XGBClassifier", data=data.breast_cancer, make=xgboost.XGBClassifier),
        Example(name="XGBClassifier", data=data.digits, make=xgboost.XGBClassifier),
        Example(
            name="XGBClassifier, own categories",
            data=data.employment_categories,
            make=lambda: xgboost.XGBClassifier(enable_categorical=True),
        ),
        Example(
            name="XGBClassifier, early stopping",
            data=data.breast_cancer,
            make=lambda: xgboost.XGBClassifier(n_estimators=500, early_stopping_rounds=5),
            fit=fit_early,
        ),
        Example(
            name="XGBClassifier, dart",
            data=data.wine,
            make=lambda: xgboost.XGBClassifier(n_estimators=20, booster="dart", rate_drop=0.1),
        ),
        Example(name="XGBClassifier, gblinear", data=data.wine, make=lambda: xgboost.XGBClassifier(booster="gblinear")),
        Example(name="XGBRFClassifier", data=data.breast_cancer, make=xgboost.XGBRFClassifier),
        Example(name="XGBRegressor", data=data.diabetes, make=xgboost.XGBRegressor),
        Example(
            name="XGBRegressor, counts",
            data=data.diabetes,
            make=lambda: xgboost.XGBRegressor(objective="count:poisson"),
        ),
        Example(
            name="Booster",
            data=data.breast_cancer,
            make=lambda: {"objective": "binary:logistic"},
            fit=train_xgboost,
            ask=ask_xgboost,
        ),
        Example(name="pipeline of XGBClassifier", data=data.employment, make=lambda: mixed(xgboost.XGBClassifier())),
        Example(
            name="search over XGBClassifier",
            data=data.breast_cancer,
            make=lambda: GridSearchCV(
                scaled(xgboost.XGBClassifier(n_estimators=30)), {"xgbclassifier__max_depth": [2, 4]}, cv=2
            ),
        ),
    ),
)
LIGHTGBM: Final = Family(
    id="21-lightgbm",
    title=Text(en="LightGBM", ja="LightGBM"),
    library="lightgbm",
    examples=(
        Example(name="LGBMClassifier", data=data.breast_cancer, make=lambda: lightgbm.LGBMClassifier(**LGBM)),
        Example(name="LGBMClassifier", data=data.digits, make=lambda: lightgbm.LGBMClassifier(**LGBM)),
        Example(
            name="LGBMClassifier, own categories",
            data=data.employment_categories,
            make=lambda: lightgbm.LGBMClassifier(**LGBM),
        ),
        Example(
            name="LGBMClassifier, forest",
            data=data.wine,
            make=lambda: lightgbm.LGBMClassifier(boosting_type="rf", bagging_freq=1, bagging_fraction=0.6, **LGBM),
        ),
        Example(name="LGBMRegressor", data=data.diabetes, make=lambda: lightgbm.LGBMRegressor(**LGBM)),
        Example(
            name="LGBMRegressor, Tweedie",
            data=data.diabetes,
            make=lambda: lightgbm.LGBMRegressor(objective="tweedie", **LGBM),
        ),
        Example(
            name="LGBMRegressor, linear leaves",
            data=data.diabetes,
            make=lambda: lightgbm.LGBMRegressor(linear_tree=True, **LGBM),
        ),
        Example(
            name="Booster",
            data=data.diabetes,
            make=lambda: {"objective": "regression", "verbose": -1},
            fit=train_lightgbm,
        ),
        Example(
            name="pipeline of LGBMClassifier", data=data.employment, make=lambda: mixed(lightgbm.LGBMClassifier(**LGBM))
        ),
        Example(
            name="calibrated LGBMClassifier",
            data=data.breast_cancer,
            make=lambda: CalibratedClassifierCV(lightgbm.LGBMClassifier(**LGBM), cv=3),
        ),
    ),
)
CATBOOST: Final = Family(
    id="22-catboost",
    title=Text(en="CatBoost", ja="CatBoost"),
    library="catboost",
    examples=(
        Example(name="CatBoostClassifier", data=data.breast_cancer, make=lambda: catboost.CatBoostClassifier(**CAT)),
        Example(name="CatBoostClassifier", data=data.digits, make=lambda: catboost.CatBoostClassifier(**CAT)),
        Example(
            name="CatBoostClassifier, own categories",
            data=strings,
            make=lambda: catboost.CatBoostClassifier(**CAT),
            fit=fit_strings,
        ),
        Example(
            name="CatBoostClassifier, leaf by leaf",
            data=data.wine,
            make=lambda: catboost.CatBoostClassifier(grow_policy="Lossguide", **CAT),
        ),
        Example(name="CatBoostRegressor", data=data.diabetes, make=lambda: catboost.CatBoostRegressor(**CAT)),
        Example(
            name="CatBoostRegressor, counts",
            data=data.diabetes,
            make=lambda: catboost.CatBoostRegressor(loss_function="Poisson", **CAT),
        ),
        Example(
            name="pipeline of CatBoostClassifier",
            data=data.employment,
            make=lambda: mixed(catboost.CatBoostClassifier(**CAT)),
        ),
        Example(
            name="voting of three libraries",
            data=data.wine,
            make=lambda: VotingClassifier(
                [
                    ("xgboost", xgboost.XGBClassifier(n_estimators=30)),
                    ("lightgbm", lightgbm.LGBMClassifier(n_estimators=30, **LGBM)),
                    ("catboost", catboost.CatBoostClassifier(**CAT | {"iterations": 30})),
                ],
                voting="soft",
            ),
        ),
        Example(
            name="stacking of two libraries",
            data=data.wine,
            make=lambda: StackingClassifier(
                [
                    ("xgboost", xgboost.XGBClassifier(n_estimators=30)),
                    ("lightgbm", lightgbm.LGBMClassifier(n_estimators=30, **LGBM)),
                ],
                LogisticRegression(),
                cv=2,
            ),
        ),
    ),
)
