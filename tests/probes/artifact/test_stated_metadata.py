from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.packing import pack
from sekisho.artifact.table import Table
from sekisho.checks.artifact.metadata import metadata as box
from sekisho.contract.project import Project
from sekisho.contract.sections import Contract, Data, Model, Quality
from sekisho.gate.verdict import Status, Verdict
from sekisho.probes.artifact.stated_metadata import StatedMetadata, stated_metadata
from sekisho.probes.resources.artifacts import files_at
from sekisho.probes.resources.scored import Scored
from sekisho.probes.resources.tables import TestSet, TrainingSet, told_apart
from sekisho.probes.resources.written import read_written

COMPLETE: dict[str, Any] = {
    "model_name": "credit",
    "version": "1.2.0",
    "training_date": "2026-01-31T09:30:00Z",
    "training_data_sha256": "ab" * 32,
    "random_state": 7,
    "libraries": {"scikit-learn": "1.5.0", "numpy": "2.0.0"},
    "metrics": {"accuracy": 0.95, "train_accuracy": 0.99},
}


def project(folder: Path) -> Project:
    return Project(root=folder, contract=Contract(model=Model(name="credit", artifact="model.onnx")))


def foreign(folder: Path, content: dict[str, Any], scored: Scored | None = None) -> StatedMetadata:
    (folder / "model.onnx").write_bytes(b"\x08\x07")
    (folder / "metadata.json").write_text(json.dumps(content))
    found = stated_metadata.measure(project(folder), Quality(), files_at(folder / "model.onnx"), None, scored)
    assert isinstance(found, StatedMetadata)
    return found


def measured(folder: Path, artifact: ModelArtifact | None, root: Path) -> StatedMetadata:
    found = stated_metadata.measure(project(root), Quality(), files_at(folder), artifact, None)
    assert isinstance(found, StatedMetadata)
    return found


class Told:
    def __init__(self, given: np.ndarray, signature: Any) -> None:
        self.given, self.signature, self.digest = given, signature, "0" * 64
        self.told = 0

    def predict(self, table: Table) -> Any:
        """Answer the next rows: many are asked in parts."""
        from sekisho.artifact.formats.interface import Outputs

        rows = slice(self.told, self.told + table.rows)
        self.told = rows.stop % len(self.given)
        return Outputs(values=self.given[rows], probabilities=None)


def scored(accuracy: float, rows: int = 4_000) -> Scored:
    """Answers of which the given share is right."""
    from sekisho.artifact.signature import Output, learn_signature

    label = np.arange(rows) % 2
    wrong = np.arange(rows) >= round(accuracy * rows)
    test = told_apart(Table.of(pd.DataFrame({"x": label * 1.0, "label": label})), Data(target="label"), TestSet)
    assert test.target is not None
    signature = learn_signature(test.table, Output(task="binary", classes=(0, 1), dtype="int64"))
    model: Any = Told(np.where(wrong, 1 - label, label), signature)
    return Scored(test, test.target, artifact=model, service=None, positive=None, seed=1)


def judged(found: StatedMetadata) -> Verdict:
    return box.judge(found)


def test_a_complete_description_passes(tmp_path: Path) -> None:
    verdict = judged(foreign(tmp_path, COMPLETE, scored(0.948)))
    assert verdict.status is Status.PASS, verdict.summary.en


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("training_date", "training date"),
        ("version", "version"),
        ("model_name", "name"),
        ("training_data_sha256", "training data"),
        ("libraries", "libraries"),
        ("random_state", "seed"),
    ],
)
def test_a_missing_field_fails_by_its_name(field: str, words: str, tmp_path: Path) -> None:
    verdict = judged(foreign(tmp_path, {key: value for key, value in COMPLETE.items() if key != field}, scored(0.95)))
    assert verdict.status is Status.FAIL
    assert words in verdict.summary.en


@pytest.mark.parametrize("date", ["", "soon", "31/01/2026", "2999-01-01"])
def test_a_date_that_cannot_be_fails(date: str, tmp_path: Path) -> None:
    assert judged(foreign(tmp_path, COMPLETE | {"training_date": date}, scored(0.95))).status is Status.FAIL


@pytest.mark.parametrize(
    ("written", "measured", "status"),
    [
        (0.95, 0.81, Status.FAIL),
        (0.950, 0.948, Status.PASS),
        (95.0, 0.948, Status.PASS),
        (0.81, 0.95, Status.FAIL),
        (0.97, 0.95, Status.FAIL),
    ],
)
def test_a_written_accuracy_must_be_the_measured_one(
    written: float, measured: float, status: Status, tmp_path: Path
) -> None:
    content = COMPLETE | {"metrics": {"test_accuracy": written}}
    assert judged(foreign(tmp_path, content, scored(measured))).status is status


def test_rounding_is_no_lie_on_any_number_of_rows(tmp_path: Path) -> None:
    content = COMPLETE | {"metrics": {"accuracy": 0.95}}
    assert judged(foreign(tmp_path, content, scored(0.948, rows=200_000))).status is Status.PASS


def test_a_figure_that_nobody_measured_is_unknown(tmp_path: Path) -> None:
    assert judged(foreign(tmp_path, COMPLETE)).status is Status.UNKNOWN


def test_a_figure_of_the_training_set_is_no_claim(tmp_path: Path) -> None:
    found = foreign(tmp_path, COMPLETE, scored(0.95))
    assert [claim.name for claim in found.claims] == ["metrics.accuracy"]


