"""The generated clients: each runs against the real service as it is, with keys, in both languages, and says when it is refused."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.serving.conftest import Running, people_artifact, serving

from sekisho.artifact.artifact import ModelArtifact
from sekisho.contract.project import Project
from sekisho.gate.testing import example_contract
from sekisho.serving.guards.keys import new_key
from sekisho.shelf import units
from sekisho.targets.interface import Generator, Plan
from sekisho.targets.parts.generation import generate
from sekisho.text import Language, use_language

PlanMaker = Callable[..., Plan]
KEY = new_key("client", ("predict",))

__all__ = ["people_artifact"]  # a fixture of other tests


@pytest.fixture(scope="module")
def grpc_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def guarded(people_artifact: Path, grpc_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(KEY[1] + "\n")
    with serving(people_artifact, key_file=keys, grpc_port=grpc_port) as running:
        yield running


def clients(artifact: ModelArtifact, root: Path, grpc_port: int, language: Language = "en") -> Path:
    """Generate the clients of an artifact; return their folder."""
    contract = example_contract(serving={"grpc_port": grpc_port}, security={"authentication": "api-key"})
    plan = Plan(project=Project(root=root, contract=contract), artifact=artifact)
    with use_language(language):
        done = generate(units("sekisho.targets", Generator)["client"], plan)
    return done.folder


def run(service: Running, grpc_port: int, *command: object, key: str = KEY[0]) -> subprocess.CompletedProcess[str]:
    surroundings = {
        "SEKISHO_URL": service.url,
        "SEKISHO_HTTP": f"127.0.0.1:{service.port}",
        "SEKISHO_GRPC": f"127.0.0.1:{grpc_port}",
        "SEKISHO_KEY": key,
    }
    return subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, env=os.environ | surroundings, timeout=60
    )


@pytest.mark.parametrize("language", ["en", pytest.param("ja", marks=pytest.mark.slow)])
def test_every_client_runs(
    language: Language, people_artifact: Path, guarded: Running, grpc_port: int, tmp_path: Path
) -> None:
    folder = clients(ModelArtifact.load(people_artifact), tmp_path, grpc_port, language)
    made = sorted(path.name for path in folder.iterdir() if path.suffix in {".py", ".sh"})
    assert made == ["client.py", "client.sh", "oip_grpc.py", "oip_http.py"]
    answers = {}
    for name in ("client.py", "oip_http.py", "oip_grpc.py"):
        ended = run(guarded, grpc_port, sys.executable, "-W", "error::SyntaxWarning", folder / name)
        assert ended.returncode == 0, ended.stderr
        answers[name] = json.loads(ended.stdout.splitlines()[-1].replace("'", '"'))
        text = (folder / name).read_text()
        assert any("ぁ" <= letter <= "ん" for letter in text) == (language == "ja")
    ended = run(guarded, grpc_port, "sh", folder / "client.sh")
    assert ended.returncode == 0, ended.stderr
    one, many = map(json.loads, ended.stdout.splitlines())
    assert many["count"] == 2
    assert one["flags"] == []
    for labels in answers.values():
        assert labels == [one["prediction"]] * 2
    lint = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--select",
        "E,F,I,UP",
        "--line-length",
        "200",
        str(folder),
    ]
    linted = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout


def test_a_refusal_is_one_line(people_artifact: Path, guarded: Running, grpc_port: int, tmp_path: Path) -> None:
    folder = clients(ModelArtifact.load(people_artifact), tmp_path, grpc_port)
    ended = run(guarded, grpc_port, sys.executable, folder / "client.py", key="wrong")
    assert ended.returncode == 1
    assert ended.stderr.startswith("401 ")
    assert len(ended.stderr.splitlines()) == 1
    ended = run(guarded, grpc_port, "sh", folder / "client.sh", key="wrong")
    assert ended.returncode == 22
    assert json.loads(ended.stdout)["status"] == 401
    ended = run(guarded, grpc_port, sys.executable, folder / "oip_http.py", key="wrong")
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1


def test_names_that_try_to_be_code_stay_names(plan_of: PlanMaker) -> None:
    plan = plan_of()
    done = generate(units("sekisho.targets", Generator)["client"], plan)
    for path in done.folder.glob("*.py"):
        compile(path.read_text(), str(path), "exec")
    assert plan.artifact.folder is not None
    with serving(plan.artifact.folder) as service:
        for command in ((sys.executable, done.folder / "client.py"), ("sh", done.folder / "client.sh")):
            ended = run(service, 0, *command, key="")
            assert ended.returncode == 0, ended.stderr
            assert '"prediction"' in ended.stdout
