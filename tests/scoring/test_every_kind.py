"""Columns of every kind, several answers a row, a model in its own library: the same whatever the format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from tests.scoring.conftest import lines_of, read

import sekisho
from sekisho.artifact.artifact import ModelArtifact
from sekisho.scoring.score import score_file

ROWS = 400


def table() -> pd.DataFrame:
    random = np.random.default_rng(0)

    def some(values: Any) -> Any:
        return np.where(random.random(ROWS) < 0.2, None, values)

    return pd.DataFrame(
        {
            "real": random.normal(size=ROWS),
            "real_null": np.where(random.random(ROWS) < 0.2, np.nan, random.normal(size=ROWS)),
            "whole": random.integers(0, 9, ROWS),
            "whole_null": pd.array(some(random.integers(0, 9, ROWS)), dtype="Int64"),
            "truth": random.random(ROWS) < 0.5,
            "truth_null": pd.array(some(random.random(ROWS) < 0.5), dtype="boolean"),
            "label": random.choice(["a", "b b", "c,d", 'q"r'], ROWS),
            "code": pd.Categorical(random.choice([1, 2, 3], ROWS)),
            "moment": pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(random.integers(0, 10**6, ROWS), unit="s"),
            "text": [f"text {number} é" for number in range(ROWS)],
        }
    )


@pytest.mark.slow
def test_every_kind_of_column_in_every_format(tmp_path: Path) -> None:
    frame = table()
    random = np.random.default_rng(1)
    answers = pd.DataFrame(
        {"sign": (frame["real"] > 0).map({True: "yes", False: "no"}), "letter": random.choice(["p", "q", "r"], ROWS)}
    )
    model = make_pipeline(
        ColumnTransformer([("numbers", SimpleImputer(), ["real", "whole"])]), RandomForestClassifier(10, random_state=0)
    ).fit(frame, answers)
    sekisho.pack(model, frame, answers, folder=tmp_path / "a", name="several", lock=False)
    artifact = ModelArtifact.load(tmp_path / "a")
    assert artifact.runtime_name == "skops"
    assert {feature.kind for feature in artifact.signature.features} == {
        "float", "integer", "boolean", "category", "datetime", "text",
    }  # fmt: skip
    words = frame.assign(moment=frame["moment"].map(lambda moment: moment.isoformat()))
    words.to_csv(tmp_path / "r.csv", index=False)
    (tmp_path / "r.jsonl").write_bytes(lines_of(words))
    frame.to_parquet(tmp_path / "r.parquet")
    frame.to_feather(tmp_path / "r.arrow")
    offline = artifact.predict(frame)
    for suffix in ("csv", "jsonl", "parquet", "arrow"):
        out = tmp_path / f"out.{suffix}"
        done = score_file(artifact, tmp_path / f"r.{suffix}", out, keep=["text"], workers=1)
        assert (done.answered, done.bad_rows) == (ROWS, 0)
        found = read(out)
        assert found["text"].tolist() == frame["text"].tolist()
        assert found["prediction_sign"].tolist() == offline.values[:, 0].tolist()
        assert found["prediction_letter"].tolist() == offline.values[:, 1].tolist()
        names = [f"probability_sign_{label}" for label in ("no", "yes")] + [f"probability_letter_{x}" for x in "pqr"]
        assert found[names].to_numpy().tolist() == offline.probabilities.tolist()  # type: ignore[union-attr]
