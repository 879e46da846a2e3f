"""Real tables walk the whole way: trained, packed, judged, served, and answered alike over the wire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pandas as pd
import pytest
from tests.roads.datasets import ROADS, Road

import sekisho
from sekisho.artifact.signature import Note
from sekisho.contract.project import Project
from sekisho.contract.sections import Contract
from sekisho.contract.template import render_contract
from sekisho.gate.report import Report
from sekisho.gate.runner import run_gate
from sekisho.gate.verdict import Status

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BOXES = [
    "quality/requirements",
    "quality/test-evaluation",
    "quality/edge-cases",
    "artifact/format",
    "inference/api",
    "inference/errors",
    "security/input-validation",
]


@pytest.mark.parametrize("road", ROADS, ids=lambda road: road.name)
def test_a_real_table_walks_the_whole_road(road: Road, tmp_path: Path) -> None:
    table = road.table()
    training, test = _split(table)
    model = road.model().fit(training.drop(columns=[road.target]), training[road.target])
    training.to_csv(tmp_path / "training.csv", index=False)
    test.to_csv(tmp_path / "test.csv", index=False)
    sekisho.pack(
        model,
        training.drop(columns=[road.target]),
        training[road.target],
        folder=tmp_path / "artifact",
        name=road.name.replace(" ", "-"),
        training={"command": ["python", "train.py"], "seed": 0},
        notes={str(name): Note(out_of_range="reject") for name in training if road.bounded and name != road.target},
        lock=False,
    )
    loaded = sekisho.ModelArtifact.load(tmp_path / "artifact")
    loaded.verify()
    rows = test.drop(columns=[road.target])
    assert (loaded.predict(rows).values == model.predict(rows).ravel()).all() or _close(loaded, model, rows)

    report = _judge(road, tmp_path)
    missed = {item.id: item.verdict.summary.en for item in report.items if item.status is not Status.PASS}
    assert not missed


def _split(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return rows to learn from and rows to be judged on; a row that occurs twice stays on one side."""
    table = table.drop_duplicates().sample(frac=1.0, random_state=0).reset_index(drop=True)
    half = int(len(table) * 0.6)
    return table.iloc[:half], table.iloc[half:]


def _close(loaded: sekisho.ModelArtifact, model: Any, rows: pd.DataFrame) -> bool:
    direct = model.predict(rows)
    if direct.dtype.kind != "f":
        return False
    answers = loaded.predict(rows).values.astype(float)
    return bool((abs(answers - direct) <= 1e-6 * abs(direct).max()).all())


def _judge(road: Road, root: Path) -> Report:
    data: dict[str, Any] = {"training": "training.csv", "test": "test.csv", "target": road.target}
    if road.positive is not None:
        data["positive"] = road.positive
    values = {
        "model": {"name": road.name.replace(" ", "-")},
        "data": data,
        "quality": {
            "metric": road.metric,
            "threshold": road.threshold,
            "reason": "what a line through the data would reach",
            "examples": 200,
        },
        "security": {"authentication": "none"},
    }
    (root / "sekisho.toml").write_text(render_contract(values, "en"), encoding="utf-8")
    return run_gate(Project(root=root, contract=msgspec.convert(values, Contract)), ids=BOXES)