def test_nothing_written_fails(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\x08\x07")
    assert judged(measured(tmp_path / "model.onnx", None, tmp_path)).status is Status.FAIL


def test_other_words_and_shapes_are_understood(tmp_path: Path) -> None:
    content = {
        "model": {"name": "credit", "version": "3"},
        "training": {"date": "2026-01-31", "seed": 0, "data_digest": "cd" * 32},
        "libraries": [{"name": "sklearn", "version": "1.5.0"}],
        "metrics": [{"name": "balanced_accuracy", "value": 0.9}],
        "framework": {"version": "9"},
    }
    found = foreign(tmp_path, content, scored(0.9))
    assert {field.name: field.value for field in found.fields if field.value is None} == {"code": None}
    assert judged(found).status is Status.PASS
    written = read_written(files_at(tmp_path / "model.onnx"), None)
    assert written.versions == {"scikit-learn": "1.5.0"}
    assert written.find("version") == "3"


@pytest.mark.parametrize("ending", ["yaml", "toml"])
def test_yaml_and_toml_are_read(ending: str, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\x08\x07")
    lines = {
        "yaml": "name: credit\ntraining_date: 2026-01-31\n",
        "toml": 'name = "credit"\ntraining_date = 2026-01-31\n',
    }
    (tmp_path / f"metadata.{ending}").write_text(lines[ending])
    written = read_written(files_at(tmp_path / "model.onnx"), None)
    assert written.find("name") == "credit"
    assert written.find("training_date") == "2026-01-31"


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_commit_must_exist_where_there_is_a_repository(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "train.py").write_text("pass\n")
    git(tmp_path, "add", "train.py")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")

    def status(**more: object) -> Status:
        return judged(foreign(tmp_path, COMPLETE | more, scored(0.95))).status

    assert status(git_commit=commit) is Status.PASS
    assert status(git_commit="0" * 40) is Status.FAIL
    assert status() is Status.FAIL
    assert status(git={"commit": commit, "dirty": True}) is Status.FAIL


def test_a_packed_artifact_states_everything(packed: Path, tmp_path: Path) -> None:
    verdict = judged(measured(packed, ModelArtifact.load(packed), tmp_path))
    assert verdict.status is Status.PASS, verdict.summary.en


def test_a_packed_artifact_without_a_date_fails(model: Any, data: Any, tmp_path: Path) -> None:
    folder = tmp_path / "artifact"
    pack(
        model,
        data.data,
        data.target,
        folder=folder,
        name="tumour",
        training={"seed": 1, "date": None},
        metadata={"metrics": {"accuracy": 0.5}},
        lock=False,
    )
    found = measured(folder, ModelArtifact.load(folder), tmp_path)
    verdict = judged(found)
    assert verdict.status is Status.FAIL
    assert "training date" in verdict.summary.en
    assert [claim.metric for claim in found.claims] == ["accuracy"]


def test_another_training_file_than_the_one_that_trained_it_fails(model: Any, data: Any, tmp_path: Path) -> None:
    data.data.to_csv(tmp_path / "training.csv", index=False)
    settings = {"seed": 1, "data": tmp_path / "training.csv"}
    pack(model, data.data, data.target, folder=tmp_path / "artifact", name="x", training=settings, lock=False)
    asked = Contract(model=Model(name="x"), data=Data(training="training.csv"))

    def status() -> Status:
        artifact = ModelArtifact.load(tmp_path / "artifact")
        found = stated_metadata.measure(
            Project(root=tmp_path, contract=asked), Quality(), files_at(tmp_path / "artifact"), artifact, None
        )
        return box.judge(found).status

    assert status() is Status.PASS
    data.data.head(100).to_csv(tmp_path / "training.csv", index=False)
    assert status() is Status.FAIL


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model_name", "TODO"),
        ("version", "n/a"),
        ("training_date", "unknown"),
        ("training_date", "YYYY-MM-DD"),
        ("training_data_sha256", "<sha256 of the data>"),
        ("training_data_sha256", "0" * 64),
        ("training_data_sha256", "the usual file"),
        ("random_state", "forty-two"),
        ("random_state", True),
        ("libraries", "see requirements.txt"),
        ("libraries", {"scikit-learn": "latest"}),
        ("model_name", "lorem ipsum dolor"),
        ("model_name", "  "),
        ("version", "未定"),
    ],
)
def test_words_that_say_nothing(field: str, value: Any, tmp_path: Path) -> None:
    content = {key: each for key, each in COMPLETE.items() if key != "metrics"}
    assert box.judge(foreign(tmp_path, content)).status is Status.PASS
    assert box.judge(foreign(tmp_path, content | {field: value})).status is Status.FAIL


def test_a_model_cannot_be_older_than_its_data(tmp_path: Path) -> None:
    table = Table.of(pd.DataFrame({"x": [1.0, 2.0], "day": pd.to_datetime(["2026-01-01", "2026-02-20"]), "y": [0, 1]}))
    training = told_apart(table, Data(target="y", time="day"), TrainingSet)
    (tmp_path / "model.onnx").write_bytes(b"\x08\x07")
    for date, fault in (("2026-01-31", "before its data"), ("2026-02-20", None), ("2026-03-01", None)):
        (tmp_path / "metadata.json").write_text(json.dumps(COMPLETE | {"training_date": date}))
        files = files_at(tmp_path / "model.onnx")
        found = stated_metadata.measure(project(tmp_path), Quality(), files, None, None, training)
        assert isinstance(found, StatedMetadata)
        assert found.date_fault == fault
