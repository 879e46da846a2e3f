"""The image, built and run by a real Docker Engine."""

from __future__ import annotations

import json
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import yaml
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer

import sekisho
from sekisho.artifact.artifact import ModelArtifact
from sekisho.contract.project import Project
from sekisho.gate.testing import example_contract
from sekisho.shelf import units
from sekisho.targets.interface import Generator, Plan
from sekisho.targets.parts.aws.package import model_package
from sekisho.targets.parts.generation import generate
from sekisho.targets.parts.golden import differs, questions
from sekisho.targets.parts.templates import one_line

if TYPE_CHECKING:
    from tests.targets.engine.conftest import Engine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CANARY = "canary-4f0c2b7e9d"
"""Stands in every file that must not get into the image."""
HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "65534:65534")
PEAK_MEMORY = "cat /sys/fs/cgroup/memory/memory.max_usage_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.peak"
MOST_BYTES = 400 * 1024**2
"""What an image may add to its base."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, shipped_artifact: ModelArtifact) -> Path:
    """A project that holds secrets, with generated files in which somebody has left secrets as well."""
    root = tmp_path_factory.mktemp("project")
    (root / ".git").mkdir()
    plan = Plan(
        project=Project(root=root, contract=example_contract(serving={"workers": 2})), artifact=shipped_artifact
    )
    generate(units("sekisho.targets", Generator)["docker"], plan)
    for place in (root, root / "deploy/docker", root / "deploy/docker/.git"):
        place.mkdir(exist_ok=True)
        for name in (".env", "key.pem", "config"):
            (place / name).write_text(CANARY)
    return root


@pytest.fixture(scope="module")
def image(engine: Engine, project: Path) -> str:
    """The image, built from what was generated."""
    engine.build(project / "deploy/docker", "sekisho-test:1")
    return "sekisho-test:1"


@contextmanager
def running(engine: Engine, image: str, *options: str, command: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Run a container; yield its name and where it listens."""
    name = engine.docker("run", "--detach", "--publish", "127.0.0.1:0:8080", *options, image, *command)
    try:
        yield name, f"http://{engine.docker('port', name, '8080')}"
    finally:
        engine.docker("rm", "--force", "--volumes", name)


def ask(url: str, body: bytes | None = None, key: str = "") -> tuple[int, Any]:
    headers = {"Content-Type": "application/json"} if body is not None else {}
    request = urllib.request.Request(url, data=body, headers=headers | ({"X-API-Key": key} if key else {}))
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null")


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    ends = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except (TimeoutError, OSError):
            pass
        assert time.monotonic() < ends, "not in time"
        time.sleep(0.2)


def ready(url: str) -> Callable[[], bool]:
    return lambda: ask(url + "/health/ready")[0] == 200


def keys(project: Path) -> tuple[str, ...]:
    return ("--volume", f"{project}/deploy/secrets/api_keys:/run/secrets/api_keys:ro")


def test_holds_no_secret_and_no_more_than_it_needs(engine: Engine, image: str, tmp_path: Path) -> None:
    layers = tmp_path / "image.tar"
    engine.docker("save", "--output", str(layers), image)
    seen = 0
    with tarfile.open(layers) as whole:
        for member in whole:
            stream = whole.extractfile(member)
            if stream is not None:
                assert CANARY.encode() not in stream.read()
            if member.name.endswith("layer.tar"):
                layer = whole.extractfile(member)
                assert layer is not None
                with tarfile.open(fileobj=layer) as files:
                    seen += len(files.getnames())
    assert seen > 1_000
    configuration = json.loads(engine.docker("inspect", image))[0]["Config"]
    assert configuration["User"] == "65534:65534"
    assert configuration["StopSignal"] == "SIGTERM"
    assert {entry.partition("=")[0] for entry in configuration["Env"]} == {
        "PATH",
        "PYTHONUNBUFFERED",
        "PYTHONDONTWRITEBYTECODE",
        "ORT_DISABLE_TELEMETRY",
    }


def test_is_small(engine: Engine, image: str) -> None:
    sizes = {name: json.loads(engine.docker("inspect", name))[0]["Size"] for name in (image, "python:3.11-slim")}
    assert sizes[image] - sizes["python:3.11-slim"] < MOST_BYTES
    installed = engine.docker(
        "run", "--rm", "--network", "none", image, "ls", "/opt/sekisho/lib/python3.11/site-packages"
    ).split()
    assert "onnxruntime" in installed
    assert not {"pip", "setuptools", "pandas", "sklearn", "scipy", "matplotlib", "boto3"} & set(installed)


def test_words_of_the_artifact_are_data_in_its_labels(
    engine: Engine, image: str, shipped_artifact: ModelArtifact
) -> None:
    labels = json.loads(engine.docker("inspect", image))[0]["Config"]["Labels"]
    assert labels["org.opencontainers.image.description"] == one_line(shipped_artifact.metadata.description)
    assert labels["org.opencontainers.image.title"] == shipped_artifact.name
    assert labels["dev.sekisho.artifact"] == shipped_artifact.digest


def test_serves_without_rights_and_ends_when_told(
    engine: Engine, image: str, project: Path, shipped_artifact: ModelArtifact
) -> None:
    key = (project / "deploy/secrets/client_key").read_text()
    with running(engine, image, *HARDENED, "--ipc", "none", "--tmpfs", "/tmp:size=64m", *keys(project)) as (name, url):
        until(ready(url))
        assert ask(url + "/ping")[0] == 200
        assert ask(url + "/invocations", b"{}")[0] == 401
        for question in questions(shipped_artifact, most=20):
            status, answer = ask(url + "/invocations", question.invocation, key)
            assert status == 200
            assert not differs(question, json.dumps(answer).encode())
        until(lambda: engine.docker("inspect", "--format", "{{.State.Health.Status}}", name) == "healthy")
        began = time.monotonic()
        engine.docker("stop", "--time", "60", name)
        assert time.monotonic() - began < 50, "it had to be killed"
        assert engine.docker("inspect", "--format", "{{.State.ExitCode}}", name) == "0"


