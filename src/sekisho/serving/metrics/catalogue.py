"""Every metric of a service.

Nothing that a caller sends becomes a label: how many series a version of a model has is known before the first request, and of versions that
are served no more only the last ones are kept (see :mod:`~sekisho.serving.metrics.cells`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from sekisho.serving.metrics.cells import Family
from sekisho.serving.problems import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.artifact.signature import Signature

LATENCY_BUCKETS: Final = (*(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),)
"""Seconds."""
PROBABILITY_BUCKETS: Final = tuple(round(0.05 * step, 2) for step in range(1, 21))
MOST_CLASSES: Final = 100
"""A model with more classes is counted without regard to the class."""
STATUSES: Final = ("success", "rejected", "error")
"""What became of a prediction: answered, refused for what the caller sent, failed for what happened here."""
FLAGS: Final = ("out_of_range", "unseen_category", "null")
_COUNTERS: Final = {
    "ml_ledger_written": "Predictions written to the book of predictions.",
    "ml_ledger_dropped": "Predictions that the book of predictions could not take.",
    "ml_log_lines_dropped": "Log lines about single requests that were not written.",
    "ml_rate_store_failures": "Times that the store of limits over machines did not answer.",
    "ml_model_restarts": "Model processes that were killed or died.",
    "ml_worker_starts": "Worker processes that were started.",
    "ml_cpu_seconds": "Processor time of the workers.",
}
GAUGES: Final = {
    "ml_requests_waiting": "Requests that wait for the model.",
    "ml_worker_ready": "Workers that are ready.",
    "ml_worker_resident_memory_bytes": "Resident memory of the workers together.",
    "ml_connections": "Open connections.",
    "ml_ledger_down": "Workers that cannot write the book of predictions.",
    "ml_certificate_ends_timestamp_seconds": "When the certificate of the service ends, Unix time; 0 where it has none.",
}
"""What is true now, and must not outlive a worker."""
MODEL_GAUGES: Final = ("ml_model_ready", "ml_model_info", "ml_batch_rows_most")
"""The same of one version of a model."""
_MODEL: Final = ("model", "model_version")


def of_service() -> tuple[Family, ...]:
    """Return the metrics of a worker that have nothing to do with what is asked."""
    return (
        *(Family(name=name, kind="counter", help=words) for name, words in _COUNTERS.items()),
        *(Family(name=name, kind="gauge", help=words, merge=_merge(name)) for name, words in GAUGES.items()),
    )


def of_requests(routes: Sequence[str]) -> tuple[Family, ...]:
    """Return the metrics of requests.

    Args:
        routes: The paths that are answered; all others are counted as ``other``.

    """
    codes = sorted({200, *(kind.status for kind in KINDS.values())})
    return (
        Family(
            name="ml_http_requests",
            kind="counter",
            help="Requests by route and HTTP status.",
            labels=("route", "status"),
            values=tuple((route, str(code)) for route in (*routes, "other") for code in codes),
            sparse=True,
        ),
        Family(
            name="ml_problems",
            kind="counter",
            help="Requests that were not answered as asked, by the code of the problem.",
            labels=("code",),
            values=tuple((code,) for code in sorted(KINDS)),
        ),
    )


def of_model(signature: Signature, *, name: str, version: str, info: dict[str, str]) -> tuple[Family, ...]:
    """Return the metrics of one version of a model.

    Args:
        signature: What it takes and gives.
        name: What callers call it.
        version: Its version.
        info: What is known of it, as labels.

    """
    mine = (name, version)
    return (
        Family(
            name="ml_predictions",
            kind="counter",
            help="Predictions by model, version and what became of them.",
            labels=(*_MODEL, "status"),
            values=tuple((*mine, status) for status in STATUSES),
        ),
        Family(
            name="ml_prediction_latency_seconds",
            kind="histogram",
            help="Time from the first byte of a prediction request to its answer.",
            labels=_MODEL,
            values=(mine,),
            buckets=LATENCY_BUCKETS,
        ),
        Family(
            name="ml_prediction_value",
            kind="histogram",
            help=(
                "What was predicted: a number, or the probability of the second class of two, else of the class that was predicted."
                " Stays empty where a model gives several answers a row."
            ),
            labels=_MODEL,
            values=(mine,),
            buckets=_value_buckets(signature),
        ),
        Family(
            name="ml_predictions_by_class",
            kind="counter",
            help="Predictions by class.",
            labels=(*_MODEL, "class"),
            values=tuple((*mine, label) for label in class_labels(signature)),
        ),
        Family(
            name="ml_prediction_flags",
            kind="counter",
            help="Values that the model does not know, by feature.",
            labels=(*_MODEL, "feature", "flag"),
            values=tuple((*mine, feature, flag) for feature in signature.names for flag in FLAGS),
        ),
        Family(
            name="ml_model_runs",
            kind="counter",
            help="Times that the model was asked, whatever the number of rows.",
            labels=_MODEL,
            values=(mine,),
        ),
        Family(
            name="ml_batch_rows_most",
            kind="gauge",
            help="Rows of several requests that are run as one batch at most; 1: each request is run by itself.",
            labels=_MODEL,
            values=(mine,),
            merge="max",
        ),
        Family(
            name="ml_model_ready",
            kind="gauge",
            help="Workers in which this version answers its name.",
            labels=_MODEL,
            values=(mine,),
        ),
        Family(
            name="ml_model_info",
            kind="gauge",
            help="The model that answers: 1 while this version does.",
            labels=tuple(info),
            values=(tuple(info.values()),),
            merge="max",
        ),
    )


def _merge(gauge: str) -> Literal["sum", "max"]:
    return "max" if gauge.endswith("_timestamp_seconds") else "sum"


def class_labels(signature: Signature) -> tuple[str, ...]:
    """Return the classes as label values; none for a regressor or a model with too many."""
    classes = signature.output.classes or ()
    return tuple(map(str, classes)) if len(classes) <= MOST_CLASSES else ()


def _value_buckets(signature: Signature) -> tuple[float, ...]:
    output = signature.output
    if output.outputs or output.task != "regression":
        return PROBABILITY_BUCKETS
    low, high = output.minimum, output.maximum
    buckets: tuple[float, ...] = (0.0,)
    if low is not None and high is not None and low < high:
        buckets = tuple(float(f"{edge:.6g}") for edge in np.linspace(low, high, 21))
    return tuple(dict.fromkeys(buckets))
