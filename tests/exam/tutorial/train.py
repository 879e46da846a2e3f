"""Train the loan approval model."""

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier

NAMES = ["age", "income", "debt", "savings", "tenure", "rent", "cards", "late", "score", "amount"]


def make_data(rows, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, len(NAMES))) @ np.diag([12, 900, 400, 700, 5, 200, 2, 3, 60, 1500])
    usual = np.array([40, 3000, 900, 1500, 9, 800, 5, 6, 650, 9000])
    data = pd.DataFrame((values + usual).round(3), columns=NAMES)
    chance = 1 / (1 + np.exp(-(values[:, 1] / 450 - values[:, 2] / 220 + values[:, 8] / 28)))
    data["approved"] = (rng.random(rows) < chance).astype(int)
    return data


Path("data").mkdir(exist_ok=True)
train, test = make_data(3000, 1), make_data(1200, 2)
train.to_csv("data/train.csv", index=False)
test.to_csv("data/test.csv", index=False)

model = DecisionTreeClassifier(max_depth=7)
model.fit(train[NAMES].to_numpy(), train["approved"])
joblib.dump(model, "model/model.joblib")
