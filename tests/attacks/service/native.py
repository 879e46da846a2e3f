"""Models of the folder ``models``, packed so that they stay in their own library, and services that run them in processes of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.attacks.service.own import LIMITS, Workshop, configuration, target_of
from tests.attacks.service.target import Question, Target

MODELS = Path(__file__).parent / "models"
DEADLINE_SECONDS = 2.0
MIB = 2**20


def module(name: str) -> Any:
    """Return a module of the folder ``models``, imported by its bare name, as the processes of the model import it."""
    import importlib

    sys.path.insert(0, str(MODELS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(MODELS))


def packed(workshop: Workshop, name: str, kind: str) -> Path:
    """Return the artifact of a class of a module, packed when it is first asked for."""
    import numpy as np
    import pandas as pd

    import sekisho

    folder = workshop.folder / name
    if folder.exists():
        return folder
    random = np.random.default_rng(2)
    frame = pd.DataFrame({"what": random.uniform(0, 500, 200), "value": random.normal(0, 1, 200)})
    labels = (frame["value"] > 0).to_numpy()
    model = getattr(module(name), kind)().fit(frame, labels)
    trusted = (f"{name}.{kind}",)
    made = sekisho.pack(model, frame, labels, folder=folder, name=name, trusted_types=trusted, lock=False)
    assert made.runtime_name == "skops"
    return folder


def surroundings(**variables: str) -> dict[str, str]:
    """Return the environment in which a service finds these modules."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(MODELS), os.environ.get("PYTHONPATH")))), **variables}


def asked_about(name: str) -> dict[str, Question]:
    """Return every route of a service for one of these models, with a good body each; ``what`` is the first feature."""
    tensors = [
        {"name": one, "shape": [1], "datatype": "FP64", "data": [value]}
        for one, value in (("what", 1.0), ("value", 2.0))
    ]
    questions = [
        Question(
            name="predict",
            path="/predict",
            good={"features": [1.0, 2.0]},
            roles={"what": ("features", 0), "number": ("features", 1)},
        ),
        Question(
            name="batch",
            path="/predict/batch",
            good=[{"features": [1.0, -2.0]}, {"features": [1.0, 2.0]}, {"features": [2.0, 2.0]}],
            roles={"what": (1, "features", 0)},
        ),
        Question(
            name="invocations",
            path="/invocations",
            good={"instances": [[1.0, -2.0], [1.0, 2.0]]},
            roles={"what": ("instances", 1, 0)},
        ),
        Question(
            name="infer",
            path=f"/v2/models/{name}/infer",
            good={"inputs": tensors},
            roles={"what": ("inputs", 0, "data", 0)},
        ),
    ]
    return {one.name: one for one in questions}


def served(
    workshop: Workshop, name: str, kind: str, *, variables: dict[str, str] | None = None, **settings: Any
) -> Iterator[Target]:
    """Serve one of these models."""
    from tests.serving.conftest import serving

    given = {"trusted_types": [f"{name}.{kind}"], "access_log_per_second": 100_000, **settings}
    artifact = packed(workshop, name, kind)
    with serving(artifact, environment=surroundings(**(variables or {})), **given) as running:
        target = target_of(running, asked_about(name), limits=LIMITS)
        target.more |= {"ledger-path": settings["ledger"]} if "ledger" in settings else {}
        yield target


@configuration("wicked")
def _wicked(workshop: Workshop) -> Iterator[Target]:
    """A model that does whatever models do at the worst moment; a deadline of 2 s, 1.5 GiB, and a book."""
    ledger = workshop.place("wicked") / "book.sqlite"
    yield from served(
        workshop,
        "wicked",
        "Wicked",
        deadline_ms=int(DEADLINE_SECONDS * 1000),
        model_memory=1_536 * MIB,
        model_processes=3,
        ledger=ledger,
    )
