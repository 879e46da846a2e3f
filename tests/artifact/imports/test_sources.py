"""Models of MLflow and of folders: what is known of them there comes along, and nothing of them is run here."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
import yaml
from sklearn.linear_model import LogisticRegression

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.imports.source import read_source
from sekisho.cli.main import run
from sekisho.errors import ArtifactError, NotFound, UntrustedFormat

RANDOM = np.random.default_rng(0)
ROWS = pd.DataFrame(RANDOM.normal(size=(200, 2)), columns=["x", "y"])
RIGHT = np.where(ROWS["x"] > 0, "yes", "no")


def fitted() -> Any:
    return LogisticRegression().fit(ROWS, RIGHT)


@pytest.fixture
def logged(tmp_path: Path) -> Path:
    """A folder as MLflow writes it."""
    folder = tmp_path / "logged"
    folder.mkdir()
    skops.io.dump(fitted(), folder / "model.skops")
    example = {"columns": ["x", "y"], "data": ROWS.head(30).to_numpy().tolist()}
    (folder / "input_example.json").write_text(json.dumps(example))
    inputs = [{"type": "double", "name": "x", "required": True}, {"type": "double", "name": "y", "required": False}]
    described = {
        "flavors": {
            "python_function": {"loader_module": "mlflow.sklearn"},
            "sklearn": {"pickled_model": "model.skops", "sklearn_version": "1.5.0"},
        },
        "run_id": "22097bb2c6c34d2fbe5ec336126f0140",
        "saved_input_example_info": {"artifact_path": "input_example.json", "type": "dataframe"},
        "signature": {"inputs": json.dumps(inputs)},
        "utc_time_created": "2026-11-20 10:20:52.540015",
    }
    (folder / "MLmodel").write_text(yaml.safe_dump(described))
    return folder


def test_a_folder_of_mlflow(logged: Path) -> None:
    found = read_source(str(logged))
    assert found.notes["y"].nullable
    assert "x" not in found.notes
    assert found.training["date"] == "2026-11-20T10:20:52+00:00"
    assert found.metadata["notes"]["sklearn_version"] == "1.5.0"
    assert found.metadata["notes"]["mlflow_run"] == "22097bb2c6c34d2fbe5ec336126f0140"
    assert found.example is not None
    assert (found.example.names, found.example.rows) == (("x", "y"), 30)
    assert np.array_equal(found.model.predict(ROWS), RIGHT)


def test_it_is_packed_from_its_example_rows_and_that_is_said(
    logged: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEKISHO_LANG", "en")
    out = logged.parent / "artifact"
    assert run(["pack", str(logged), "--out", str(out), "--no-lock"]) == 0
    assert "learned from the few rows" in capsys.readouterr().out
    artifact = ModelArtifact.load(out)
    assert artifact.metadata.training_date == "2026-11-20T10:20:52+00:00"
    assert (artifact.name, artifact.golden.rows != ()) == ("logged", True)


@pytest.mark.parametrize("place", ["../outside.skops", "/etc/passwd", "missing.skops"])
def test_a_model_outside_its_folder_is_not_read(place: str, logged: Path) -> None:
    skops.io.dump(fitted(), logged.parent / "outside.skops")
    described = yaml.safe_load((logged / "MLmodel").read_text())
    described["flavors"]["sklearn"]["pickled_model"] = place
    (logged / "MLmodel").write_text(yaml.safe_dump(described))
    with pytest.raises(ArtifactError):
        read_source(str(logged))


@pytest.mark.parametrize(
    "content", ["", "[]", "flavors: 3", "!!python/object/apply:os.system ['touch ran']", "{" * 5_000]
)
def test_an_mlmodel_that_is_none(content: str, logged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(logged)
    (logged / "MLmodel").write_text(content)
    with pytest.raises(ArtifactError):
        read_source(str(logged))
    assert not (logged / "ran").exists()


def test_a_pickle_of_mlflow_needs_trust(logged: Path) -> None:
    (logged / "model.skops").write_bytes(pickle.dumps(fitted()))
    with pytest.raises(UntrustedFormat):
        read_source(str(logged))


def test_a_folder_with_metadata(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(fitted()))
    written = {
        "model_name": "credit",
        "version": "1.2.0",
        "training_date": "last week",
        "accuracy": 0.95,
        "author": "the data team",
        "metrics": {"f1": 0.9},
        "feature_names": ["x", "y"],
    }
    (tmp_path / "metadata.json").write_text(json.dumps(written))
    with pytest.raises(UntrustedFormat):
        read_source(str(tmp_path))
    skops.io.dump(fitted(), tmp_path / "model.skops")
    found = read_source(str(tmp_path))
    assert (found.name, found.version) == ("credit", "1.2.0")
    assert found.metadata == {"accuracy": 0.95, "owner": "the data team", "metrics": {"f1": 0.9}}
    assert "training_date" in found.remarks[0].en
    assert np.array_equal(found.model.predict(ROWS), RIGHT)


def test_what_is_nowhere(tmp_path: Path) -> None:
    for place in (str(tmp_path / "model.skops"), str(tmp_path), "s3://bucket/model.skops"):
        with pytest.raises(NotFound):
            read_source(place)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("named", ["run", "registered"])
def test_a_tracking_store(named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    import mlflow

    ROWS.assign(label=RIGHT).to_csv("train.csv", index=False)
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    with mlflow.start_run() as started:
        mlflow.log_params({"C": 1.0, "seed": 7})
        mlflow.log_metric("accuracy", 0.99)
        mlflow.set_tag("mlflow.source.git.commit", "ab" * 20)
        mlflow.set_tag("mlflow.source.name", "train.py")
        mlflow.log_input(
            mlflow.data.from_pandas(  # type: ignore[attr-defined] # it is made when it is asked for
                ROWS, source="train.csv", name="tr"
            ),
            context="training",
        )
        mlflow.sklearn.log_model(fitted(), name="model", input_example=ROWS.head(5), registered_model_name="credit")
    found = read_source(f"mlflow:{started.info.run_id}" if named == "run" else "mlflow:models:/credit/1")
    assert (found.name, found.version) == ((None, None) if named == "run" else ("credit", "1"))
    assert found.metadata["metrics"] == {"accuracy": 0.99}
    assert found.metadata["source"] == {"commit": "ab" * 20, "dirty": False}
    assert found.training["seeds"] == {"seed": 7}
    assert found.training["command"] == ["python", "train.py"]
    assert [path.name for path in found.training["data"]] == ["train.csv"]
    assert found.example is not None
    assert "claims" in found.remarks[0].en
    assert np.array_equal(found.model.predict(ROWS), RIGHT)
    with pytest.raises(NotFound):
        read_source("mlflow:models:/nobody/9")
