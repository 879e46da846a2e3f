"""A forest whose votes are tied answers with the same label when it is compiled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

import sekisho

FORESTS = {
    "pure leaves": lambda: ExtraTreesClassifier(50, random_state=0),
    "two trees": lambda: RandomForestClassifier(2, random_state=0),
    "mixed leaves": lambda: RandomForestClassifier(30, max_depth=3, random_state=0),
    "three classes": lambda: RandomForestClassifier(20, random_state=0),
}


@pytest.mark.parametrize("name", FORESTS)
def test_ties_are_answered_alike(name: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(1_500, 4)), columns=list("abcd"))
    classes = 3 if name == "three classes" else 2
    target = np.digitize(table["a"] + random.normal(size=1_500), np.linspace(-0.5, 0.5, classes - 1))
    table.loc[::7, "b"] = np.nan
    model: Any = FORESTS[name]().fit(table, target)
    artifact = sekisho.pack(model, table, target, folder=tmp_path / "artifact", name="forest", lock=False)
    assert artifact.parity.proven
    rows = pd.DataFrame(random.normal(size=(20_000, 4)), columns=list("abcd"))
    rows.loc[::5, "b"] = np.nan
    expected = model.predict_proba(rows)
    ordered = np.sort(expected, axis=1)
    assert name in {"three classes", "mixed leaves"} or (ordered[:, -1] == ordered[:, -2]).sum() > 10
    answers = artifact.predict(rows)
    assert (answers.values == model.predict(rows)).all()
    assert answers.probabilities == pytest.approx(expected, abs=1e-6)
