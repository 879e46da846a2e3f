"""What one worker counts while it answers."""

from __future__ import annotations

import os
import resource
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from sekisho.predict.answers import MANY
from sekisho.serving.metrics.catalogue import GAUGES, class_labels, of_requests, of_service
from sekisho.serving.metrics.cells import Cells, Layout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from sekisho.artifact.signature import Signature
    from sekisho.predict.answers import Confidence, Prediction
    from sekisho.predict.scrutiny import Flag

OTHER: Final = "other"
"""The route of requests that go nowhere."""


class Tally:
    """Counts what a worker does, whichever model is asked. For the event loop's thread, except where it says otherwise.

    Args:
        folder: Where the workers count.
        worker: The number of this one.

    """

    def __init__(self, folder: Path, worker: int) -> None:
        self._folder = folder
        self._worker = worker
        self._cells = Cells(folder, "service", worker, Layout(of_service()))
        self._requests: Mapping[tuple[str, int], int] = {}
        self._values = self._cells.values
        single = (
            "ml_ledger_written",
            "ml_ledger_dropped",
            "ml_log_lines_dropped",
            "ml_model_restarts",
            "ml_rate_store_failures",
        )
        more = ("ml_worker_starts", "ml_cpu_seconds", *GAUGES)
        self._single = {name: next(iter(self._cells.counter(name).values())) for name in (*single, *more)}
        self._values[self._single["ml_worker_starts"]] += 1.0
        self._cpu = 0.0
        self._adding = threading.Lock()

    def know(self, routes: Sequence[str]) -> None:
        """Count requests to these paths from now on, and all others as ``other``; to be called once."""
        cells = Cells(self._folder, "requests", self._worker, Layout(of_requests(routes)))
        counted = cells.counter("ml_http_requests")
        self._requests = {(route, int(status)): place for (route, status), place in counted.items()}
        self._problems = cells.counter("ml_problems")
        self._counts = cells.values

    def request(self, route: str, status: int, code: str | None) -> None:
        """Count a request and its answer."""
        place = self._requests.get((route, status))
        if place is None:
            place = self._requests[OTHER, status if (OTHER, status) in self._requests else 500]
        self._counts[place] += 1.0
        if code is not None:
            self._counts[self._problems[(code,)]] += 1.0

    def add(self, name: str, amount: float) -> None:
        """Add to a counter without labels. For any thread."""
        with self._adding:
            self._values[self._single[name]] += amount

    def set(self, name: str, value: float) -> None:
        """Set a gauge without labels."""
        self._values[self._single[name]] = value

    def measure(self) -> None:
        """Note the memory and the processor time of this process."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        used = usage.ru_utime + usage.ru_stime
        self.add("ml_cpu_seconds", used - self._cpu)
        self._cpu = used
        self.set("ml_worker_resident_memory_bytes", resident_bytes())


class ModelTally:
    """Counts what one version of a model answers. For the event loop's thread.

    Args:
        cells: The cells.
        signature: Says what answers look like.
        name: What callers call the model.
        version: Its version.

    """

    def __init__(self, cells: Cells, signature: Signature, name: str, version: str) -> None:
        self._cells = cells.values
        mine = (name, version)
        predictions = cells.counter("ml_predictions")
        self._outcomes = {status: predictions[(*mine, status)] for status in ("success", "rejected", "error")}
        self._latency = cells.histogram("ml_prediction_latency_seconds", mine)
        self._value = cells.histogram("ml_prediction_value", mine)
        labels = class_labels(signature)
        by_class = cells.counter("ml_predictions_by_class")
        self._classes = {
            label: by_class[(*mine, shown)]
            for shown, label in zip(labels, signature.output.classes or (), strict=False)
        }
        self._is_binary = signature.output.task == "binary"
        self._is_several = bool(signature.output.outputs)
        self._is_regression = signature.output.task == "regression"
        self._flags = {place[2:]: cell for place, cell in cells.counter("ml_prediction_flags").items()}
        self._runs = cells.counter("ml_model_runs")[mine]
        self._most = cells.counter("ml_batch_rows_most")[mine]
        self._ready = cells.counter("ml_model_ready")[mine]
        self._info = next(iter(cells.counter("ml_model_info").values()))

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
        table: NDArray[np.float64] | None = None,
    ) -> None:
        """Count what was answered; of several answers a row, which no one histogram could hold, only the rows are counted.

        Args:
            predictions: One a row.
            confidence: The probability of each; ``None`` if the model gives none.
            probabilities: Those of all classes, a row; ``None`` if the model gives none.
            table: The same as one array, where there is one.

        """
        if self._is_several:
            return
        many = len(predictions) >= MANY
        stated: Sequence[Any] | NDArray[np.float64] = ()
        if self._is_regression:
            stated = predictions
        elif probabilities is not None and confidence is not None:
            if not self._is_binary:
                stated = confidence
            else:
                stated = [row[1] for row in probabilities] if table is None else table[:, 1]
        if self._classes:
            cells = self._cells
            classes: Mapping[Any, int] = self._classes  # one label a row
            if many:
                for label, rows in Counter(predictions).items():
                    cells[classes[label]] += rows
            else:
                for label in predictions:
                    cells[classes[label]] += 1.0
        if many and len(stated):
            self._value.observe_all(stated)
        else:
            for value in stated:
                self._value.observe(value)

    def flags(self, found: Mapping[int, Sequence[Flag]]) -> None:
        """Count values that the model does not know."""
        for row in found.values():
            for flag in row:
                self._cells[self._flags[flag.feature, flag.code]] += 1.0

    def asked(self) -> None:
        """Count that the model is asked once more."""
        self._cells[self._runs] += 1.0

    def batches(self, most_rows: int) -> None:
        """Note how many rows of several requests are run as one batch at most."""
        self._cells[self._most] = float(most_rows)

    def note(self, *, live: bool, ready: bool) -> None:
        """Note whether the name of the model means this version, and whether it is ready."""
        self._cells[self._info] = float(live)
        self._cells[self._ready] = float(live and ready)


def resident_bytes() -> int:
    """Return the resident memory of this process in bytes; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGESIZE")
