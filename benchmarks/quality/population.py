"""A project to be judged: two tables of sixteen numbers and four categories, a model, a contract.

``python -m benchmarks.quality.population FOLDER ROWS`` writes it; the model learns from 20,000 rows whatever the size of the tables.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

WORDS = ("red", "green", "blue", "other")
LEARNED_FROM = 20_000
CONTRACT = """\
[model]
name = "benchmark"

[data]
training = "training.parquet"
test = "test.parquet"
target = "label"

[quality]
metric = "{metric}"
threshold = 0.7
reason = "a benchmark"
"""


def table(rows: int, seed: int) -> pd.DataFrame:
    """Return rows of two classes."""
    random = np.random.default_rng(seed)
    columns: dict[str, np.ndarray] = {f"x{place}": random.normal(size=rows) for place in range(16)}
    columns |= {f"c{place}": np.array(WORDS, dtype=object)[random.integers(0, 4, rows)] for place in range(4)}
    score = 1.2 * columns["x0"] + 0.8 * columns["x1"] - 0.5 * columns["x2"] + 0.6 * (columns["c0"] == "red") - 0.4
    columns["label"] = (random.random(rows) < 1 / (1 + np.exp(-score))).astype(np.int64)
    return pd.DataFrame(columns)


def write(folder: Path, rows: int, metric: str = "roc_auc") -> None:
    """Write tables, artifact and contract."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    import sekisho

    for name, seed in (("test", 1), ("training", 2)):
        table(rows, seed).to_parquet(folder / f"{name}.parquet", index=False)
    learned = table(LEARNED_FROM, 3)
    features = learned.drop(columns="label")
    words = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), [f"c{place}" for place in range(4)]),
        remainder="passthrough",
    )
    model = make_pipeline(words, LogisticRegression(max_iter=300)).fit(features, learned["label"])
    sekisho.pack(model, features, learned["label"], folder=folder / "artifact", name="benchmark", lock=False)
    (folder / "sekisho.toml").write_text(CONTRACT.format(metric=metric))


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
