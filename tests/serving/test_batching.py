"""Batches of several callers: each gets their own answer, however the batches are made."""

from __future__ import annotations

import http.client
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from sekisho.artifact.artifact import ModelArtifact

from .conftest import Running, serving

CALLERS = 24
REQUESTS = 60


def ask_all(running: Running, model: ModelArtifact) -> list[str]:
    """Let many callers ask at once, each for rows of its own, and return what was answered wrongly."""
    sizes = range(20, 20 + CALLERS * 7)
    answers = model.predict([{"size": float(size), "rooms": 1 + size % 6} for size in sizes]).values
    expected = dict(zip(sizes, answers.tolist(), strict=True))
    wrong: list[str] = []

    def call(caller: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
        for turn in range(REQUESTS):
            sizes = [20 + (caller * 7 + turn + step) % (CALLERS * 7) for step in range(1 + (turn * caller) % 5)]
            rows = [{"features": {"size": float(size), "rooms": 1 + size % 6}} for size in sizes]
            path, body = ("/predict", rows[0]) if len(rows) == 1 else ("/predict/batch", rows)
            connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
            response = connection.getresponse()
            answer = json.loads(response.read())
            got = [answer] if len(rows) == 1 else answer.get("predictions", [])
            # The last bit of a 32-bit number may depend on the size of a batch; rows differ by far more.
            right = pytest.approx([expected[size] for size in sizes], rel=1e-6)
            if response.status != 200 or [one["prediction"] for one in got] != right:
                wrong.append(f"{caller}/{turn}: {response.status}")
        connection.close()

    callers = [threading.Thread(target=call, args=(number,)) for number in range(CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return wrong


@pytest.mark.parametrize("batching", ["always", "never"])
def test_answers_are_neither_mixed_nor_put_into_another_order(price_artifact: Path, batching: str) -> None:
    with serving(price_artifact, batching=batching, queue=10_000) as running:
        assert ask_all(running, ModelArtifact.load(price_artifact)) == []
        runs = running.metric("ml_model_runs_total")
        assert running.metric("ml_batch_rows_most") == (1_024 if batching == "always" else 1)
    requests = CALLERS * REQUESTS
    assert runs == requests if batching == "never" else 0 < runs < requests


def test_what_was_measured_is_said_in_the_log(price_artifact: Path) -> None:
    with serving(price_artifact) as running:
        most = running.metric("ml_batch_rows_most")
    said: list[dict[str, Any]] = [json.loads(line) for line in running.lines if '"batches timed"' in line]
    assert [line["most_rows"] for line in said] == [most]
    assert said[0]["rows"][0] == 1
    assert len(said[0]["rows"]) == len(said[0]["microseconds"])
