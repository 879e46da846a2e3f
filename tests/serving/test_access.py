"""Who may ask what: keys, scopes, limits that hold over workers. Attacks on them stand in tests/attacks/service/auth*.py."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sekisho.serving.guards.keys import new_key

from .conftest import Running, serving, until

ROUTES: list[tuple[str, str, Any, str]] = [
    ("GET", "/model/info", None, "any"),
    ("GET", "/models", None, "any"),
    ("GET", "/models/churn", None, "any"),
    *(("POST", f"/models/churn/{deed}", {"other": 1}, "admin") for deed in ("activate", "reload", "rollback")),
    ("GET", "/docs", None, "any"),
    ("GET", "/openapi.json", None, "any"),
    ("GET", "/metrics", None, "metrics"),
    ("POST", "/predict", {"features": []}, "predict"),
    ("POST", "/predict/batch", [], "predict"),
    ("POST", "/invocations", {}, "predict"),
    ("POST", "/feedback", {}, "predict"),
]


BELOW = ("", "/versions/1.2.3")
OPEN_INFERENCE: list[tuple[str, str, Any, str]] = [
    ("GET", "/v2", None, "any"),
    ("POST", "/v2/repository/index", {}, "any"),
    *(("GET", f"/v2/models/churn{version}{last}", None, "any") for version in BELOW for last in ("", "/ready")),
    *(("POST", f"/v2/models/churn{version}/infer", {"inputs": []}, "predict") for version in BELOW),
]
PUBLIC = ["/health", "/health/live", "/health/ready", "/ping", "/v2/health/live", "/v2/health/ready"]


@pytest.mark.parametrize(("method", "path", "body", "scope"), ROUTES, ids=[route[1] for route in ROUTES])
def test_every_route_asks_for_the_right_key(service: Running, method: str, path: str, body: Any, scope: str) -> None:
    no_key = service.ask(path, body, method=method, key="")
    assert (no_key.status, no_key.code) == (401, "key_missing")
    assert no_key.headers["www-authenticate"].startswith("Bearer")
    unknown = service.ask(path, body, method=method, key="sk_" + "x" * 43)
    assert (unknown.status, unknown.code) == (401, "key_unknown")
    for holder, secret in service.keys.items():
        answer = service.ask(path, body, method=method, key=secret)
        allowed = holder == "admin" or scope in {"any", holder}
        assert (answer.status == 403) == (not allowed), answer
        assert answer.status != 401
    bearer = service.ask(path, body, method=method, key="", headers={"authorization": f"Bearer {service.key}"})
    assert bearer.status not in {401, 403}


def test_all_documented_routes_are_walked(service: Running) -> None:
    documented = set(service.ask("/openapi.json").json()["paths"])
    assert documented == {route[1] for route in (*ROUTES, *OPEN_INFERENCE)} | set(PUBLIC)


@pytest.mark.parametrize(
    ("method", "path", "body", "scope"), OPEN_INFERENCE, ids=[route[1] for route in OPEN_INFERENCE]
)
def test_so_does_every_route_of_the_open_inference_protocol(
    service: Running, method: str, path: str, body: Any, scope: str
) -> None:
    no_key = service.ask(path, body, method=method, key="")
    assert (no_key.status, no_key.json()["code"]) == (401, "key_missing")
    for holder, secret in service.keys.items():
        answer = service.ask(path, body, method=method, key=secret)
        assert (answer.status == 403) == (holder != "admin" and scope not in {"any", holder}), answer
        assert answer.status != 401


@pytest.mark.parametrize("path", PUBLIC)
def test_health_needs_no_key(service: Running, path: str) -> None:
    assert service.ask(path, key="").status == 200


def test_a_host_that_holds_a_path_opens_nothing(service: Running) -> None:
    for host in (b"x/health?y=", b"x#/", b"localhost/health"):
        received = service.raw(b"GET /metrics HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
        assert received.startswith(b"HTTP/1.1 400 ")


def test_a_limit_holds_over_all_workers_and_for_each_caller(
    people_artifact: Path, tmp_path: Path, good: dict[str, Any]
) -> None:
    (one, one_line), (two, two_line) = new_key("one"), new_key("two")
    (tmp_path / "keys").write_text(f"{one_line}\n{two_line}\n")
    with serving(people_artifact, key_file=tmp_path / "keys", workers=2, rate_limit=5.0, burst=10) as running:
        began = time.monotonic()
        answers = [running.predict(good, key=one) for _ in range(40)]
        seconds = time.monotonic() - began
        passed = sum(answer.status == 200 for answer in answers)
        assert 10 <= passed <= 10 + 5.0 * seconds + 1
        refused = [answer for answer in answers if answer.status == 429]
        assert {answer.code for answer in refused} == {"rate_limited"}
        assert all(re.fullmatch(r"[1-9]|[1-5][0-9]|60", answer.headers["retry-after"]) for answer in refused)
        spelled = [
            running.ask("/predict?x=1", {"features": good}, key=one),
            running.predict(good, key=one, headers={"x-forwarded-for": "1.2.3.4", "x-real-ip": "5.6.7.8"}),
            running.ask("/predict", {"features": good}, key="", headers={"authorization": f"bearer {one}"}),
        ]
        assert Counter(answer.status for answer in spelled)[429] >= 2
        assert running.predict(good, key=two).status == 200


def test_rows_cost(people_artifact: Path, good: dict[str, Any]) -> None:
    with serving(people_artifact, rate_limit=20.0, burst=5) as running:
        body = [{"features": good}] * 200
        assert running.ask("/predict/batch", body).status == 200
        # 21 requests' worth at 20 a second: the next one has to wait for about a second.
        assert running.predict(good).status == 429
        until(lambda: running.predict(good).status == 200, 5)
