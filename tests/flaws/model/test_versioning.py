"""F22a and F22b, and their kinds: a version that stands for two things, and places that name different versions."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from tests.flaws.model.builder import Deployment, both

from sekisho import Registry
from sekisho.gate.verdict import Status

BOX = "artifact/versioning"


@pytest.fixture
def rows(deployment: Deployment) -> tuple[pd.DataFrame, pd.DataFrame]:
    test, training = both(rows=120)
    deployment.tables(test, training)
    return test, training


def packed(deployment: Deployment, training: pd.DataFrame, version: str, strength: float) -> Path:
    return deployment.pack(LogisticRegression(C=strength), training, without=("id",), version=version)


def reasons(deployment: Deployment) -> tuple[Status, str, tuple[str, ...]]:
    item = deployment.judge(BOX)
    verdict = item.verdict
    failed = tuple(each.text.en for each in verdict.findings if each.status is Status.FAIL)
    return item.status, verdict.summary.en, failed


def test_f22a_same_version_other_bytes(
    deployment: Deployment, rows: tuple[pd.DataFrame, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEKISHO_REGISTRY", raising=False)
    registry = Registry(deployment.root / "registry")
    registry.push(packed(deployment, rows[1], "1.0.0", 1.0))
    registry.promote("example@1.0.0")
    status, summary, _ = reasons(deployment)
    assert status is Status.PASS, summary

    packed(deployment, rows[1], "1.0.0", 0.01)
    status, summary, failed = reasons(deployment)
    assert status is Status.FAIL
    assert any("other bytes" in each for each in failed), summary

    registry.push(packed(deployment, rows[1], "1.1.0", 0.01))  # the twin: a new number
    item = deployment.judge(BOX)
    assert item.status is Status.PASS, item.verdict.summary.en
    assert item.verdict.figures["live"] == "1.0.0"
    assert item.verdict.figures["torn_reads"] == 0
    assert int(str(item.verdict.figures["alias_moves"])) >= 20


@pytest.mark.slow
def test_f22a_a_damaged_or_edited_registry(deployment: Deployment, rows: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    root = deployment.root / "registry"
    registry = Registry(root)
    registry.push(packed(deployment, rows[1], "1.0.0", 1.0))
    registry.promote("example@1.0.0")
    record = root / "history" / "example" / "0000000001.json"
    whole = record.read_bytes()
    record.write_bytes(whole.replace(b'"by":"', b'"by":"not '))
    assert reasons(deployment)[0] is Status.FAIL
    record.write_bytes(whole)
    for content in (root / "content").rglob("*"):
        if content.is_file():
            content.write_bytes(b"rotten")
    assert reasons(deployment)[0] is Status.FAIL


# Somebody else's model, spoken to by somebody else's service

SERVICE = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

metadata = json.loads(Path("{folder}/metadata.json").read_text())
ANSWER, LABEL = {answer}, {label}

class Handler(BaseHTTPRequestHandler):
    def send(self, body, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.path == "/metrics":
            text = "# TYPE predictions counter\\npredictions_total{{model_version=\\"%s\\"}} 1\\n" % LABEL
            self.send(text.encode(), "text/plain; version=0.0.4")
        else:
            self.send(metadata if self.path == "/model/info" else {{"status": "healthy"}})

    def do_POST(self):
        features = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["features"]
        self.send({{"prediction": int(features[0] > 1), "probability": 0.9, "model_version": ANSWER}})

    def log_message(self, *_):
        pass

HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def foreign(
    deployment: Deployment, folder: str, version: str, *, answer: str = "", label: str = "", weight: float = 1.0
) -> None:
    """Lay somebody else's model in ``folder``, with a service that names these versions."""
    place = deployment.root / folder
    place.mkdir(parents=True, exist_ok=True)
    np.save(place / "model.npy", np.array([weight, 2.0]))
    (place / "metadata.json").write_text(json.dumps({"name": "example", "version": version}))
    own = 'metadata["version"]'
    (deployment.root / "app.py").write_text(
        SERVICE.format(folder=folder, answer=repr(answer) if answer else own, label=repr(label) if label else own)
    )
    deployment.contract["model"]["artifact"] = folder
    deployment.contract["data"]["ignored"] = ("id",)
    deployment.contract["serving"] = {
        "command": ("python", "app.py", "{port}"),
        "protocol": "mapping",
        "mapping": {"info": "/model/info"},
    }


