"""A project for each server: the same model, the same tables, the same contract; only the command and the protocol differ."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.serving.contestants import Recipe
from benchmarks.serving.environments import PEERS
from benchmarks.serving.models import Subject, subject_of
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

import sekisho

TARGET = "benign"
OURS = "sekisho"

CONTRACT = """\
[model]
name = "cancer"

[data]
training = "data/training.csv"
test = "data/test.csv"
target = "{target}"

[serving]
{serving}
workers = 1
latency_p99_ms = 200
rate_per_second = 20
start_seconds = 180
mode = "real-time"
freshness_seconds = 1

[infrastructure]
compose = "compose.yaml"
{lock}
peak_per_second = 20
peak_source = "the same for every server on this page"

[security]
rate_limit = 50
"""

COMPOSE = """\
services:
  service:
    image: service
    ports: ["8000:8000"]
    mem_limit: 2g
"""


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """How the checkpoint speaks to a server.

    Attributes:
        protocol: As in ``serving.protocol``.
        mapping: As in ``serving.mapping``.

    """

    protocol: str
    mapping: Mapping[str, str] = field(default_factory=dict)


SPOKEN: Mapping[str, Spoken] = {
    "vetiver": Spoken(
        protocol="mapping",
        mapping={"request": '["{named}"]', "label": "predict.0", "health": "/ping", "info": "/metadata"},
    ),
    "bentoml": Spoken(protocol="bentoml"),
    "mlserver": Spoken(protocol="oip"),
    "mlflow": Spoken(protocol="invocations"),
    "litserve": Spoken(protocol="mapping", mapping={"request": '{"input": ["{features}"]}', "label": "output.0"}),
    "ray": Spoken(
        protocol="mapping",
        mapping={"request": '{"input": ["{features}"]}', "label": "result.0", "health": "/-/healthz"},
    ),
}


def subject(folder: Path) -> Subject:
    """Train the forest that everybody serves, and write its tables into ``folder/data``."""
    data = load_breast_cancer(as_frame=True)
    names = {name: name.replace(" ", "_") for name in data.data.columns}
    features = data.data.rename(columns=names)
    training, test, known, unknown = train_test_split(features, data.target, test_size=0.4, random_state=0)
    model = RandomForestClassifier(100, random_state=0).fit(training, known)
    (folder / "data").mkdir(parents=True)
    training.assign(**{TARGET: known}).to_csv(folder / "data" / "training.csv", index=False)
    test.assign(**{TARGET: unknown}).to_csv(folder / "data" / "test.csv", index=False)
    return subject_of(folder, "cancer", "forest of 100 trees, 30 numbers", model, training, known, lock=True)


def project(subject: Subject, recipe: Recipe | None, folder: Path) -> Path:
    """Write the project of one server, or Sekisho's own without a recipe; return its folder."""
    name = OURS if recipe is None else recipe.name
    place = folder / "projects" / name
    shutil.copytree(subject.artifact, place / "artifact")
    shutil.copytree(subject.artifact.parent / "data", place / "data")
    (place / "compose.yaml").write_text(COMPOSE)
    serving, lock = [], ""
    if recipe is not None:
        spoken = SPOKEN[name]
        shutil.copy(PEERS / f"{name}.txt", place / "requirements.txt")
        lock = 'lock = "requirements.txt"'
        for script in PEERS.glob(f"{name}_service.py"):
            shutil.copy(script, place)
        if recipe.folder is not None and recipe.folder != PEERS:
            for setting in recipe.folder.glob("*-settings.json"):
                shutil.copy(setting, place)
        (place / "start.sh").write_text(script_of(recipe))
        serving = ['command = ["sh", "start.sh"]', f'protocol = "{spoken.protocol}"']
        if spoken.mapping:
            pairs = ", ".join(f"{key} = {json.dumps(value)}" for key, value in spoken.mapping.items())
            serving.append(f"mapping = {{ {pairs} }}")
    (place / "sekisho.toml").write_text(CONTRACT.format(target=TARGET, serving="\n".join(serving), lock=lock))
    assert sekisho.ModelArtifact.load(place / "artifact")
    return place


def script_of(recipe: Recipe) -> str:
    """Return a script that starts the server on the port that the checkpoint names."""
    lines = [f"export {name}={_quoted(value)}" for name, value in recipe.environment.items()]
    return "\n".join((*lines, "exec " + " ".join(_quoted(word) for word in recipe.command))) + "\n"


def _quoted(word: str) -> str:
    quoted = shlex.quote(word)
    for number, name in enumerate(("{port}", "{port1}", "{port2}")):
        # beside the ports that the system gives to connections
        port = '"$PORT"' if not number else f"$((PORT % 10000 + {number}0000))"
        quoted = quoted.replace(name, f"'{port}'")
    return quoted
