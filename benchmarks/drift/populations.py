"""Two tables of fifty columns of which seven have changed, written to Parquet for every contestant alike."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

NUMBERS = 40
CATEGORIES = 10
DRIFTED = ("category_2", "category_7", "number_03", "number_11", "number_17", "number_29")
"""Other shares; a new category of 3 %; a shift by 0.5 standard deviations; half as large again in a column with nulls; a spread of 1.6; a
second peak."""
SURGED = ("number_15",)
"""Its nulls grow from 5 % to 12 %, its values stay as they were: most detectors of drift do not look at nulls."""


def table(rows: int, seed: int, *, drifted: bool) -> pd.DataFrame:
    """Return a table of 40 columns of numbers (normal, skewed, counts, with nulls) and 10 of labels (2 to 20)."""
    random = np.random.default_rng(seed)
    columns: dict[str, object] = {}
    for index in range(NUMBERS):
        columns[f"number_{index:02}"] = _number(random, rows, index)
    for index in range(CATEGORIES):
        labels = np.array([f"label {place}" for place in range(2 * index + 2)])
        shares = 0.8 ** np.arange(len(labels))
        if drifted and index == 2:
            shares = shares[::-1]
        codes = random.choice(len(labels), rows, p=shares / shares.sum())
        if drifted and index == 7:
            codes = np.where(random.random(rows) < 0.03, len(labels), codes)
        columns[f"category_{index}"] = pd.Categorical.from_codes(codes, pd.Index([*labels, "new"]))
    if drifted:
        columns["number_03"] = np.asarray(columns["number_03"]) + 0.5
        columns["number_11"] = np.asarray(columns["number_11"]) * 1.5
        columns["number_15"] = np.where(random.random(rows) < 0.0737, np.nan, np.asarray(columns["number_15"]))
        columns["number_17"] = np.asarray(columns["number_17"]) * 1.6
        columns["number_29"] = np.where(random.random(rows) < 0.15, 6.0, np.asarray(columns["number_29"]))
    frame = pd.DataFrame(columns)
    for index in range(CATEGORIES):
        frame[f"category_{index}"] = frame[f"category_{index}"].cat.remove_unused_categories()
    return frame


def _number(random: np.random.Generator, rows: int, index: int) -> np.ndarray:
    if index in {3, 17, 29} or index % 4 == 0:
        return random.normal(size=rows)
    if index % 4 == 1:
        return random.lognormal(3.0, 0.8, rows)
    if index % 4 == 2:
        return random.poisson(4.0, rows)
    return np.where(random.random(rows) < 0.05, np.nan, random.exponential(2.0, rows))


if __name__ == "__main__":
    folder, rows = Path(sys.argv[1]), int(sys.argv[2])
    table(rows, 1, drifted=False).to_parquet(folder / "reference.parquet")
    table(rows, 2, drifted=True).to_parquet(folder / "current.parquet")
