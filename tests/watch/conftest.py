"""An artifact with its drift reference, and a book of predictions that it has answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import sekisho
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.signature import Note
from sekisho.artifact.table import Table
from sekisho.ledger.predictions import PredictionBook, PredictionRecord


def customers(rows: int, seed: int, *, older: float = 0.0) -> pd.DataFrame:
    """Customers of one population, or ``older`` ones."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": np.where(random.random(rows) < 0.05, np.nan, random.normal(40 + older, 10, rows)),
            "visits": random.poisson(3, rows),
            "member": random.random(rows) < 0.4,
            "plan": random.choice(["free", "basic", "pro"], rows, p=[0.5, 0.3, 0.2]),
            "email": [f"{number}@example.org" for number in random.integers(0, 10**9, rows)],
        }
    )


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> ModelArtifact:
    table = customers(3_000, seed=0)
    answers = np.where(table["visits"] + 2 * table["member"] > 3, "stays", "leaves")
    model = make_pipeline(
        make_column_transformer(
            (SimpleImputer(), ["age", "visits"]), (OneHotEncoder(), ["plan"]), ("passthrough", ["member"])
        ),
        LogisticRegression(),
    ).fit(table, answers)
    folder = tmp_path_factory.mktemp("watch") / "artifact"
    return sekisho.pack(
        model, table, answers, folder=folder, name="churn", lock=False, notes={"email": Note(personal=True)}
    )


Append = Callable[..., None]


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return tmp_path / "predictions.sqlite"


@pytest.fixture
def append(artifact: ModelArtifact, book: Path) -> Append:
    """A function that answers customers and writes them into the book as the service does: without what is personal."""

    def write(table: pd.DataFrame, *, model: str = artifact.digest, start: int = 0) -> None:
        records = [
            PredictionRecord(
                request_id=f"{model[:4]}-{start + index // 10}",
                row=index % 10,
                at=f"2026-11-24T10:{index // 60 % 60:02}:{index % 60:02}.000Z",
                model=model,
                version="1.0.0",
                features={name: cell for name, cell in row.items() if name != "email"},
                prediction="stays",
                probability=0.75,
                flags=("out_of_range:age",) if index % 50 == 0 else (),
                latency_ms=1.0 + index % 10,
            )
            for index, row in enumerate(_rows(table))
        ]
        with PredictionBook(book) as opened:
            opened.append(records)

    return write


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return Table.of(table).records()


@pytest.fixture
def make_customers() -> Callable[..., pd.DataFrame]:
    return customers
