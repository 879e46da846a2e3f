"""Single trees, forests and boosting of scikit-learn."""

from __future__ import annotations

from typing import Final

from benchmarks.formats import data
from benchmarks.formats.families.interface import Example, Family
from benchmarks.formats.pipelines import mixed
from sklearn import ensemble, tree

from sekisho.text import Text

FAMILY: Final = Family(
    id="12-trees",
    title=Text(en="Trees, forests, boosting", ja="決定木・森・ブースティング"),
    library="scikit-learn",
    examples=(
        Example(
            name="DecisionTreeClassifier",
            data=data.breast_cancer,
            make=lambda: tree.DecisionTreeClassifier(random_state=0),
        ),
        Example(
            name="DecisionTreeClassifier",
            data=data.employment,
            make=lambda: mixed(tree.DecisionTreeClassifier(random_state=0)),
        ),
        Example(
            name="DecisionTreeRegressor", data=data.diabetes, make=lambda: tree.DecisionTreeRegressor(random_state=0)
        ),
        Example(name="ExtraTreeClassifier", data=data.wine, make=lambda: tree.ExtraTreeClassifier(random_state=0)),
        Example(
            name="RandomForestClassifier",
            data=data.breast_cancer,
            make=lambda: ensemble.RandomForestClassifier(random_state=0),
        ),
        Example(
            name="RandomForestClassifier",
            data=data.digits,
            make=lambda: ensemble.RandomForestClassifier(random_state=0),
        ),
        Example(
            name="RandomForestClassifier, class_weight",
            data=data.employment,
            make=lambda: mixed(ensemble.RandomForestClassifier(class_weight="balanced", random_state=0)),
        ),
        Example(
            name="RandomForestRegressor",
            data=data.diabetes,
            make=lambda: ensemble.RandomForestRegressor(random_state=0),
        ),
        Example(
            name="ExtraTreesClassifier", data=data.wine, make=lambda: ensemble.ExtraTreesClassifier(random_state=0)
        ),
        Example(
            name="ExtraTreesRegressor", data=data.diabetes, make=lambda: ensemble.ExtraTreesRegressor(random_state=0)
        ),
        Example(
            name="GradientBoostingClassifier",
            data=data.breast_cancer,
            make=lambda: ensemble.GradientBoostingClassifier(random_state=0),
        ),
        Example(
            name="GradientBoostingClassifier",
            data=data.wine,
            make=lambda: ensemble.GradientBoostingClassifier(random_state=0),
        ),
        Example(
            name="GradientBoostingRegressor",
            data=data.diabetes,
            make=lambda: ensemble.GradientBoostingRegressor(random_state=0),
        ),
        Example(
            name="GradientBoostingRegressor, quantile",
            data=data.diabetes,
            make=lambda: ensemble.GradientBoostingRegressor(loss="quantile", alpha=0.9, random_state=0),
        ),
        Example(
            name="HistGradientBoostingClassifier",
            data=data.breast_cancer,
            make=lambda: ensemble.HistGradientBoostingClassifier(random_state=0),
        ),
        Example(
            name="HistGradientBoostingClassifier",
            data=data.wine,
            make=lambda: ensemble.HistGradientBoostingClassifier(random_state=0),
        ),
        Example(
            name="HistGradientBoostingClassifier, categories",
            data=data.employment_categories,
            make=lambda: ensemble.HistGradientBoostingClassifier(random_state=0),
        ),
        Example(
            name="HistGradientBoostingRegressor",
            data=data.diabetes,
            make=lambda: ensemble.HistGradientBoostingRegressor(random_state=0),
        ),
        Example(
            name="HistGradientBoostingRegressor, quantile",
            data=data.diabetes,
            make=lambda: ensemble.HistGradientBoostingRegressor(loss="quantile", quantile=0.9, random_state=0),
        ),
        Example(
            name="HistGradientBoostingRegressor, Poisson",
            data=data.diabetes,
            make=lambda: ensemble.HistGradientBoostingRegressor(loss="poisson", random_state=0),
        ),
    ),
)
