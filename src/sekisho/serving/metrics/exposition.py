"""The text that Prometheus reads: this service's cells over all workers, and whatever its companions have written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from sekisho.serving.metrics.cells import Family, Layout, add_up, layouts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

MEDIA_TYPE = CONTENT_TYPE_LATEST.encode()


class Exposition:
    """Renders the metrics of one service.

    Args:
        folder: Where the cells lie, and the files of companions that use prometheus_client's multiprocess mode.

    """

    def __init__(self, folder: Path) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_CellCollector(folder))
        MultiProcessCollector(self._registry, path=str(folder))  # type: ignore[no-untyped-call]

    def render(self) -> bytes:
        """Return the text."""
        return generate_latest(self._registry)


class _CellCollector(Collector):
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._layouts: dict[str, Layout] = {}

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        self._layouts = layouts(self._folder, self._layouts)
        found: dict[str, Metric] = {}
        for name, layout in self._layouts.items():
            sums, largest = add_up(self._folder, name, layout)
            for family in layout.families:
                metric = found.setdefault(family.name, _empty(family))
                _fill(metric, family, layout.places(family.name), largest if family.merge == "max" else sums)
        yield from found.values()


def _empty(family: Family) -> Metric:
    kinds: dict[str, type[Any]] = {
        "histogram": HistogramMetricFamily,
        "gauge": GaugeMetricFamily,
        "counter": CounterMetricFamily,
    }
    metric: Metric = kinds[family.kind](family.name, family.help, labels=family.labels)
    return metric


def _fill(metric: Any, family: Family, places: Mapping[tuple[str, ...], int], cells: NDArray[np.float64]) -> None:
    for values, first in places.items():
        if family.kind == "histogram":
            metric.add_metric(values, *_buckets(family, cells[first : first + family.width]))
        # A series that appears with its first count hides that count from every rate: only sparse ones are left out while empty.
        elif cells[first] or not family.sparse:
            metric.add_metric(values, float(cells[first]))


def _buckets(family: Family, cells: NDArray[np.float64]) -> tuple[list[tuple[str, float]], float]:
    total = 0.0
    buckets = []
    for bound, count in zip((*map(_bound, family.buckets), "+Inf"), cells[:-1], strict=True):
        total += float(count)
        buckets.append((bound, total))
    return buckets, float(cells[-1])


def _bound(bound: float) -> str:
    return repr(float(bound))