def test_buries_what_others_leave_to_process_one(engine: Engine, image: str, project: Path) -> None:
    with running(engine, image, *HARDENED, "--tmpfs", "/tmp", *keys(project)) as (name, url):
        until(ready(url))
        engine.docker("exec", name, "sh", "-c", "for i in 1 2 3 4 5; do (sleep 0.2 &) ; done")
        zombies = ("exec", name, "sh", "-c", "grep -lE '^State:.Z' /proc/[0-9]*/status | wc -l")
        until(lambda: engine.docker(*zombies) == "0", 20)


def test_without_keys_it_says_so_in_one_line_and_ends(engine: Engine, image: str) -> None:
    with running(engine, image, *HARDENED, "--tmpfs", "/tmp") as (name, _):
        until(lambda: engine.docker("inspect", "--format", "{{.State.Status}}", name) == "exited")
        assert engine.docker("inspect", "--format", "{{.State.ExitCode}}", name) == "2"
        said = engine.run(("sh", "-c", f"docker logs {name} 2>&1"))
        assert "/run/secrets/api_keys" in said
        assert "Traceback" not in said
        assert len(said.splitlines()) == 1


def test_answers_as_sagemaker_asks(engine: Engine, image: str, shipped_artifact: ModelArtifact, tmp_path: Path) -> None:
    """``docker run IMAGE serve`` with the unpacked model package in /opt/ml/model, on port 8080, without keys of ours."""
    unpacked = tmp_path / "model"
    with model_package(shipped_artifact) as package, tarfile.open(package.path) as archive:
        archive.extractall(unpacked, filter="data")
    asked = questions(shipped_artifact, most=20)
    for mounted in (("--volume", f"{unpacked}:/opt/ml/model:ro"), ()):
        with running(engine, image, *HARDENED, "--tmpfs", "/tmp", *mounted, command=("serve",)) as (name, url):
            until(lambda url=url: ask(url + "/ping")[0] == 200)  # type: ignore[misc]
            for question in asked:
                status, answer = ask(url + "/invocations", question.invocation)
                assert status == 200
                assert not differs(question, json.dumps(answer).encode())
            assert ask(url + "/invocations", b'{"instances": [{}]}')[0] == 422
            engine.docker("stop", "--time", "60", name)
            assert engine.docker("inspect", "--format", "{{.State.ExitCode}}", name) == "0"


def test_a_broken_model_package_never_answers(
    engine: Engine, image: str, shipped_artifact: ModelArtifact, tmp_path: Path
) -> None:
    unpacked = tmp_path / "model"
    with model_package(shipped_artifact) as package, tarfile.open(package.path) as archive:
        archive.extractall(unpacked, filter="data")
    model = unpacked / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1])
    with running(engine, image, "--volume", f"{unpacked}:/opt/ml/model:ro", command=("serve",)) as (name, _):
        until(lambda: engine.docker("inspect", "--format", "{{.State.Status}}", name) == "exited")
        assert engine.docker("inspect", "--format", "{{.State.ExitCode}}", name) == "3"


def test_a_model_that_only_its_own_library_can_run(engine: Engine, tmp_path: Path) -> None:
    """It answers from a child process, and stays within the memory that the Compose file grants one worker."""
    rows = pd.DataFrame({"colour": ["red", "blue", None, "red"] * 50, "size": [1.0, 2.0, 3.0, 4.0] * 50})
    rows["answer"] = (rows["size"] > 2.0).map({True: "large", False: "small"})
    prepared = ColumnTransformer(
        [
            ("words", make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), ["colour"]),
            ("numbers", SplineTransformer(), ["size"]),  # has no graph
        ]
    )
    model = make_pipeline(prepared, LogisticRegression()).fit(rows[["colour", "size"]], rows["answer"])
    artifact = sekisho.pack(model, rows, "answer", folder=tmp_path / "artifact", name="native")
    assert artifact.runtime_name == "skops"
    plan = Plan(project=Project(root=tmp_path, contract=example_contract()), artifact=artifact)
    generate(units("sekisho.targets", Generator)["compose"], plan)
    engine.build(tmp_path / "deploy/docker", "sekisho-native:1")
    compose = yaml.safe_load((tmp_path / "deploy/compose.yaml").read_text())
    memory = compose["services"]["model"]["deploy"]["resources"]["limits"]["memory"]
    key = (tmp_path / "deploy/secrets/client_key").read_text()
    options = (*HARDENED, "--tmpfs", "/tmp:size=64m", "--memory", memory, "--pids-limit", "128", *keys(tmp_path))
    with running(engine, "sekisho-native:1", *options) as (name, url):
        until(ready(url))
        for question in questions(artifact, most=20):
            status, answer = ask(url + "/invocations", question.invocation, key)
            assert status == 200
            assert not differs(question, json.dumps(answer).encode())
        used = int(engine.docker("exec", name, "sh", "-c", PEAK_MEMORY))
        assert used * 1.3 < int(memory.removesuffix("m")) * 1024**2
        engine.docker("stop", "--time", "60", name)
        assert engine.docker("inspect", "--format", "{{.State.ExitCode}}", name) == "0"
