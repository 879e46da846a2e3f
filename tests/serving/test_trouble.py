"""A model that hangs, dies, raises or answers nonsense hurts the request that made it do so, and no other."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Answer, Running, children, command_of, is_alive, serving, until
from .troubled import CRASH, DIE, FEWER, HANG, HOARD, IMPOSSIBLE, NAN, PRINT, RAISE

DEADLINE_SECONDS = 4.0


@pytest.fixture(scope="module")
def troubled(troubled_artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    ledger = tmp_path_factory.mktemp("troubled") / "book.sqlite"
    with serving(
        troubled_artifact,
        trusted_types=["troubled.Troubled"],
        deadline_ms=int(DEADLINE_SECONDS * 1000),
        ledger=ledger,
        model_memory=3 * 2**30,
    ) as running:
        yield running


def fine(service: Running) -> Answer:
    return service.predict([1.0, 2.0])


def model_processes(service: Running) -> list[int]:
    (worker,) = service.workers()
    return [child for child in children(worker) if "predict.child" in command_of(child)]


def test_a_native_model_answers(troubled: Running) -> None:
    answer = fine(troubled).json()
    assert answer["prediction"] is True
    assert answer["probability"] == pytest.approx(0.8807970779778823)
    assert set(answer["probabilities"]) == {"false", "true"}
    assert len(model_processes(troubled)) == 1


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        (RAISE, 500, "model_failed"),
        (NAN, 500, "invalid_output"),
        (IMPOSSIBLE, 500, "invalid_output"),
        (FEWER, 500, "invalid_output"),
        (HOARD, 500, "model_failed"),
        (DIE, 503, "model_died"),
        (CRASH, 503, "model_died"),
    ],
)
def test_what_the_model_does_wrong_has_a_code_of_its_own(troubled: Running, what: int, status: int, code: str) -> None:
    errors = troubled.metric("ml_predictions_total", status="error")
    answer = troubled.predict([float(what), 1.0])
    assert (answer.status, answer.code) == (status, code)
    assert b"hunter2" not in answer.body
    assert b"secret" not in answer.body
    assert b"NaN" not in answer.body
    assert troubled.metric("ml_predictions_total", status="error") == errors + 1
    assert fine(troubled).status == 200
    assert not [line for line in troubled.lines if "hunter2" in line]


def test_one_nonsense_answer_spoils_its_own_batch_only(troubled: Running) -> None:
    rows = [[1.0, 2.0], [float(NAN), 2.0]]
    assert troubled.ask("/predict/batch", [{"features": row} for row in rows]).code == "invalid_output"
    assert troubled.ask("/predict/batch", [{"features": rows[0]}] * 2).status == 200


def test_a_hanging_request_ends_at_its_deadline_and_stops_nobody(troubled: Running) -> None:
    hung: list[tuple[float, Answer]] = []

    def hang() -> None:
        began = time.monotonic()
        answer = troubled.predict([float(HANG), 1.0])
        hung.append((time.monotonic() - began, answer))

    thread = threading.Thread(target=hang)
    thread.start()
    time.sleep(0.2)
    waits = []
    for _ in range(10):
        began = time.monotonic()
        assert fine(troubled).status == 200
        waits.append(time.monotonic() - began)
    thread.join()
    ((seconds, answer),) = hung
    assert (answer.status, answer.code) == (504, "deadline_exceeded")
    assert seconds < DEADLINE_SECONDS + 1.0
    assert max(waits) < 1.0
    assert fine(troubled).status == 200


def test_poison_again_and_again_does_not_stop_good_traffic(troubled: Running) -> None:
    statuses: list[int] = []

    def good() -> None:
        statuses.extend(fine(troubled).status for _ in range(20))

    threads = [threading.Thread(target=good) for _ in range(3)]
    for thread in threads:
        thread.start()
    poison = [troubled.predict([float(DIE), 1.0]).status for _ in range(6)]
    for thread in threads:
        thread.join()
    assert set(poison) == {503}
    assert statuses == [200] * 60


def test_a_noisy_model_leaves_the_log_clean(troubled: Running) -> None:
    assert troubled.predict([float(PRINT), 1.0]).status == 200
    assert not [line for line in troubled.lines if "noise" in line]


def test_children_end_with_their_worker(troubled: Running) -> None:
    before = model_processes(troubled)
    (worker,) = troubled.workers()
    os.kill(worker, signal.SIGKILL)
    until(lambda: not any(map(is_alive, before)), 5)
    until(lambda: troubled.workers() and troubled.workers() != [worker])
    until(lambda: fine(troubled).status == 200, 40)
