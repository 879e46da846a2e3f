"""What the service says of itself: health that is true, metrics that can be scraped, a log of one JSON object a line."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from sekisho.artifact.artifact import ModelArtifact

from .conftest import Running, serving, until


def test_health_names_the_model(service: Running, loaded: ModelArtifact) -> None:
    body = service.ask("/health").json()
    assert body == {"status": "healthy", "model_version": "1.2.3", "model_type": loaded.metadata.model_type}
    assert service.ask("/health/live").json() == {"status": "alive"}
    assert service.ask("/health/ready").json()["status"] == "ready"
    assert service.ask("/ping").body == b"{}"
    head = service.ask("/health", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 0


def test_the_model_is_described(service: Running, loaded: ModelArtifact) -> None:
    body = service.ask("/model/info").json()
    assert (body["name"], body["version"], body["digest"]) == ("churn", "1.2.3", loaded.digest)
    assert body["task"] == "binary"
    assert [feature["name"] for feature in body["features"]] == list(loaded.signature.names)
    (income,) = [feature for feature in body["features"] if feature["name"] == "income"]
    assert income["personal"] is True
    assert income["example"] is None
    assert income["maximum"] is None


def test_metrics_can_be_scraped_and_count_what_was_sent(service: Running, good: dict[str, Any]) -> None:
    def counts() -> dict[str, float]:
        return {
            "success": service.metric("ml_predictions_total", status="success"),
            "latency": service.metric("ml_prediction_latency_seconds_count"),
            "value": service.metric("ml_prediction_value_count"),
            "predict": service.metric("ml_http_requests_total", route="/predict", status="200"),
            "unfit": service.metric("ml_http_requests_total", route="/predict", status="422"),
            "other": service.metric("ml_http_requests_total", route="other"),
            "classes": service.metric("ml_predictions_by_class_total"),
        }

    before = counts()
    for _ in range(7):
        assert service.predict(good).status == 200
    assert service.predict([]).status == 422
    assert service.ask("/predict/batch", [{"features": good}] * 3).status == 200
    for number in range(5):
        assert service.ask(f"/no/such/route/{number}").status == 404
    after = counts()
    moved = {name: after[name] - before[name] for name in after}
    assert moved == {"success": 10, "latency": 9, "value": 10, "predict": 7, "unfit": 1, "other": 5, "classes": 10}


def test_metrics_are_text_with_help_and_no_label_of_a_callers(service: Running) -> None:
    answer = service.ask("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(answer.body.decode())}
    for name in (
        "ml_predictions",
        "ml_prediction_latency_seconds",
        "ml_prediction_value",
        "ml_prediction_flags",
        "ml_http_requests",
        "ml_ledger_dropped",
        "ml_requests_waiting",
        "ml_model_info",
    ):
        assert families[name].documentation
    (info,) = families["ml_model_info"].samples
    assert info.value == 1.0
    assert info.labels["version"] == "1.2.3"
    bounds = [
        float(one.labels["le"]) for one in families["ml_prediction_latency_seconds"].samples if "le" in one.labels
    ]
    assert bounds == sorted(bounds)
    before = len(answer.body.splitlines())
    for number in range(300):
        service.ask(f"/path/{number}", key=f"k{number}", headers={"user-agent": f"agent {number}"})
    assert len(service.ask("/metrics").body.splitlines()) <= before + 4


def test_each_request_is_one_line_that_says_no_more_than_it_may(service: Running, good: dict[str, Any]) -> None:
    for number in range(20):
        service.predict(good, headers={"x-request-id": f"log-{number}"})
    service.predict([], headers={"x-request-id": "log-bad"})

    def lines() -> list[dict[str, Any]]:
        found = [json.loads(line) for line in list(service.lines)]
        return [one for one in found if str(one.get("request_id", "")).startswith("log-")]

    said = until(lambda: len(lines()) == 21 and lines())
    for line in said:
        assert set(line) <= {
            *(
                "time",
                "level",
                "event",
                "request_id",
                "route",
                "status",
                "latency_ms",
                "caller",
                "code",
                "model",
                "worker",
            )
        }
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert line["caller"] == "admin"
        assert line["route"] == "/predict"
    assert [(line["status"], line.get("code")) for line in said[-1:]] == [(422, "wrong_count")]


def test_what_tries_to_break_a_line_does_not(service: Running) -> None:
    nasty = '%0d%0a{"level":"fake"}\x1b[31m'
    service.raw(b'GET /x%0d%0a HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a\x1b[31m"\\\r\nConnection: close\r\n\r\n')
    service.ask("/x?" + nasty.replace("\x1b", "").replace('"', "%22"))
    for line in list(service.lines):
        assert json.loads(line)["level"] in {"debug", "info", "warning", "error"}
        assert line.count("\n") == 1


def test_a_flood_of_requests_does_not_flood_the_log(iris_artifact: Path) -> None:
    with serving(iris_artifact, access_log_per_second=10) as running:
        for _ in range(300):
            running.predict([])
        until(lambda: any("not logged one by one" in line for line in running.lines))
        assert running.metric("ml_problems_total", code="wrong_count") == 300
        logged = sum('"event":"request"' in line for line in running.lines)
        assert logged < 150
        until(lambda: running.metric("ml_log_lines_dropped_total") >= 100)


def test_a_full_disk_stops_the_book_and_not_the_predictions(iris_artifact: Path, tmp_path: Path) -> None:
    # A limit on the size of files stands for a disk that is full.
    ledger = tmp_path / "book.sqlite"
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_300_000, 1_300_000))"
    (tmp_path / "sitecustomize.py").write_text(code)
    with serving(iris_artifact, ledger=ledger, environment={"PYTHONPATH": str(tmp_path)}) as running:
        rows = [{"features": [5.0, 3.0, 1.5, 0.2]}] * 2000
        until(lambda: running.ask("/predict/batch", rows) and running.metric("ml_ledger_dropped_total") > 0, 30)
        assert running.predict([5.0, 3.0, 1.5, 0.2]).status == 200
        assert running.metric("ml_ledger_written_total") > 0
        until(lambda: any("predictions cannot be written" in line for line in running.lines))


def test_all_times_are_utc_wherever_the_service_runs(iris_artifact: Path) -> None:
    with serving(iris_artifact, environment={"TZ": "America/St_Johns"}) as running:
        said = dt.datetime.fromisoformat(running.predict([5.0, 3.0, 1.5, 0.2]).json()["timestamp"])
        assert abs((dt.datetime.now(dt.UTC) - said).total_seconds()) < 60
