"""``sekisho inspect``."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.formats import onnx, skops
from sekisho.artifact.signature import Note
from sekisho.cli.main import run
from sekisho.text import set_language

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def language_is_restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SEKISHO_LANG", "en")
    yield
    set_language(None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    features = pd.DataFrame({"size": np.arange(50.0), "rooms": np.arange(50) % 5})
    model: Any = LinearRegression().fit(features, features["size"] * 2)
    made = ModelArtifact(
        model,
        {"training_command": ["python", "train.py"]},
        reference=features,
        target=pd.Series(features["size"] * 2, name="price"),
        name="flat",
        notes={"size": Note(unit="m²", sensitive=True)},
        lock=False,
    )
    path = tmp_path_factory.mktemp("inspect") / "artifact"
    made.save(path)
    return path


@pytest.fixture(autouse=True)
def the_model_is_never_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(onnx, "_session", never)
    monkeypatch.setattr(skops, "load", never)


def test_everything_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(folder)]) == 0
    shown = capsys.readouterr().out
    artifact = ModelArtifact.load(folder)
    lines = [line.split("\t") for line in shown.splitlines()]
    assert ["Model", "flat 1.0.0"] in lines
    assert ["Digest", f"sha256:{artifact.digest}"] in lines
    assert ["size", "float", "float64", "", "0.0 … 49.0 m²", "flagged", "sensitive"] in lines
    assert ["Training command", "python train.py"] in lines
    for file in artifact.manifest.files:
        assert [file.name, f"{file.size:,}", file.sha256] in lines
    assert "Proven equal on" in shown


def test_json_for_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["digest"] == ModelArtifact.load(folder).digest
    assert [feature["name"] for feature in found["signature"]["features"]] == ["size", "rooms"]
    assert found["parity"]["proven"] is True
    assert found["reference_rows"] == 50
    assert found["untrusted_types"] == []
    assert found["lock"] is None


def test_in_japanese(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--lang", "ja", "inspect", str(folder)]) == 0
    assert "一致を確認した行" in capsys.readouterr().out


@pytest.fixture
def the_model_may_be_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("SEKISHO_LANG", "en")


@pytest.mark.usefixtures("the_model_may_be_run")
def test_batches_are_timed_when_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(folder), "--measure"]) == 0
    *_, said = (lines := capsys.readouterr().out.splitlines())
    assert "Rows of a batch\tMicroseconds\tA row" in lines
    assert said.startswith(("Requests that wait at the same time are run together", "Each request is run by itself"))
    assert run(["inspect", str(folder), "--measure", "--json"]) == 0
    batching = json.loads(capsys.readouterr().out)["batching"]
    assert batching["rows"][0] == 1
    assert len(batching["microseconds"]) == len(batching["rows"])
    assert all(cost > 0 for cost in batching["microseconds"])
    assert batching["most_rows"] in {1, *batching["rows"]}


def test_what_is_no_artifact(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(1))
    for path, code, words in (
        (tmp_path / "none", 2, "no such artifact"),
        (tmp_path / "model.pkl", 3, "this is a pickle"),
        (tmp_path, 3, "this is a pickle"),
        (folder / "signature.json", 2, "an artifact is a folder"),
    ):
        assert run(["inspect", str(path)]) == code
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert words in captured.err


def test_a_changed_byte_is_named(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import shutil

    spoiled = shutil.copytree(folder, tmp_path / "spoiled")
    (spoiled / "golden.json").write_bytes((spoiled / "golden.json").read_bytes().replace(b"1", b"2", 1))
    assert run(["inspect", str(spoiled)]) == 3
    assert "golden.json: is not what the manifest says" in capsys.readouterr().err
