from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sekisho.artifact.packing import pack


@pytest.fixture(scope="session")
def data() -> Any:
    return load_breast_cancer(as_frame=True)


@pytest.fixture(scope="session")
def model(data: Any) -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(random_state=1)).fit(data.data, data.target)


@pytest.fixture(scope="session")
def packed(model: Any, data: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed") / "artifact"
    pack(
        model,
        data.data,
        data.target,
        folder=folder,
        name="tumour",
        training={"command": ["python", "train.py"], "seed": 1},
        lock=False,
    )
    return folder


@pytest.fixture
def artifact(packed: Path, tmp_path: Path) -> Path:
    """An artifact of one's own, to be changed."""
    return Path(shutil.copytree(packed, tmp_path / "artifact"))
