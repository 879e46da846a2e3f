"""The generated tests of a service: they pass on the real service, and a wrong one fails them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sklearn.linear_model import LogisticRegression

import sekisho
from sekisho.artifact.artifact import ModelArtifact
from sekisho.contract.project import Project
from sekisho.errors import TargetError
from sekisho.gate.testing import example_contract
from sekisho.shelf import units
from sekisho.targets.interface import Generator, Plan
from sekisho.targets.parts.generation import generate
from sekisho.targets.parts.golden import differs, questions
from sekisho.targets.parts.monitoring.model_panels import panels
from sekisho.targets.parts.monitoring.model_rules import rules

PlanMaker = Callable[..., Plan]


@contextmanager
def serving(artifact: ModelArtifact, folder: Path, *, key_file: Path | None = None) -> Iterator[str]:
    """Serve an artifact as a user would; yield where."""
    command = [
        sys.executable,
        "-m",
        "sekisho",
        "serve",
        str(artifact.folder),
        "--port",
        "0",
        "--ledger",
        str(folder / "book.sqlite"),
    ]
    command += ["--key-file", str(key_file)] if key_file else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder) as process:
        assert process.stdout is not None
        try:
            said = ""
            for line in process.stdout:
                said += line
                found = re.search(r'"event":"ready","url":"([^"]+)"', line)
                if found:
                    yield found[1]
                    break
            else:
                pytest.fail(said)
        finally:
            process.terminate()
            process.stdout.read()


def run(root: Path, url: str, *words: str, key: str = "") -> subprocess.CompletedProcess[str]:
    """Run the generated tests."""
    surroundings = {**os.environ, "SEKISHO_URL": url, "SEKISHO_PROBE_KEY": key}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(root),
        str(root / "tests"),
        *words,
    ]
    return subprocess.run(command, cwd=root, env=surroundings, capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class Live:
    """A service that runs, and what was generated for it."""

    plan: Plan
    url: str

    def key(self, name: str) -> str:
        return (self.plan.project.root / "deploy/secrets" / name).read_text()


@pytest.fixture(scope="module", params=["hostile_artifact", "regression_artifact"])
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Generate the tests and the keys of a service, and start it."""
    artifact: ModelArtifact = request.getfixturevalue(request.param)
    root = tmp_path_factory.mktemp("live")
    plan = Plan(project=Project(root=root, contract=example_contract()), artifact=artifact)
    for kind in ("tests", "docker"):
        generate(units("sekisho.targets", Generator)[kind], plan)
    with serving(artifact, root, key_file=root / "deploy/secrets/api_keys") as url:
        yield Live(plan, url)


def scrape(live: Live) -> list[tuple[str, dict[str, str]]]:
    request = urllib.request.Request(f"{live.url}/metrics", headers={"X-API-Key": live.key("metrics_key")})
    with urllib.request.urlopen(request, timeout=10) as response:
        families = text_string_to_metric_families(response.read().decode())
        return [(sample.name, sample.labels) for family in families for sample in family.samples]


def test_they_pass_on_the_real_service(live: Live) -> None:
    done = run(live.plan.project.root, live.url, key=live.key("client_key"))
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout


def test_they_ask_for_the_key(live: Live) -> None:
    done = run(live.plan.project.root, live.url)
    assert done.returncode == 1
    assert "set SEKISHO_PROBE_KEY" in done.stdout


def test_every_series_that_is_watched_is_in_a_live_scrape(live: Live) -> None:
    """A rule or picture of a metric, label or value that does not exist would stay silent for ever."""
    urllib.request.urlopen(f"{live.url}/ping", timeout=10).close()
    ends = time.monotonic() + 60
    scraped = scrape(live)
    while "ml_drift_effect" not in dict(scraped):  # its process starts beside the workers
        assert time.monotonic() < ends
        time.sleep(0.2)
        scraped = scrape(live)
    expressions = [rule.expression for rule in rules(live.plan)]
    expressions += [query.expression for panel in panels(live.plan) for query in panel.queries]
    watched = {found for expression in expressions for found in re.findall(r"(ml_[a-z_]+)\{([^}]*)\}", expression)}
    assert len(watched) > 15
    for metric, matchers in watched:
        wanted = dict(re.findall(r'([a-z_]+)="([^"]*)"', matchers))
        assert wanted.pop("job") == "example"
        assert any(name == metric and wanted.items() <= labels.items() for name, labels in scraped), (metric, wanted)
    grouped = {
        label.strip()
        for expression in expressions
        for by in re.findall(r"by \(([^)]*)\)", expression)
        for label in by.split(",")
    }
    assert grouped - {"job"} <= {label for _, labels in scraped for label in labels}


@pytest.mark.parametrize("label", ["yes", pytest.param("no", marks=pytest.mark.slow)])
def test_a_constant_model_fails_them(
    plan_of: PlanMaker, tmp_path: Path, hostile_artifact: ModelArtifact, label: str
) -> None:
    generate(units("sekisho.targets", Generator)["tests"], plan_of(security={"authentication": "none"}))
    rows = hostile_artifact.golden.table(hostile_artifact.signature).to_pandas()
    model = LogisticRegression().fit(rows, list(hostile_artifact.golden.values))
    model.coef_ *= 0.0
    model.intercept_ = np.array([20.0 if label == "yes" else -20.0])
    swapped = sekisho.pack(
        *(model, rows, [label] * len(rows)),
        folder=tmp_path / "swapped",
        name="hostile",
        version="1.0.0+local",
        lock=False,
    )
    with serving(swapped, tmp_path) as url:
        done = run(tmp_path, url)
    assert done.returncode == 1
    failed = set(re.findall(r"^FAILED .*::(\w+)", done.stdout, re.MULTILINE))
    assert failed == {
        "test_answers_as_it_was_packed",
        "test_a_batch_gives_the_same_answers",
        "test_serves_the_artifact_that_was_checked",
    }


def test_they_say_when_nobody_answers(plan_of: PlanMaker, tmp_path: Path) -> None:
    generate(units("sekisho.targets", Generator)["tests"], plan_of())
    done = run(tmp_path, "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "no service answers at http://127.0.0.1:9" in done.stdout
    assert "Traceback" not in done.stdout


def test_golden_rows_with_one_answer_prove_nothing(plan_of: PlanMaker, hostile_artifact: ModelArtifact) -> None:
    import msgspec

    class OneAnswer:
        golden = msgspec.structs.replace(hostile_artifact.golden, values=("yes",) * len(hostile_artifact.golden.rows))
        signature = hostile_artifact.signature
        folder = hostile_artifact.folder

    with pytest.raises(TargetError, match="all have one answer"):
        questions(OneAnswer(), most=5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"{}", b'{"predictions": []}', b'{"predictions": ["yes", "no"]}', b'{"predictions": [1]}'],
)
def test_no_answer_is_another_answer(hostile_artifact: ModelArtifact, body: bytes) -> None:
    assert differs(questions(hostile_artifact, most=1 + 1)[0], body)


def test_questions_differ_in_their_answers(hostile_artifact: ModelArtifact, regression_artifact: ModelArtifact) -> None:
    assert {question.label for question in questions(hostile_artifact, most=2)} == {"yes", "no"}
    numbers = questions(regression_artifact, most=5)
    assert len({question.label for question in numbers}) == 5
    assert all(isinstance(each.tolerance, float) and 0 < each.tolerance < 1e-3 for each in numbers)
