"""The peers: model servers that others have made, each started and asked as its own guide shows it, with one worker."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.serving.asking import lists, named, open_inference, records, split
from benchmarks.serving.contestants import Recipe
from benchmarks.serving.environments import PEERS, python_of
from benchmarks.serving.models import Subject

NO_TELEMETRY = {
    "BENTOML_DO_NOT_TRACK": "True",
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONWARNINGS": "ignore",
}
"""Nobody is told that a benchmark ran; and no file is left beside the sources."""


def vetiver(subject: Subject, folder: Path, python: Path) -> Recipe:  # noqa: ARG001
    """Return ``VetiverAPI(VetiverModel(..., prototype_data=...))`` on uvicorn."""
    return Recipe(
        name="vetiver",
        title="vetiver",
        command=(*(str(python), "-m", "uvicorn", "--host", "127.0.0.1", "--port", "{port}"), "vetiver_service:app"),
        tasks=records("predict").tasks(subject),
        environment=_environment(subject, python),
        folder=PEERS,
    )


def bentoml(subject: Subject, folder: Path, python: Path) -> Recipe:
    """Return ``bentoml serve`` on a service class; its home is a scratch folder."""
    command = (str(python), "-m", "bentoml", "serve", "bentoml_service:Model", "--host", "127.0.0.1")
    return Recipe(
        name="bentoml",
        title="BentoML",
        command=(*command, "--port", "{port}"),
        tasks=named("input_data").tasks(subject),
        environment=_environment(subject, python) | {"BENTOML_HOME": str(folder / "bentoml")},
        folder=PEERS,
    )


def mlserver(subject: Subject, folder: Path, python: Path) -> Recipe:
    """Return ``mlserver start`` on a folder with one model of the scikit-learn runtime."""
    place = folder / f"mlserver-{subject.name}"
    place.mkdir(exist_ok=True)
    parameters = {"uri": str(subject.pickle), "version": "1.0.0"}
    settings = {"name": subject.name, "implementation": "mlserver_sklearn.SKLearnModel", "parameters": parameters}
    (place / "model-settings.json").write_text(json.dumps(settings))
    ports = {
        "MLSERVER_HOST": "127.0.0.1",
        "MLSERVER_HTTP_PORT": "{port}",
        "MLSERVER_GRPC_PORT": "{port1}",
        "MLSERVER_METRICS_PORT": "{port2}",
        "MLSERVER_PARALLEL_WORKERS": "1",
    }
    return Recipe(
        name="mlserver",
        title="MLServer",
        command=(str(python.parent / "mlserver"), "start", "."),
        tasks=open_inference(subject).tasks(subject),
        environment=_environment(subject, python) | ports,
        folder=place,
    )


def mlflow(subject: Subject, folder: Path, python: Path) -> Recipe:
    """Return ``mlflow models serve`` on a model that was saved with its signature."""
    place = folder / f"mlflow-{subject.name}"
    environment = _environment(subject, python) | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.sqlite"}
    if not place.exists():
        saved = subprocess.run(
            [str(python), "mlflow_model.py", str(place)],
            cwd=PEERS,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if saved.returncode:
            raise SystemExit(f"mlflow: the model could not be saved\n{saved.stderr[-2000:]}")
    command = (str(python), "-m", "mlflow", "models", "serve", "--model-uri", str(place), "--env-manager", "local")
    return Recipe(
        name="mlflow",
        title="MLflow models serve",
        command=(*command, "--host", "127.0.0.1", "--port", "{port}", "--workers", "1"),
        tasks=split().tasks(subject),
        environment=environment,
        folder=folder,
    )


def litserve(subject: Subject, folder: Path, python: Path) -> Recipe:
    """Return ``LitServer(...).run()`` with one worker and one server process."""
    return Recipe(
        name="litserve",
        title="LitServe",
        command=(str(python), str(PEERS / "litserve_service.py"), "{port}"),
        tasks=lists("input", "output").tasks(subject),
        environment=_environment(subject, python),
        folder=folder,
    )


def ray(subject: Subject, folder: Path, python: Path) -> Recipe:
    """Return ``serve.run`` on a cluster of one machine; its own processes work while nobody asks."""
    return Recipe(
        name="ray",
        title="Ray Serve",
        command=(str(python), str(PEERS / "ray_service.py"), "{port}"),
        tasks=lists("input", "result").tasks(subject),
        environment=_environment(subject, python) | {"RAY_TMPDIR": str(folder / "ray")},
        folder=folder,
        restless=True,
    )


RECIPES: Mapping[str, Callable[[Subject, Path, Path], Recipe]] = {
    "vetiver": vetiver,
    "bentoml": bentoml,
    "mlserver": mlserver,
    "mlflow": mlflow,
    "litserve": litserve,
    "ray": ray,
}


def peers(subject: Subject, folder: Path, environments: Path, names: tuple[str, ...]) -> tuple[Recipe, ...]:
    """Return the peers among ``names`` whose environment has been made."""
    found = ((name, python_of(environments, name)) for name in names)
    return tuple(RECIPES[name](subject, folder, python) for name, python in found if python is not None)


def _environment(subject: Subject, python: Path) -> dict[str, str]:
    return {
        **NO_TELEMETRY,
        "PYTHONPATH": "",
        "PATH": os.pathsep.join((str(python.parent), os.environ.get("PATH", os.defpath))),
        "VIRTUAL_ENV": str(python.parents[1]),
        "MODEL": str(subject.pickle),
        "PROTOTYPE": str(subject.prototype),
        "COLUMNS": "\n".join(subject.columns),
    }
