"""What the watcher has seen, as Prometheus gauges that every worker's ``/metrics`` shows.

The watcher is one process of its own beside the workers. ``prometheus_client`` in multiprocess mode (``PROMETHEUS_MULTIPROC_DIR``) gives
each process files to write its values to, and any worker that is scraped reads the files of all. Of several watchers, one after the
other, the most recent value counts. The library looks at the variable when it is first imported, hence the import where it is used.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sekisho.errors import WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    from prometheus_client import Gauge

    from sekisho.watch.drift.report import DriftReport

FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"


class DriftGauges:
    """The gauges of drift of one model.

    Args:
        model: What callers call it.

    Raises:
        WrongUse: ``PROMETHEUS_MULTIPROC_DIR`` does not name a folder.

    """

    def __init__(self, model: str) -> None:
        if not Path(os.environ.get(FOLDER_VARIABLE) or "/nowhere").is_dir():
            raise WrongUse(
                Text(
                    en=f"{FOLDER_VARIABLE} does not name a folder", ja=f"{FOLDER_VARIABLE} がフォルダーを指していません"
                ),
                Text(
                    en="sekisho serve sets it for the watcher it starts", ja="sekisho serve から起動すると設定されます"
                ),
            )
        from prometheus_client import CollectorRegistry, Gauge

        registry = CollectorRegistry()

        self._model = model

        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(name, meaning, ("model", *labels), registry=registry, multiprocess_mode="mostrecent")

        self._effect = gauge("ml_drift_effect", "Change of a feature against the reference, 0 (none) to 1.", "feature")
        self._detected = gauge("ml_drift_detected", "Whether a feature drifted: certain and large enough.", "feature")
        self._columns = gauge("ml_drift_columns_drifted", "Features that drifted.")
        self._rows = gauge("ml_drift_window_rows", "Rows in the window that was judged last.")
        self._evaluated = gauge("ml_drift_last_evaluated_timestamp_seconds", "When drift was judged last, Unix time.")

    def publish(self, report: DriftReport, *, rows: int, at: float) -> None:
        """Write down what one look has seen.

        Args:
            report: The report on them.
            rows: Rows in the window.
            at: The moment of the look, Unix time.

        """
        self._rows.labels(model=self._model).set(rows)
        self._evaluated.labels(model=self._model).set(at)
        for column in report.columns:
            if column.kind is not None:
                self._effect.labels(model=self._model, feature=column.name).set(column.effect)
                self._detected.labels(model=self._model, feature=column.name).set(column.detected)
        self._columns.labels(model=self._model).set(len(report.drifted))
