"""Makes the data, the artifact, and the weights that the service reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import sekisho

NUMBERS = ["age", "income", "debt"]
PLANS = ["basic", "plus", "pro"]


def make_data(rows: int, seed: int) -> pd.DataFrame:
    """Return people, and whether they bought."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(
        {
            "age": rng.integers(18, 91, rows),
            "income": rng.normal(3_000, 900, rows).clip(100).round(2),
            "debt": rng.gamma(2.0, 400.0, rows).round(2),
            "plan": rng.choice(PLANS, rows),
        }
    )
    score = (data["age"] - 54) / 20 + (data["income"] - 3_000) / 900 - data["debt"] / 600
    score += data["plan"].map({"basic": 0.2, "plus": 0.9, "pro": 1.8})
    data["bought"] = (rng.random(rows) < 1 / (1 + np.exp(-score))).astype(int)
    return data


def weights(model, train: pd.DataFrame) -> dict:
    """Return what the service needs to answer as the model does."""
    transformer, regression = model[0], model[1]
    scaler, encoder = transformer.transformers_[0][1], transformer.transformers_[1][1]
    coefficients = regression.coef_[0]
    features = [
        {
            "name": name,
            "integer": name == "age",
            "categories": [],
            "weight": float(coefficients[at]),
            "mean": float(scaler.mean_[at]),
            "scale": float(scaler.scale_[at]),
            "minimum": float(train[name].min()),
            "maximum": float(train[name].max()),
        }
        for at, name in enumerate(NUMBERS)
    ]
    plans = {"name": "plan", "integer": False, "categories": encoder.categories_[0].tolist()}
    features.append({**plans, "weights": [float(each) for each in coefficients[len(NUMBERS) :]]})
    return {"version": "2.3.1", "classes": [0, 1], "intercept": float(regression.intercept_[0]), "features": features}


if __name__ == "__main__":
    Path("data").mkdir(exist_ok=True)
    train, test = make_data(1_500, 1), make_data(400, 2)
    train.to_csv("data/train.csv", index=False)
    test.to_csv("data/test.csv", index=False)
    columns = make_column_transformer((StandardScaler(), NUMBERS), (OneHotEncoder(), ["plan"]))
    model = make_pipeline(columns, LogisticRegression()).fit(train.drop(columns="bought"), train["bought"])
    sekisho.pack(model, train, "bought", folder="model", name="cover", version="2.3.1")
    Path("weights.json").write_text(json.dumps(weights(model, train)))
