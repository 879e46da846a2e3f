"""One artifact and one table of every kind of column, and how the service would judge it."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from tests.serving.conftest import churn, people

import sekisho
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.signature import Note
from sekisho.scoring import text_lines
from sekisho.scoring.formats import csv, json_lines

ROWS = 3_000
NAMES = ("age", "income", "children", "city", "employed", "plan")


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> ModelArtifact:
    frame = people(600)
    numbers, words = ["age", "income", "children", "employed"], ["city", "plan"]
    model = make_pipeline(
        ColumnTransformer(
            [
                ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
                ("words", OneHotEncoder(handle_unknown="ignore"), words),
            ]
        ),
        LogisticRegression(max_iter=500),
    ).fit(frame, churn(frame))
    folder = tmp_path_factory.mktemp("artifacts") / "people"
    notes = {"children": Note(out_of_range="reject"), "plan": Note(unseen_category="reject")}
    sekisho.pack(model, frame, churn(frame), folder=folder, name="churn", version="1.2.3", notes=notes, lock=False)
    return ModelArtifact.load(folder)


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    found = people(ROWS, seed=5)
    found.insert(0, "id", [f"{number:05d}" for number in range(ROWS)])
    found["note"] = np.resize(np.array(["plain", 'with "quotes"', "a,b", "two\nlines", "日本", ""], dtype=object), ROWS)
    return found


@pytest.fixture(scope="session")
def expected(artifact: ModelArtifact, frame: pd.DataFrame) -> Any:
    """What the model answers offline to all rows at once."""
    return artifact.predict(frame[list(NAMES)])


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut texts into pieces of about 50 rows."""
    for module in (text_lines, csv, json_lines):
        monkeypatch.setattr(module, "TEXT_BYTES", 2_000)


def lines_of(frame: pd.DataFrame) -> bytes:
    """Return a table as JSON Lines, numbers by the letter."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return b"".join(msgspec.json.encode(row, enc_hook=str) + b"\n" for row in rows)


def write(frame: pd.DataFrame, path: Path) -> Path:
    """Write a table in the format of its name."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".csv"):
        frame.to_csv(path, index=False)
    elif name.endswith(".jsonl"):
        path.write_bytes(gzip.compress(lines_of(frame)) if path.suffix == ".gz" else lines_of(frame))
    elif name.endswith(".parquet"):
        frame.to_parquet(path)
    else:
        frame.to_feather(path)
    return path


def read(path: Path) -> pd.DataFrame:
    """Read a table of answers; numbers of a CSV text as Python reads them."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return pd.read_parquet(path)
    if name.endswith(".arrow"):
        return pd.read_feather(path)
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if name.endswith(".jsonl"):
        return pd.DataFrame([msgspec.json.decode(line) for line in content.splitlines()])
    found = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    for column in found:
        if str(column).startswith("probability"):
            found[column] = [float(cell) for cell in found[column]]
    return found
