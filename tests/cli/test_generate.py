"""``sekisho generate`` and ``sekisho deploy`` from the outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import sekisho
from sekisho.artifact import lock
from sekisho.cli.main import run
from sekisho.shelf import units
from sekisho.targets.interface import Deployer, Generator

Ran = Callable[..., tuple[int, str, str]]
AMAZON = (
    *("--bucket", "my-models", "--role", "arn:aws:iam::123456789012:role/endpoint"),
    *("--image", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/model:1"),
)


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str]) -> Ran:
    """Run a command; return its exit code and what it printed."""

    def call(*words: str) -> tuple[int, str, str]:
        code = run(["--lang", "en", *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with an artifact, and the shell in it."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "sekisho.toml").write_text('[model]\nname = "small"\n')
    rows = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0] * 10, "y": [0, 0, 1, 1] * 10})
    with monkeypatch.context() as patch:
        patch.setattr(lock, "write_lock", lambda *_, **__: b"numpy==2.0.0 \\\n    --hash=sha256:" + b"0" * 64 + b"\n")
        sekisho.pack(
            LogisticRegression().fit(rows[["x"]], rows["y"]), rows, "y", folder=root / "artifact", name="small"
        )
    monkeypatch.chdir(root)
    return root


def test_lists_the_kinds(ran: Ran) -> None:
    code, out, _ = ran("generate")
    assert code == 0
    assert [line.split("\t")[0] for line in out.splitlines()[1:]] == list(units("sekisho.targets", Generator))
    code, out, _ = ran("deploy")
    assert code == 0
    assert [line.split("\t")[0] for line in out.splitlines()[1:]] == list(units("sekisho.targets", Deployer))


@pytest.mark.parametrize("kind", [kind for kind in units("sekisho.targets", Generator) if kind != "sagemaker"])
def test_writes_every_kind_twice_without_a_change(ran: Ran, project: Path, kind: str) -> None:
    code, out, err = ran("generate", kind)
    assert code == 0, err
    assert "written\t" in out
    assert "Next: " in out
    code, out, _ = ran("generate", kind)
    assert code == 0
    assert "written\t" not in out
    assert "updated\t" not in out


def test_tells_a_program(ran: Ran, project: Path) -> None:
    code, out, _ = ran("generate", "alerts", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["outcome"]["created"] == ["prometheus/alerts.yml", "prometheus/tests/alerts.test.yml"]
    assert told["folder"] == str(project / "deploy")
    assert len(told["artifact"]) == 64


def test_edits_are_kept_until_told_otherwise(ran: Ran, project: Path) -> None:
    ran("generate", "alerts")
    rules = project / "deploy/prometheus/alerts.yml"
    rules.write_text("mine")
    code, _, err = ran("generate", "alerts")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "prometheus/alerts.yml" in err
    assert "--force" in err
    assert rules.read_text() == "mine"
    assert ran("generate", "alerts", "--force")[0] == 0
    assert rules.read_text() != "mine"


@pytest.mark.parametrize("out", ["../elsewhere", "../../", "/", "/etc/sekisho"])
def test_nothing_is_written_outside_the_project(ran: Ran, project: Path, out: str) -> None:
    before = set(project.parent.rglob("*"))
    code, _, err = ran("generate", "alerts", "--out", out)
    assert (code, len(err.splitlines())) == (2, 1)
    assert "outside" in err
    assert set(project.parent.rglob("*")) == before


@pytest.mark.parametrize("out", ["with blank", ".hidden", "~", "%s", "-dash", "日本"])
def test_any_folder_inside_will_do(ran: Ran, project: Path, out: str) -> None:
    assert ran("generate", "alerts", f"--out={out}")[0] == 0
    assert (project / out / "prometheus/alerts.yml").is_file()


def test_a_truncated_artifact_is_one_line(ran: Ran, project: Path) -> None:
    model = project / "artifact/model.onnx"
    model.write_bytes(model.read_bytes()[:-10])
    code, _, err = ran("generate", "docker")
    assert (code, len(err.splitlines())) == (3, 1)
    assert not (project / "deploy").exists()


def test_a_missing_artifact_or_contract_is_one_line(ran: Ran, project: Path, tmp_path: Path) -> None:
    (project / "artifact").rename(tmp_path / "away")
    code, _, err = ran("generate", "docker")
    assert (code, len(err.splitlines())) == (2, 1)
    code, _, err = ran("generate", "docker", "-C", str(tmp_path))
    assert (code, len(err.splitlines())) == (2, 1)


def test_a_file_in_the_way_is_one_line(ran: Ran, project: Path) -> None:
    (project / "deploy").write_text("")
    code, _, err = ran("generate", "docker")
    assert (code, len(err.splitlines())) == (2, 1)


@pytest.mark.parametrize("verb", ["generate", "deploy"])
def test_sagemaker_says_what_it_must_be_told(ran: Ran, project: Path, verb: str) -> None:
    code, _, err = ran(verb, "sagemaker")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "--image" in err
    code, _, err = ran(verb, "sagemaker", *AMAZON, "--instances", "none")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "--instances" in err


def test_sagemaker_files_and_dry_run(ran: Ran, project: Path) -> None:
    assert ran("generate", "sagemaker", *AMAZON)[0] == 0
    body = json.loads((project / "deploy/sagemaker/create-model.json").read_text())
    code, out, _ = ran("deploy", "sagemaker", *AMAZON, "--dry-run", "--json")
    assert code == 0
    steps = {step["operation"]: step["parameters"] for step in json.loads(out)}
    assert steps["CreateModel"] == body


def test_deploying_to_nobody_is_one_line(ran: Ran, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    code, _, err = ran("deploy", "sagemaker", *AMAZON, "--endpoint-url", "http://127.0.0.1:9")
    assert code == 3
    assert "could not be reached" in err.splitlines()[-1]
    assert "Traceback" not in err
