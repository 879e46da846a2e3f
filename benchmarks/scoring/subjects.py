"""The models and the tables: floats alone, so that nothing but reading, scoring and writing is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv, parquet
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sekisho

COLUMNS = tuple(f"f{number}" for number in range(20))
BLOCK = 250_000
TITLES = {"forest": "forest of 100 trees", "logistic": "scaler and logistic regression"}


def pack(name: str, folder: Path) -> None:
    """Train one model, and keep it as an artifact and as tutorials keep it."""
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(20_000, 20)), columns=list(COLUMNS))
    noise = random.normal(size=len(table))
    target = pd.Series((table["f0"] + table["f1"] * table["f2"] + noise > 0).astype(int), name="y")
    made: dict[str, Any] = {
        "forest": RandomForestClassifier(100, max_depth=10, random_state=0),
        "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    }
    model = made[name].fit(table, target)
    sekisho.pack(model, table, target, folder=folder / name, name=name, lock=False)
    joblib.dump(model, folder / f"{name}.joblib")


def write_tables(rows: int, folder: Path) -> dict[str, Path]:
    """Write the same rows as Parquet and as CSV."""
    paths = {"parquet": folder / f"{rows}.parquet", "csv": folder / f"{rows}.csv"}
    random = np.random.default_rng(1)
    schema = pa.schema([("id", pa.int64()), *((name, pa.float64()) for name in COLUMNS)])
    with parquet.ParquetWriter(paths["parquet"], schema) as columns, csv.CSVWriter(paths["csv"], schema) as text:
        for start in range(0, rows, BLOCK):
            count = min(BLOCK, rows - start)
            values = random.normal(size=(len(COLUMNS), count)).round(6)
            table = pa.table([pa.array(np.arange(start, start + count)), *map(pa.array, values)], schema=schema)
            columns.write_table(table)
            text.write_table(table)
    return paths
