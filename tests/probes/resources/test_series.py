"""Finding the counter that counts predictions, whatever its name and labels."""

from __future__ import annotations

import pytest

from sekisho.probes.resources.series import (
    Counted,
    Sent,
    counted_by_counter,
    counted_by_histogram,
    exposition,
    never_falls,
)
from sekisho.probes.wire.message import Reply

SENT = Sent(good=40, bad=17)


def text(*lines: str, media_type: str = "text/plain; version=0.0.4") -> Reply:
    return Reply(status=200, headers={"content-type": media_type}, body="\n".join((*lines, "")).encode())


def count(before: list[str], after: list[str]) -> Counted | None:
    return counted_by_counter(exposition(text(*before)), exposition(text(*after)), SENT, "/predict")


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (
            [
                "# TYPE ml_predictions_total counter",
                'ml_predictions_total{status="ok"} 41',
                'ml_predictions_total{status="error"} 18',
            ],
            (40, 17),
        ),
        (
            [
                "# TYPE http_requests_total counter",
                'http_requests_total{path="/predict",code="200"} 41',
                'http_requests_total{path="/predict",code="422"} 18',
                'http_requests_total{path="/metrics",code="200"} 9',
            ],
            (40, 17),
        ),
        (
            [
                "# TYPE predictions_total counter",
                "predictions_total 41",
                "# TYPE prediction_errors_total counter",
                "prediction_errors_total 18",
            ],
            (40, 17),
        ),
        (
            [
                "# TYPE requests_total counter",
                "requests_total 58",
                "# TYPE failures_total counter",
                "failures_total 18",
            ],
            (40, 17),
        ),
        (["# TYPE predictions_total counter", "predictions_total 41"], (40, 0)),  # errors are not counted
        (["# TYPE requests_total counter", "requests_total 58"], (40, None)),  # counted, and not told apart
        (["# TYPE predictions_total counter", "predictions_total 24"], (23, 0)),  # another worker has the rest
    ],
)
def test_what_rose_is_told(after: list[str], expected: tuple[int, int | None]) -> None:
    before = [
        line if line.startswith("#") else f"{line.rsplit(' ', 1)[0]} {8 if 'metrics' in line else 1}" for line in after
    ]
    counted = count(before, after)
    assert counted is not None
    assert (counted.good, counted.bad) == expected


def test_nothing_that_rose_is_nothing() -> None:
    lines = ["# TYPE predictions_total counter", "predictions_total 5", "# TYPE process_cpu_seconds_total counter"]
    assert count([*lines, "process_cpu_seconds_total 1"], [*lines, "process_cpu_seconds_total 58"]) is None


def test_the_latency_histogram_is_found_with_its_bounds() -> None:
    def lines(count: int) -> list[str]:
        return [
            "# TYPE batch_size histogram",
            f'batch_size_bucket{{le="+Inf"}} {count}',
            f"batch_size_count {count}",
            "# TYPE request_duration_seconds histogram",
            f'request_duration_seconds_bucket{{le="0.1"}} {count}',
            'request_duration_seconds_bucket{le="0.05"} 0',
            f'request_duration_seconds_bucket{{le="+Inf"}} {count}',
            f"request_duration_seconds_count {count}",
            "request_duration_seconds_sum 1.5",
        ]

    before, after = exposition(text(*lines(1))), exposition(text(*lines(58)))
    counted = counted_by_histogram(before, after, SENT, "/predict")
    assert counted is not None
    assert (counted.name, counted.good) == ("request_duration_seconds", 57)
    assert after.bounds(counted.name) == (0.05, 0.1)


@pytest.mark.parametrize("body", [b'"# TYPE a counter\\na 1"', b"\xff\xfe", b"{", b"a{b= 1"])
def test_what_is_no_exposition_holds_nothing(body: bytes) -> None:
    assert exposition(Reply(status=200, headers={"content-type": "text/plain"}, body=body)).types == {}


def test_open_metrics_are_read_as_such() -> None:
    reply = text(
        "# TYPE predictions counter",
        "predictions_total 3.0",
        "# EOF",
        media_type="application/openmetrics-text; version=1.0.0",
    )
    assert exposition(reply).total("predictions_total") == 3


def test_counts_that_fall_show_workers_that_count_apart() -> None:
    def scrape(*values: int) -> Reply:
        lines = [f'requests_total{{worker="{number}"}} {value}' for number, value in enumerate(values)]
        return text("# TYPE requests_total counter", *lines, "# TYPE queue gauge", f"queue {values[0] % 2}")

    assert never_falls([exposition(scrape(3)), exposition(scrape(4)), exposition(scrape(4, 1))])
    assert not never_falls([exposition(scrape(3)), exposition(scrape(1))])
    assert not never_falls([exposition(scrape(3, 1)), exposition(scrape(3))])
