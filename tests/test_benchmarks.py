"""The benchmarks of the service: recipes that start, bodies that are read back, pages that are made from data and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benchmarks.peers import page as peers_page
from benchmarks.peers import projects
from benchmarks.peers.projects import SPOKEN, script_of
from benchmarks.serving import goals, overload, page
from benchmarks.serving.asking import SINGLE, Asked, Form, lists, named, native, open_inference, records, split
from benchmarks.serving.contestants import Recipe, running
from benchmarks.serving.environments import NAMES, PEERS, python_of, usual_folder, versions_in
from benchmarks.serving.models import Subject, logistic
from benchmarks.serving.others import NO_TELEMETRY, peers

from sekisho.gate.notebook import check

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
ROWS = ({"a": 1.0, "b": 2.5}, {"a": 3.0, "b": -1.0})


def subject(folder: Path) -> Subject:
    return Subject(
        name="cancer",
        title="two numbers",
        artifact=folder / "artifact",
        pickle=folder / "model.joblib",
        prototype=folder / "prototype",
        columns=("a", "b"),
        rows=ROWS,
        labels=(0, 1),
        many=ROWS,
        many_labels=(0, 1),
        numeric=True,
    )


# Environments and recipes


@pytest.mark.parametrize("name", NAMES)
def test_every_peer_has_its_versions_pinned(name: str) -> None:
    wanted = (PEERS / f"{name}.in").read_text().splitlines()
    pinned = (PEERS / f"{name}.txt").read_text().splitlines()
    assert all("==" in line and "://" not in line for line in pinned)
    heads = {line.split("==")[0] for line in pinned}
    assert {line.split("[")[0].split("=")[0].split("<")[0].split(">")[0] for line in wanted} <= heads
    same = {line for line in pinned if line.startswith(("scikit-learn==", "joblib==", "numpy==", "pandas=="))}
    assert len(same) == 4  # all read the same pickle
    assert name in SPOKEN


@pytest.fixture
def environments(tmp_path: Path) -> Path:
    """Return a folder with the environment of every peer, in which Python does nothing."""
    for name in NAMES:
        python = tmp_path / "environments" / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text("#!/bin/sh\nexit 0\n")
        python.chmod(0o755)
    return tmp_path / "environments"


def test_recipes_start_each_peer_from_its_own_environment_and_tell_nobody(tmp_path: Path, environments: Path) -> None:
    found = peers(subject(tmp_path), tmp_path, environments, NAMES)
    assert [recipe.name for recipe in found] == list(NAMES)
    for recipe in found:
        assert recipe.command[0].startswith(str(environments / recipe.name))
        assert "{port}" in " ".join((*recipe.command, *recipe.environment.values()))
        assert recipe.environment.items() >= NO_TELEMETRY.items()
        assert recipe.environment["PYTHONPATH"] == ""
        assert set(recipe.tasks) == {"single", "batch"}
    assert [recipe.name for recipe in found if recipe.restless] == ["ray"]


def test_a_peer_without_an_environment_is_left_out(tmp_path: Path, environments: Path) -> None:
    (environments / "ray" / "bin" / "python").unlink()
    assert python_of(environments, "ray") is None
    assert [one.name for one in peers(subject(tmp_path), tmp_path, environments, ("litserve", "ray"))] == ["litserve"]
    assert versions_in(environments, "ray") == {}


def test_the_start_script_fills_in_ports_and_keeps_every_word(tmp_path: Path) -> None:
    recipe = Recipe(
        name="litserve",
        title="",
        command=("printf", "%s|", "{port}", "a b'c", "--url=:{port1}/"),
        tasks={},
        environment={"COLUMNS": "one\ntwo $HOME", "SIDE": "{port2}"},
    )
    (tmp_path / "start.sh").write_text(script_of(recipe) + "\n")
    shown = subprocess.run(
        ["sh", "start.sh"], cwd=tmp_path, env={**os.environ, "PORT": "9000"}, capture_output=True, text=True, check=True
    )
    assert shown.stdout == "9000|a b'c|--url=:19000/|"
    exported = script_of(replace(recipe, command=("sh", "-c", 'printf "%s|%s" "$COLUMNS" "$SIDE"')))
    shown = subprocess.run(
        ["sh", "-c", exported], env={**os.environ, "PORT": "9000"}, capture_output=True, text=True, check=True
    )
    assert shown.stdout == "one\ntwo $HOME|29000"


# What is sent, and what is read


@pytest.mark.parametrize(
    ("form", "body", "answer"),
    [
        (records("predict"), [{"a": 1.0, "b": 2.5}], {"predict": [0]}),
        (named("input_data"), {"input_data": [{"a": 1.0, "b": 2.5}]}, [0]),
        (lists("input", "output"), {"input": [[1.0, 2.5]]}, {"output": [0]}),
        (split(), {"dataframe_split": {"columns": ["a", "b"], "data": [[1.0, 2.5]]}}, {"predictions": [0]}),
        (native(), {"features": {"a": 1.0, "b": 2.5}}, {"prediction": 0}),
    ],
)
def test_a_form_writes_one_row_and_reads_its_label(tmp_path: Path, form: Form, body: Any, answer: Any) -> None:
    asked = form.tasks(subject(tmp_path))[SINGLE]
    assert json.loads(asked.bodies[0]) == body
    assert asked.read is not None
    assert tuple(asked.read(json.dumps(answer).encode())) == asked.labels[0]


def test_open_inference_is_one_tensor_of_numbers_or_one_a_column(tmp_path: Path) -> None:
    numbers = json.loads(open_inference(subject(tmp_path)).tasks(subject(tmp_path))["batch"].bodies[0])
    assert numbers["inputs"] == [
        {"name": "predict", "shape": [2, 2], "datatype": "FP64", "data": [1.0, 2.5, 3.0, -1.0]}
    ]
    mixed = replace(subject(tmp_path), rows=({"a": 1.0, "b": None},), many=({"a": 1.0, "b": "x"},), numeric=False)
    columns = json.loads(open_inference(mixed).tasks(mixed)[SINGLE].bodies[0])["inputs"]
    assert [(one["datatype"], one["data"]) for one in columns] == [("FP64", [1.0]), ("BYTES", [None])]


def test_a_heavy_request_holds_the_first_rows_alone() -> None:
    assert overload.first_rows([1, 2, 3, 4], 4, 2) == [1, 2]
    body = {"inputs": [{"shape": [4, 2], "data": [1, 2, 3, 4, 5, 6, 7, 8]}]}
    assert overload.first_rows(body, 4, 2) == {"inputs": [{"shape": [2, 2], "data": [1, 2, 3, 4]}]}


SERVER = """
import http.server, json, sys
class Answers(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        row = json.loads(self.rfile.read(int(self.headers["content-length"])))["features"]
        said = json.dumps({"prediction": int(row["a"] > 2)}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answers).serve_forever()
"""


def asking(tmp_path: Path, **changes: Any) -> Mapping[str, Asked]:
    return {SINGLE: replace(native().tasks(subject(tmp_path))[SINGLE], **changes)}


def test_a_contestant_starts_answers_rightly_and_ends(tmp_path: Path) -> None:
    command = (sys.executable, "-c", SERVER, "{port}")
    recipe = Recipe(name="x", title="", command=command, tasks=asking(tmp_path), folder=tmp_path)
    with running(recipe, cores=None) as contestant:
        assert contestant.start_seconds > 0
        assert contestant.ready_mebibytes > 1
        assert contestant.cpu_seconds() > 0
    assert contestant.process.returncode is not None


def test_a_contestant_that_answers_wrongly_or_does_not_start_is_not_measured(tmp_path: Path) -> None:
    command = (sys.executable, "-c", SERVER, "{port}")
    wrong = Recipe(name="x", title="", command=command, tasks=asking(tmp_path, labels=((1,), (1,))), folder=tmp_path)
    with pytest.raises(SystemExit, match="single number 0 was answered wrongly"), running(wrong, cores=None):
        raise AssertionError
    dead = Recipe(name="x", title="", command=("false",), tasks=asking(tmp_path), folder=tmp_path)
    with pytest.raises(SystemExit, match="x did not start"), running(dead, cores=None):
        raise AssertionError


# Goals and pages


def cell(contestant: str, per_second: float, *, task: str = "single", connections: int = 16, p99: float = 2.0) -> Any:
    return {
        "contestant": contestant,
        "task": task,
        "connections": connections,
        "per_second": per_second,
        "p50_ms": 1.0,
        "p99_ms": p99,
        "cpu_us": 20.0,
        "client_us": 10.0,
    }


def run(*cells: Any, **more: Any) -> Any:
    names = dict.fromkeys(one["contestant"] for one in cells)
    facts = {"starts": [0.9], "ready_mebibytes": 100.0, "resident_mebibytes": 120.0, "whole_mebibytes": 150.0}
    model = {
        "model": "forest",
        "title": "forest",
        "contestants": {name: {"title": name, **facts} for name in names},
        "in_process": {"pipeline": {"single": 90.0, "batch": 40.0}},
        "medians": list(cells),
        "scaling": [],
        "failed": {"mlflow": "did not start"},
        **more,
    }
    return {
        "at": "2026-01-01T00:00:00+00:00",
        "minutes": 1.0,
        "command": "python -m benchmarks.serving",
        "machine": {"processor": "p", "cores": "2", "memory": "4 GiB", "load_before": "0.1"},
        "versions": {"python": "3.11", "sekisho": "1"},
        "peers": {},
        "missing": ["ray"],
        "models": [model],
    }


def test_goals_speak_only_of_what_was_measured() -> None:
    alone = goals.goals(run(cell("sekisho", 30_000.0)))
    assert [goal.goal for goal in alone] == ["≥ 20,000 /s", "≤ 3.5 ms", "≤ 1.00 s", "≤ 110 MiB"]
    beside = goals.goals(run(cell("sekisho", 20_000.0), cell("plain", 100.0), cell("bentoml", 160.0)))
    times = {goal.title["en"]: (goal.measured, goal.met) for goal in beside}
    assert times["forest, 16 connections, times plain FastAPI"] == ("200×", True)
    assert times["forest, 16 connections, times the best peer (bentoml)"] == ("125×", False)


def test_workers_are_compared_by_their_medians() -> None:
    scaling = [
        {"workers": workers, "per_second": rate} for workers, rate in ((1, 10.0), (1, 12.0), (2, 22.0), (2, 18.0))
    ]
    assert goals.times_one_worker(scaling) == pytest.approx(20 / 11)
    assert goals.times_one_worker(scaling[:2]) is None


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_of_any_run_can_be_made(language: str) -> None:
    whole = run(cell("sekisho", 30_000.0), cell("plain", 100.0))
    whole["goals"] = [vars(goal) for goal in goals.goals(whole)]
    text = page.page(whole, language)
    assert "300" in text
    assert "ray" in text
    assert "mlflow" in text
    assert "{" not in text


@pytest.mark.parametrize(
    ("data", "made", "pages"),
    [
        ("serving.json", page.page, {"en": RESULTS / "serving.md", "ja": RESULTS / "serving.ja.md"}),
        ("overload.json", overload.page, {"en": RESULTS / "overload.md", "ja": RESULTS / "overload.ja.md"}),
        ("peers.json", peers_page.page, {"en": ROOT / "docs/peers.md", "ja": ROOT / "docs/peers.ja.md"}),
    ],
)
def test_pages_are_made_from_the_data(data: str, made: Any, pages: Mapping[str, Path]) -> None:
    if not (RESULTS / data).exists():
        pytest.skip(f"{data} has not been measured yet")
    whole = json.loads((RESULTS / data).read_text())
    if data == "serving.json" and "goals" not in whole:
        pytest.skip("measured before there were peers")
    for language, file in pages.items():
        assert file.read_text() == made(whole, language), f"{file.name} is not of {data}"


def test_the_speed_of_a_peer_is_not_shown_where_the_machine_was_busy() -> None:
    told = {"status": "fail", "summary": {"en": "slow", "ja": "遅い"}, "findings": [], "figures": {"p99_ms": 900.0}}
    server = {"version": "1", "at": "2026-01-01", "boxes": {"inference/latency": told, "inference/mode": told}}
    whole = {
        "command": "x",
        "machine": {"processor": "p", "cores": "2"},
        "boxes": ["inference/latency", "inference/mode"],
    }
    quiet = peers_page.page({**whole, "servers": {"mlflow": {**server, "load_before": 0.5}}}, "en")
    busy = peers_page.page({**whole, "servers": {"mlflow": {**server, "load_before": 9.0}}}, "en")
    assert "✗ p99 900 ms" in quiet
    assert "- ✗ `inference/latency`: slow" in quiet
    assert "| `inference/latency` | … |" in busy
    assert "- ✗ `inference/latency`" not in busy
    assert "- ✗ `inference/mode`: slow" in busy


# The peers themselves


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_real_peer_answers_as_the_model_does(name: str, tmp_path: Path) -> None:
    """Where the environments have been made: SEKISHO_PEERS, or the usual folder."""
    environments = Path(os.environ.get("SEKISHO_PEERS") or usual_folder())
    if python_of(environments, name) is None:
        pytest.skip(f"python -m benchmarks.serving.environments {name}")
    served = logistic(tmp_path)
    (recipe,) = peers(served, tmp_path, environments, (name,))
    with running(recipe, cores=None) as contestant:
        assert contestant.start_seconds > 0
    assert contestant.process.returncode is not None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bentoml", "mlflow", "mlserver", "litserve", "vetiver"])
def test_the_boxes_say_of_a_real_peer_what_is_so(name: str, tmp_path: Path) -> None:
    environments = Path(os.environ.get("SEKISHO_PEERS") or usual_folder())
    if python_of(environments, name) is None:
        pytest.skip(f"python -m benchmarks.serving.environments {name}")
    served = projects.subject(tmp_path)
    (recipe,) = peers(served, tmp_path, environments, (name,))
    place = projects.project(served, recipe, tmp_path)
    boxes = ("inference/api", "security/authentication", "security/rate-limiting")
    said = {item.id: item.verdict for item in check(place, boxes, fresh=True).items}
    api = said["inference/api"]
    assert not api.figures["other_labels"]
    if name == "bentoml":  # its table keeps the order of the columns that were sent, which scikit-learn refuses
        assert [each.text.en for each in api.findings if each.status.value == "fail"] == [
            f"names shuffled differs from offline on {api.figures['unanswered']} rows: {api.figures['unanswered']} unanswered"
        ]
    else:
        assert api.status.value == "pass"
    assert said["security/authentication"].status.value == "fail"
    assert said["security/rate-limiting"].status.value == "fail"
