"""What the attacks on the book of predictions share: a model that is asked about people, a service, and callers."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from tests.serving.conftest import Running, children, command_of, is_alive

import sekisho
from sekisho.artifact.signature import Note
from sekisho.ledger.predictions import PredictionBook

PERSONAL = ("name", "email", "postcode")


def pack_people(folder: Path) -> Path:
    """Pack a model whose inputs hold a name, an address of electronic mail and a postcode."""
    random = np.random.default_rng(0)
    rows = 300
    frame = pd.DataFrame(
        {
            "name": [f"Person {number}" for number in range(rows)],
            "email": [f"p{number}@example.com" for number in range(rows)],
            "postcode": random.choice(["600-8001", "530-0001", "630-8001"], rows).astype(object),
            "age": random.integers(18, 90, rows).astype(float),
        }
    )
    label = frame["age"] + np.where(frame["postcode"] == "600-8001", 20, 0) > 60
    kept = ColumnTransformer(
        [("numbers", "passthrough", ["age"]), ("words", OneHotEncoder(handle_unknown="ignore"), ["postcode"])]
    )
    model = make_pipeline(kept, LogisticRegression(max_iter=1_000)).fit(frame, label)
    notes = {name: Note(personal=True) for name in PERSONAL}
    sekisho.pack(model, frame, label, folder=folder, name="people", version="1.0.0", notes=notes, lock=False)
    return folder


def person(number: int) -> dict[str, Any]:
    """Return a row about somebody who is nowhere else."""
    return {
        "name": f"Zoe Quill {number}",
        "email": f"zq{number}@corp.test",
        "postcode": f"999-{number:04}",
        "age": 41.5,
    }


@dataclass(kw_only=True)
class Crowd:
    """Callers who ask without a pause, each under ids of their own.

    Attributes:
        acknowledged: The ids of requests that were answered.
        refused: What else was answered, by status and code.

    """

    running: Running
    callers: int = 4
    row: dict[str, Any] = field(default_factory=lambda: person(7))
    acknowledged: list[str] = field(default_factory=list)
    refused: Counter[tuple[int, str]] = field(default_factory=Counter)

    def __enter__(self) -> Self:
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(self.callers)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(30)

    def _ask(self) -> None:
        body = json.dumps({"features": self.row})
        connection = http.client.HTTPConnection("127.0.0.1", self.running.port, timeout=20)
        while not self._ended.is_set():
            name = str(uuid.uuid4())
            try:
                fields = {"content-type": "application/json", "x-request-id": name}
                connection.request("POST", "/predict", body, fields)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                time.sleep(0.005)
                continue
            if answer.status == 200:
                self.acknowledged.append(name)
            else:
                self.refused[answer.status, json.loads(content).get("code", "")] += 1
                time.sleep(0.005)
        connection.close()


def kill_worker(running: Running) -> None:
    """Kill a worker as nobody can prevent, and wait until it is gone."""
    (worker,) = [one for one in children(running.process.pid) if "serving.worker" in command_of(one)]
    os.kill(worker, signal.SIGKILL)
    while is_alive(worker):
        time.sleep(0.002)


def workers(running: Running) -> list[int]:
    """Return the workers of a service."""
    return [one for one in children(running.process.pid) if "serving.worker" in command_of(one)]


def ids(address: Path | str) -> Counter[str]:
    """Return how often each request stands in a book."""
    with PredictionBook(address) as book:
        return Counter(one.request_id for chunk in book.chunks() for one in chunk.records())
