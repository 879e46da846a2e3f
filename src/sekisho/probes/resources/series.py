"""Reading what a service exposes for Prometheus, and finding the counter that counts predictions, whatever its name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from sekisho.probes.wire.message import Reply

Labels = tuple[tuple[str, str], ...]

_STATUS_LABELS: Final = {"status", "code", "status_code", "status_class", "outcome", "result", "http_status"}
_ERROR_WORDS: Final = ("error", "fail", "invalid", "reject", "client", "refus")
_OWN: Final = ("process_", "python_")


@dataclass(frozen=True, kw_only=True, slots=True)
class Exposition:
    """One scrape.

    Attributes:
        types: The type of each family, by name as it was exposed.
        samples: The value of each series, by name and labels.

    """

    types: Mapping[str, str]
    samples: Mapping[tuple[str, Labels], float]

    def total(self, name: str) -> float:
        """Return the sum of all series of ``name``."""
        return sum(value for (sample, _), value in self.samples.items() if sample == name)

    def bounds(self, histogram: str) -> tuple[float, ...]:
        """Return the finite upper bounds of a histogram, ascending."""
        found = {
            float(value)
            for (sample, labels), _ in self.samples.items()
            if sample == f"{histogram}_bucket"
            for name, value in labels
            if name == "le" and value != "+Inf"
        }
        return tuple(sorted(found))


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """How many predictions were sent: right ones, and wrong ones."""

    good: int
    bad: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """By how much a metric rose.

    Attributes:
        name: The name of the series (a counter) or the family (a histogram).
        good: For right predictions, or for all where it does not tell them apart.
        bad: For wrong ones; ``None`` where nothing tells.
        by_itself: Whether it tells them apart by its own labels, not another counter beside it.

    """

    name: str
    good: int
    bad: int | None
    by_itself: bool = True


def exposition(reply: Reply) -> Exposition:
    """Return what Prometheus' own parser makes of ``reply``; nothing when it makes nothing of it."""
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
    from prometheus_client.parser import text_string_to_metric_families as plain

    parse = openmetrics if reply.media_type == "application/openmetrics-text" else plain
    types: dict[str, str] = {}
    samples: dict[tuple[str, Labels], float] = {}
    if not reply.ok:
        return Exposition(types=types, samples=samples)
    try:
        for family in parse(reply.body.decode("utf-8")):
            types[family.name] = family.type
            for sample in family.samples:
                samples[sample.name, tuple(sorted(sample.labels.items()))] = float(sample.value)
    except (ValueError, KeyError, IndexError, UnicodeDecodeError):  # what the parser raises on what is no exposition
        return Exposition(types={}, samples={})
    return Exposition(types=types, samples=samples)


def counted_by_counter(before: Exposition, after: Exposition, sent: Sent, route: str) -> Counted | None:
    """Return by how much the counter rose that fits best what was sent; ``None`` when none rose.

    Args:
        before: The scrape before.
        after: The scrape after.
        sent: What was sent between them.
        route: Where it was sent; series that name other routes do not count.

    """
    rises = _rises(before, after, "counter", route)
    if not rises:
        return None
    candidates = [_counted(name, series, rises, sent) for name, series in rises.items()]
    return min(candidates, key=lambda counted: _preference(counted, sent))


def _counted(
    name: str, series: Mapping[Labels, float], rises: Mapping[str, Mapping[Labels, float]], sent: Sent
) -> Counted:
    wrong = sum(rise for labels, rise in series.items() if _tells_error(labels))
    right = sum(series.values()) - wrong
    if wrong:
        return Counted(name=name, good=round(right), bad=round(wrong))
    # a counter of its own for what went wrong, beside one for what went right or for all
    apart = any(other != name and round(sum(each.values())) == sent.bad for other, each in rises.items())
    everything = round(right) == sent.good + sent.bad
    if apart:
        return Counted(name=name, good=round(right) - (sent.bad if everything else 0), bad=sent.bad, by_itself=False)
    return Counted(name=name, good=sent.good if everything else round(right), bad=None if everything else 0)


def _preference(counted: Counted, sent: Sent) -> tuple[float, bool, bool, str]:
    """Order counters: those that fit what was sent, of them those that tell errors by a label, of them those named so."""
    misfit = abs(counted.good - sent.good) + (0.5 if counted.bad is None else abs(counted.bad - sent.bad))
    return misfit, not counted.by_itself, "predict" not in counted.name, counted.name


def _tells_error(labels: Labels) -> bool:
    return any(
        name in _STATUS_LABELS and (value.startswith(("4", "5")) or any(word in value.lower() for word in _ERROR_WORDS))
        for name, value in labels
    )


def counted_by_histogram(before: Exposition, after: Exposition, sent: Sent, route: str) -> Counted | None:
    """Return by how much the count of the latency histogram rose; ``None`` when none of seconds rose."""
    rises = {
        name.removesuffix("_count"): round(sum(series.values()))
        for name, series in _rises(before, after, "histogram", route).items()
        if name.endswith("_count") and any(word in name for word in ("second", "latency", "duration", "time"))
    }
    if not rises:
        return None
    fits = (sent.good, sent.good + sent.bad)
    name = min(rises, key=lambda name: (min(abs(rises[name] - fit) for fit in fits), "predict" not in name, name))
    return Counted(name=name, good=rises[name], bad=None)


def never_falls(scrapes: Sequence[Exposition]) -> bool:
    """Return whether no count is less in a scrape than in the one before, as it is when workers count apart."""
    counts = [_cumulative(scrape, "counter") | _cumulative(scrape, "histogram") for scrape in scrapes]
    return all(later.get(key, 0.0) >= value for earlier, later in pairwise(counts) for key, value in earlier.items())


def _rises(before: Exposition, after: Exposition, kind: str, route: str) -> dict[str, dict[Labels, float]]:
    """Return what rose, by name and labels: of each name only the series of ``route``, where its series name routes."""
    earlier = _cumulative(before, kind)
    found: dict[str, dict[Labels, float]] = defaultdict(dict)
    for (name, labels), value in _cumulative(after, kind).items():
        found[name][labels] = value - earlier.get((name, labels), 0.0)
    for name, series in found.items():
        here = {labels: rise for labels, rise in series.items() if any(value == route for _, value in labels)}
        found[name] = here or series
    return {name: series for name, series in found.items() if any(series.values())}


def _cumulative(scrape: Exposition, kind: str) -> dict[tuple[str, Labels], float]:
    """Return the counters, or the counts of the histograms, that the service itself keeps."""
    families = {name for name, type_ in scrape.types.items() if type_ == kind}
    return {
        (name, labels): value
        for (name, labels), value in scrape.samples.items()
        if name.removesuffix("_total" if kind == "counter" else "_count") in families and not name.startswith(_OWN)
    }
