"""What one worker counts while it answers."""

from __future__ import annotations

import os
import resource
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from sekisho.predict.answers import MANY
from sekisho.serving.metrics.catalogue import GAUGES, class_labels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sekisho.artifact.signature import Signature
    from sekisho.predict.answers import Confidence, Prediction
    from sekisho.predict.scrutiny import Flag
    from sekisho.serving.metrics.cells import Cells

OTHER: Final = "other"
"""The route of requests that go nowhere."""


class Tally:
    """Counts into the cells of one worker. For the event loop's thread, except where it says otherwise.

    Args:
        cells: The cells.
        signature: Says what answers look like.
        version: The model's version.

    """

    def __init__(self, cells: Cells, signature: Signature, version: str) -> None:
        self._cells = cells.values
        cells.clear(tuple(GAUGES))
        predictions = cells.counter("ml_predictions")
        self._outcomes = {status: predictions[version, status] for status in ("success", "rejected", "error")}
        self._latency = cells.histogram("ml_prediction_latency_seconds")
        self._value = cells.histogram("ml_prediction_value")
        labels = class_labels(signature)
        by_class = cells.counter("ml_predictions_by_class")
        self._classes = {
            label: by_class[(name,)] for name, label in zip(labels, signature.output.classes or (), strict=False)
        }
        self._is_binary = signature.output.task == "binary"
        self._is_several = bool(signature.output.outputs)
        self._is_regression = signature.output.task == "regression"
        self._flags = cells.counter("ml_prediction_flags")
        self._requests = {
            (route, int(status)): place for (route, status), place in cells.counter("ml_http_requests").items()
        }
        self._problems = cells.counter("ml_problems")
        single = (
            "ml_ledger_written",
            "ml_ledger_dropped",
            "ml_log_lines_dropped",
            "ml_model_runs",
            "ml_model_restarts",
            "ml_rate_store_failures",
        )
        more = ("ml_worker_starts", "ml_cpu_seconds", "ml_model_info", *GAUGES)
        self._single = {name: next(iter(cells.counter(name).values())) for name in (*single, *more)}
        self._cells[self._single["ml_worker_starts"]] += 1.0
        self._cells[self._single["ml_model_info"]] = 1.0
        self._cpu = 0.0

    def request(self, route: str, status: int, code: str | None) -> None:
        """Count a request and its answer."""
        place = self._requests.get((route, status))
        if place is None:
            place = self._requests[OTHER, status if (OTHER, status) in self._requests else 500]
        self._cells[place] += 1.0
        if code is not None:
            self._cells[self._problems[(code,)]] += 1.0

    def predictions(self, outcome: Literal["success", "rejected", "error"], rows: int, seconds: float) -> None:
        """Count a prediction request.

        Args:
            outcome: What became of it.
            rows: How many rows it had; 1 if nobody knows.
            seconds: From its first byte to its answer.

        """
        self._cells[self._outcomes[outcome]] += rows
        self._latency.observe(seconds)

    def answers(
        self,
        predictions: Sequence[Prediction],
        confidence: Sequence[Confidence] | None,
        probabilities: Sequence[Sequence[float]] | None,
    ) -> None:
        """Count what was answered; of several answers a row, which no one histogram could hold, only the rows are counted."""
        if self._is_several:
            return
        many = len(predictions) >= MANY
        stated: Sequence[Any] = ()
        if self._is_regression:
            stated = predictions
        elif probabilities is not None and confidence is not None:
            stated = [row[1] for row in probabilities] if self._is_binary else confidence
        if self._classes:
            cells = self._cells
            classes: Mapping[Any, int] = self._classes  # one label a row
            if many:
                for label, rows in Counter(predictions).items():
                    cells[classes[label]] += rows
            else:
                for label in predictions:
                    cells[classes[label]] += 1.0
        if many and stated:
            self._value.observe_all(stated)
        else:
            for value in stated:
                self._value.observe(value)

    def flags(self, found: Mapping[int, Sequence[Flag]]) -> None:
        """Count values that the model does not know."""
        for row in found.values():
            for flag in row:
                self._cells[self._flags[flag.feature, flag.code]] += 1.0

    def add(self, name: str, amount: float) -> None:
        """Add to a counter without labels. One thread a counter."""
        self._cells[self._single[name]] += amount

    def set(self, name: str, value: float) -> None:
        """Set a gauge without labels."""
        self._cells[self._single[name]] = value

    def measure(self) -> None:
        """Note the memory and the processor time of this process."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        used = usage.ru_utime + usage.ru_stime
        self.add("ml_cpu_seconds", used - self._cpu)
        self._cpu = used
        self.set("ml_worker_resident_memory_bytes", resident_bytes())


def resident_bytes() -> int:
    """Return the resident memory of this process in bytes; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGESIZE")
