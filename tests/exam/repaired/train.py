"""Train the loan approval model and pack it."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier

import sekisho

NAMES = ["age", "income", "debt", "savings", "tenure", "rent", "cards", "late", "score", "amount"]


def make_data(rows, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, len(NAMES))) @ np.diag([12, 900, 400, 700, 5, 200, 2, 3, 60, 1500])
    usual = np.array([40, 3000, 900, 1500, 9, 800, 5, 6, 650, 9000])
    data = pd.DataFrame((values + usual).round(3), columns=NAMES)
    chance = 1 / (1 + np.exp(-(values[:, 1] / 450 - values[:, 2] / 220 + values[:, 8] / 28)))
    data["approved"] = (rng.random(rows) < chance).astype(int)
    return data


if __name__ == "__main__":
    Path("data").mkdir(exist_ok=True)
    train, test = make_data(3000, 1), make_data(1200, 2)
    train.to_csv("data/train.csv", index=False)
    test.to_csv("data/test.csv", index=False)

    model = RandomForestClassifier(n_estimators=15, max_depth=7, n_jobs=1, random_state=0)
    model.fit(train[NAMES], train["approved"])
    sekisho.pack(
        model,
        train,
        "approved",
        folder="model",
        name="loan-approval",
        version="1.1.0",
        training={"command": ["python", "train.py"], "seed": 0, "data": "data/train.csv"},
    )
