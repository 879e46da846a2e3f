"""``sekisho pack``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from sekisho.artifact.artifact import ModelArtifact
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
def table() -> pd.DataFrame:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"age": random.normal(40, 9, 120), "income": random.normal(500, 90, 120), "id": range(120)})
    return frame.assign(churn=np.where(frame["income"] > 500, "stays", "leaves"))


@pytest.fixture
def project(table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``model.skops``, ``model.joblib`` and ``training.csv``; it is the working folder."""
    model: Any = LogisticRegression().fit(table[["age", "income"]], table["churn"])
    skops.io.dump(model, tmp_path / "model.skops")
    joblib.dump(model, tmp_path / "model.joblib")
    table.to_csv(tmp_path / "training.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


BASE = ("pack", "model.skops", "--reference", "training.csv", "--target", "churn", "--no-lock")


def test_the_contract_says_what_features_are(project: Path) -> None:
    (project / "sekisho.toml").write_text(
        '[model]\nname = "churn"\n[[features]]\nname = "age"\nunit = "years"\nsensitive = true\n'
        'null = "flag"\nout_of_range = "reject"\n',
        encoding="utf-8",
    )
    assert run([*BASE, "--project", ".", "--personal", "age"]) == 0
    age = ModelArtifact.load(project / "artifact").signature.feature("age")
    assert (age.unit, age.sensitive, age.personal) == ("years", True, True)
    assert (age.null, age.nullable, age.out_of_range, age.unseen_category) == ("flag", True, "reject", "flag")


def test_an_artifact_is_made(project: Path, table: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--name", "churn", "--version", "1.1.0", "--owner", "数山", "--personal", "age", "--sensitive", "age")
    training = (
        "--seed",
        "0",
        "--training-command",
        "python 'train it.py'",
        "--training-date",
        "2024-05-06",
        "--data",
        "training.csv",
    )
    assert run([*BASE, *options, *training]) == 0
    artifact = ModelArtifact.load(project / "artifact")
    assert (artifact.name, artifact.version, artifact.metadata.owner) == ("churn", "1.1.0", "数山")
    assert artifact.metadata.training_command == ("python", "train it.py")
    assert artifact.metadata.training_date == "2024-05-06"
    assert artifact.metadata.seeds == {"seed": 0}
    assert {each.name for each in artifact.metadata.data} == {"training", "reference"}
    age = artifact.signature.feature("age")
    assert (age.personal, age.sensitive) == (True, True)
    assert artifact.signature.names == ("age", "income")
    assert artifact.predict(table).values.tolist() == table["churn"].tolist() or artifact.parity.proven
    shown = capsys.readouterr()
    assert artifact.digest in shown.out
    assert "the same answers were proven on" in shown.out
    assert "No lock: not asked for" in shown.out


def test_what_nobody_stated_is_said_and_not_made_up(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*BASE, "--out", "a"]) == 0
    assert "Not stated: training_date, training_command, seeds" in capsys.readouterr().out
    assert ModelArtifact.load(project / "a").metadata.training_date is None
    assert ModelArtifact.load(project / "a").name == "model"


def test_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*BASE, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["digest"] == ModelArtifact.load(project / "artifact").digest
    assert found["runtime"] == "onnx"
    assert found["parity"]["proven"] is True


def test_a_pickle_only_with_trust(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["pack", "model.joblib", "--reference", "training.csv", "--target", "churn", "--no-lock"]
    assert run(words) == 3
    assert "this is a pickle" in capsys.readouterr().err
    assert not (project / "artifact").exists()
    assert run([*words, "--trust"]) == 0
    assert {path.suffix for path in (project / "artifact").iterdir()} == {".json", ".npz", ".onnx", ".skops"}


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"model.skops": "none.skops"}, 2, "none.skops"),
        ({"training.csv": "none.csv"}, 2, "none.csv"),
        ({"churn": "chrn"}, 2, "there is no column 'chrn'"),
        ({"model.skops": "training.csv"}, 3, "training.csv"),
        ({"training.csv": "model.skops"}, 2, "a table is"),
        ({"--no-lock": "--lock"}, 2, "--lock"),
    ],
)
def test_mistakes_are_one_line(
    change: dict[str, str], code: int, words: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([change.get(word, word) for word in BASE]) == code
    line = capsys.readouterr().err.splitlines()[-1]
    assert words in line
    assert "→" in line
    assert {path.name for path in project.iterdir()} == {"model.skops", "model.joblib", "training.csv"}


def test_an_artifact_that_is_there_is_kept(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*BASE]) == 0
    before = ModelArtifact.load(project / "artifact").digest
    assert run([*BASE]) == 0
    assert run([*BASE, "--version", "2.0.0"]) == 2
    assert "already there" in capsys.readouterr().err
    assert ModelArtifact.load(project / "artifact").digest == before
    assert run([*BASE, "--version", "2.0.0", "--overwrite"]) == 0
    assert ModelArtifact.load(project / "artifact").version == "2.0.0"


def test_in_japanese(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*BASE, "--lang", "ja"]) == 0
    assert "行で答えの一致を確認済み" in capsys.readouterr().out


def test_a_training_command_with_an_open_quote(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*BASE, "--training-command", 'python "train.py']) == 2
    assert "--training-command" in capsys.readouterr().err
    assert not (project / "artifact").exists()
