"""Train and pack the employment model: who of those asked by the census has a job.

    python train.py

国勢調査の回答から就業の有無を予測するモデルを学習し、成果物としてまとめます。
"""

from pathlib import Path

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import sekisho

HERE = Path(__file__).parent
SEED = 20150101
TARGET = "employed"
NOT_FEATURES = ["id", "year", TARGET]  # the identifier and the time of a row say nothing about a person
NUMERIC = ["AGEP", "SCHL"]


def build_pipeline(categorical: list[str]) -> Pipeline:
    """Return the untrained pipeline: what it does to raw rows travels with the model."""
    numeric_steps = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    categorical_steps = OneHotEncoder(handle_unknown="ignore", min_frequency=20, sparse_output=False)
    columns = ColumnTransformer([("numeric", numeric_steps, NUMERIC), ("categorical", categorical_steps, categorical)])
    return Pipeline(
        [
            ("columns", columns),
            ("model", HistGradientBoostingClassifier(max_iter=150, learning_rate=0.1, random_state=SEED)),
        ]
    )


def main() -> None:
    """Train on data/training.csv and write the folder artifact/."""
    table = pd.read_csv(HERE / "data" / "training.csv")
    features, target = table.drop(columns=NOT_FEATURES), table[TARGET]
    categorical = [name for name in features.columns if name not in NUMERIC]
    model = build_pipeline(categorical).fit(features, target)
    sekisho.pack(
        model,
        features,
        target,
        folder=HERE / "artifact",
        name="employment",
        version="1.0.0",
        training={"command": ["python", "train.py"], "seed": SEED, "data": "data/training.csv"},
    )


if __name__ == "__main__":
    main()
