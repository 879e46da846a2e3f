"""The text that Prometheus reads: this service's cells over all workers, and whatever its companions have written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from sekisho.serving.metrics.cells import Family, Layout, add_up

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

MEDIA_TYPE = CONTENT_TYPE_LATEST.encode()


class Exposition:
    """Renders the metrics of one service.

    Args:
        folder: Where the cells lie, and the files of companions that use prometheus_client's multiprocess mode.
        layout: Where each series is.

    """

    def __init__(self, folder: Path, layout: Layout) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_CellCollector(folder, layout))
        MultiProcessCollector(self._registry, path=str(folder))  # type: ignore[no-untyped-call]

    def render(self) -> bytes:
        """Return the text."""
        return generate_latest(self._registry)


class _CellCollector(Collector):
    def __init__(self, folder: Path, layout: Layout) -> None:
        self._folder = folder
        self._layout = layout

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        sums, largest = add_up(self._folder, self._layout)
        for family in self._layout.families:
            cells = largest if family.merge == "max" else sums
            yield _metric(family, self._layout.places(family.name), cells)


def _metric(family: Family, places: object, cells: NDArray[np.float64]) -> Metric:
    assert isinstance(places, dict)
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for values, first in places.items():
            histogram.add_metric(values, *_buckets(family, cells[first : first + family.width]))
        return histogram
    if family.kind == "gauge":
        gauge = GaugeMetricFamily(family.name, family.help, labels=family.labels)
        for values, place in places.items():
            gauge.add_metric(values, float(cells[place]))
        return gauge
    counter = CounterMetricFamily(family.name, family.help, labels=family.labels)
    for values, place in places.items():
        # A series that appears with its first count hides that count from every rate: only sparse ones are left out while empty.
        if cells[place] or not family.sparse:
            counter.add_metric(values, float(cells[place]))
    return counter


def _buckets(family: Family, cells: NDArray[np.float64]) -> tuple[list[tuple[str, float]], float]:
    total = 0.0
    buckets = []
    for bound, count in zip((*map(_bound, family.buckets), "+Inf"), cells[:-1], strict=True):
        total += float(count)
        buckets.append((bound, total))
    return buckets, float(cells[-1])


def _bound(bound: float) -> str:
    return repr(float(bound))
