"""Whoever loads a model stays alone with it: ONNX Runtime keeps no usage data and calls nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LogisticRegression

import sekisho


def test_loading_leaves_nothing_in_the_home_folder(tmp_path: Path) -> None:
    rows = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0] * 10})
    answers = (rows["x"] > 1.0).astype(int)
    artifact = sekisho.pack(
        LogisticRegression().fit(rows, answers), rows, answers, folder=tmp_path / "artifact", name="quiet", lock=False
    )
    assert artifact.runtime_name == "onnx"
    home = tmp_path / "home"
    home.mkdir()
    code = "import sys, sekisho; print(sekisho.ModelArtifact.load(sys.argv[1]).predict({'x': [3.0]}).values.tolist())"
    surroundings = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    surroundings |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "artifact")],
        env=surroundings,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[1]"
    assert list(home.iterdir()) == []