def commit(root: Path, words: str) -> None:
    author = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "--all", ":!.sekisho"), (*author, "commit", "-q", "-m", words)):
        subprocess.run(["git", *command], cwd=root, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("version", "answer", "label"),
    [
        pytest.param("1.1.0", "1.0.0", "", id="F22b the answer falls back to 1.0.0"),
        pytest.param("1.1.0", "", "1.0.0", id="F22b the label of the metrics is another"),
    ],
)
def test_f22b_places_disagree(
    deployment: Deployment, rows: tuple[pd.DataFrame, pd.DataFrame], version: str, answer: str, label: str
) -> None:
    foreign(deployment, "model", version, answer=answer, label=label)
    commit(deployment.root, "first")
    status, summary, failed = reasons(deployment)
    assert status is Status.FAIL
    assert any("disagree" in each and "1.0.0" in each for each in failed), summary
    foreign(deployment, "model", version)
    commit(deployment.root, "all name one version")
    status, summary, _ = reasons(deployment)
    assert status is Status.PASS, summary


@pytest.mark.parametrize("folder", ["models/v1.0.0", "example-1.0.0"])
def test_f22b_the_name_of_the_folder_disagrees(
    deployment: Deployment, rows: tuple[pd.DataFrame, pd.DataFrame], folder: str
) -> None:
    foreign(deployment, folder, "1.1.0")
    commit(deployment.root, "the metadata says another")
    status, summary, failed = reasons(deployment)
    assert status is Status.FAIL, summary
    assert any("disagree" in each and "1.0.0" in each for each in failed), summary
    foreign(deployment, folder.replace("1.0.0", "1.1.0"), "1.1.0")
    commit(deployment.root, "both say the same")
    status, summary, _ = reasons(deployment)
    assert status is Status.PASS, summary


def test_f22a_in_git(deployment: Deployment, rows: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    foreign(deployment, "model", "1.0.0")
    commit(deployment.root, "first")
    foreign(deployment, "model", "1.1.0", weight=2.0)
    commit(deployment.root, "a new number")
    status, summary, _ = reasons(deployment)
    assert status is Status.PASS, summary
    foreign(deployment, "model", "1.1.0", weight=3.0)
    commit(deployment.root, "the same number")
    shutil.rmtree(deployment.root / ".sekisho")  # git alone tells
    assert reasons(deployment)[0] is Status.FAIL


@pytest.mark.parametrize("folder", ["", "model"])
def test_f22a_one_file_in_git(deployment: Deployment, rows: tuple[pd.DataFrame, pd.DataFrame], folder: str) -> None:
    for number, (version, weight) in enumerate([("1.0.0", 1.0), ("1.1.0", 2.0), ("1.1.0", 3.0)]):
        foreign(deployment, folder or ".", version, weight=weight)
        deployment.contract["model"]["artifact"] = f"{folder}/model.npy".lstrip("/")
        commit(deployment.root, f"model {number}")
        status, summary, _ = reasons(deployment)
        assert status is (Status.FAIL if number == 2 else Status.PASS), summary


def test_f22a_in_folders_of_versions(deployment: Deployment, rows: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    foreign(deployment, "models/1.0.0", "1.0.0")
    assert reasons(deployment)[0] is Status.UNKNOWN  # nobody has seen it before
    foreign(deployment, "models/1.1.0", "1.1.0", weight=2.0)
    status, summary, _ = reasons(deployment)
    assert status is Status.PASS, summary
    np.save(deployment.root / "models" / "1.0.0" / "model.npy", np.array([9.0]))  # the old one, changed behind its back
    status, summary, _ = reasons(deployment)
    assert status is Status.FAIL
    assert "1.0.0 stood for other bytes before" in summary


def test_without_a_registry_nothing_is_proven(deployment: Deployment, rows: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    foreign(deployment, "model", "1.0.0")
    status, summary, _ = reasons(deployment)
    assert status is Status.UNKNOWN
    assert "no registry" in summary
    foreign(
        deployment, "model", "1.0.0", weight=2.0
    )  # what an earlier run has seen under this version was something else
    status, summary, _ = reasons(deployment)
    assert status is Status.FAIL
    assert "1.0.0 stood for other bytes before" in summary


def test_a_model_without_a_version(deployment: Deployment, rows: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    foreign(deployment, "model", "")
    (deployment.root / "model" / "metadata.json").write_text('{"name": "example"}')
    (deployment.root / "app.py").write_text(SERVICE.format(folder="model", answer='""', label='""'))
    status, summary, _ = reasons(deployment)
    assert status is Status.FAIL
    assert "nothing states a version" in summary
