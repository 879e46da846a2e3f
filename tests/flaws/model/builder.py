"""A project of one model under construction: what the known flaws of models, data and files are built from.

A test makes the project sound, breaks it in one place and judges one box by :meth:`Deployment.judge`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from tests.flaws.record import judged

from sekisho.artifact.packing import pack
from sekisho.contract.project import Project
from sekisho.contract.sections import Contract
from sekisho.contract.template import render_contract
from sekisho.gate.report import Item
from sekisho.gate.runner import run_gate

Scaled = Callable[[Any], Any]
CONTRACT: dict[str, Any] = {
    "model": {"name": "example"},
    "data": {"training": "training.csv", "test": "test.csv", "target": "label"},
    "quality": {"metric": "balanced_accuracy", "threshold": 0.7, "reason": "both mistakes cost alike", "examples": 300},
}


class Deployment:
    """A project under construction."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.contract: dict[str, Any] = {section: dict(values) for section, values in CONTRACT.items()}

    def tables(self, test: pd.DataFrame, training: pd.DataFrame) -> None:
        """Write the tables."""
        test.to_csv(self.root / "test.csv", index=False)
        training.to_csv(self.root / "training.csv", index=False)

    def pack(self, model: Any, training: pd.DataFrame, /, *, without: tuple[str, ...] = (), **more: Any) -> Path:
        """Train a model on a table and pack it."""
        features = training.drop(columns=["label", *without])
        folder = self.root / "artifact"
        settings = {"training": {"command": ["python", "train.py"], "seed": 1}} | more
        pack(
            model.fit(features, training["label"]),
            features,
            training["label"],
            folder=folder,
            name="example",
            lock=False,
            overwrite=True,
            **settings,
        )
        return folder

    def judge(self, box: str) -> Item:
        """Judge one box."""
        contract = msgspec.convert(self.contract, Contract)
        (self.root / "sekisho.toml").write_text(render_contract(self.contract, "en"), encoding="utf-8")
        project = Project(root=self.root, contract=contract)
        (item,) = run_gate(project, ids=[box]).items
        return judged(item)


def cases(rows: int, *, share: float, gap: float, seed: int) -> pd.DataFrame:
    """Return rows of two classes whose features lie ``gap`` standard deviations apart."""
    random = np.random.default_rng(seed)
    label = (random.random(rows) < share).astype(int)
    return pd.DataFrame(
        {
            "id": np.arange(rows) * 13 + seed * 1_000_003,
            "x": random.normal(size=rows) + gap * label,
            "y": random.normal(size=rows),
            "label": label,
        }
    )


def both(gap: float = 2.0, share: float = 0.4, rows: int = 1_500) -> tuple[pd.DataFrame, pd.DataFrame]:
    return cases(rows, share=share, gap=gap, seed=1), cases(2_000, share=share, gap=gap, seed=2)
