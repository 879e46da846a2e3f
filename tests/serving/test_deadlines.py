"""Callers who say how long they wait: never longer than the service would, and nobody works for those who have stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import Running, children, command_of, serving, until
from .troubled import HANG

HEADER = "x-request-timeout-ms"
DEADLINE_SECONDS = 3.0


@pytest.mark.parametrize(
    "value", ["0", "000", "-1", "+5", "NaN", "1e12", "inf", "abc", "", "5.0", "0x10", "5, 6", "9" * 30, "５", " "]
)
def test_what_is_no_time_is_refused(service: Running, good: dict[str, Any], value: str) -> None:
    answer = service.predict(good, headers={HEADER: value.encode().decode("latin-1")})
    assert (answer.status, answer.code) == (400, "invalid_deadline")


def test_two_times_are_refused_and_a_long_one_is_the_service_s_own(service: Running, good: dict[str, Any]) -> None:
    head = f"POST /predict HTTP/1.1\r\nHost: h\r\nX-API-Key: {service.key}\r\nContent-Length: 2\r\n"
    twice = head + "X-Request-Timeout-Ms: 500\r\nx-request-timeout-ms: 600\r\nConnection: close\r\n\r\n{}"
    assert service.raw(twice.encode()).startswith(b"HTTP/1.1 400 ")
    for value in ("999999999999", "600000", "05000"):
        assert service.predict(good, headers={HEADER: value}).status == 200
    assert service.predict(good, key="", headers={HEADER: "abc"}).status == 401


@pytest.fixture(scope="module")
def slow(troubled_artifact: Path) -> Iterator[Running]:
    with serving(
        troubled_artifact,
        trusted_types=["troubled.Troubled"],
        deadline_ms=int(DEADLINE_SECONDS * 1_000),
        model_processes=1,
    ) as running:
        yield running


def test_work_for_a_caller_who_waits_no_more_is_dropped(slow: Running) -> None:
    assert slow.predict([1.0, 2.0]).status == 200
    (worker,) = slow.workers()
    model = [child for child in children(worker) if "predict.child" in command_of(child)]
    done = slow.metric("ml_predictions_total", status="success")
    hanging = threading.Thread(target=lambda: slow.predict([float(HANG), 1.0]))
    hanging.start()
    time.sleep(0.3)
    began = time.monotonic()
    answers = [slow.predict([1.0, 2.0], headers={HEADER: "50"}) for _ in range(5)]
    assert time.monotonic() - began < 1.5
    assert (answers[0].status, answers[0].code) == (504, "deadline_exceeded")
    # Whoever comes while the first of their line has waited too long already is told so at once.
    assert {(answer.status, answer.code) for answer in answers} <= {(504, "deadline_exceeded"), (503, "overloaded")}
    # The model is not ended because somebody is in a hurry: it has until the service's own deadline.
    assert [child for child in children(worker) if "predict.child" in command_of(child)] == model
    hanging.join()
    until(lambda: slow.predict([1.0, 2.0]).status == 200)
    assert slow.metric("ml_predictions_total", status="success") == done + 1
    assert slow.metric("ml_predictions_total", status="error") >= 6


def test_a_hurried_caller_does_not_end_the_model(slow: Running) -> None:
    restarts = slow.metric("ml_model_restarts_total")
    began = time.monotonic()
    answer = slow.predict([float(HANG), 1.0], headers={HEADER: "100"})
    assert (answer.status, answer.code) == (504, "deadline_exceeded")
    assert 0.1 <= time.monotonic() - began < 1.0
    assert slow.metric("ml_model_restarts_total") == restarts
    # It hangs all the same, and is ended when the service says so.
    until(lambda: slow.metric("ml_model_restarts_total") == restarts + 1)
    until(lambda: slow.predict([1.0, 2.0], headers={HEADER: "2500"}).status == 200)


def test_nobody_waits_longer_than_the_service_does(slow: Running) -> None:
    began = time.monotonic()
    answer = slow.predict([float(HANG), 1.0], headers={HEADER: "600000"})
    assert (answer.status, answer.code) == (504, "deadline_exceeded")
    assert DEADLINE_SECONDS - 0.1 <= time.monotonic() - began < DEADLINE_SECONDS + 1.5
