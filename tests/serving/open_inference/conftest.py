"""A service that speaks the Open Inference Protocol over REST and gRPC, with a key, and what a model answers offline."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.serving.conftest import Running, people, serving

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.table import Table
from sekisho.serving.guards.keys import new_key

ROWS = 1_200


@dataclass(frozen=True, kw_only=True)
class Offline:
    """What a model answers without a service."""

    frame: pd.DataFrame
    labels: list[Any]
    probabilities: np.ndarray[Any, Any]


@pytest.fixture(scope="session")
def grpc_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="session")
def spoken(people_artifact: Path, grpc_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("spoken")
    secret, line = new_key("somebody", ("admin",))
    keys = folder / "keys"
    keys.write_text(line + "\n")
    ledger = folder / "predictions.sqlite"
    with serving(people_artifact, key_file=keys, ledger=ledger, grpc_port=grpc_port, limits={"rows": 2_000}) as running:
        running.key = secret
        running.ledger = ledger
        yield running


@pytest.fixture(scope="session")
def offline(people_artifact: Path) -> Offline:
    frame = people(ROWS, seed=21)
    answers = ModelArtifact.load(people_artifact).predict(Table.of(frame))
    assert answers.probabilities is not None
    return Offline(frame=frame, labels=answers.values.tolist(), probabilities=answers.probabilities)
