"""The goals of ``PERFORMANCE.md`` against what one run has measured: nothing is said of what the run did not measure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.serving.recipes import FLOOR, OURS, PLAIN

FLOORS = ("floor-asgi", "floor-fastapi")

Words = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One goal.

    Attributes:
        title: What is wanted, by language.
        goal: The bound, with its sign.
        measured: The figure, in words.
        met: Whether it keeps the bound.

    """

    title: Words
    goal: str
    measured: str
    met: bool


class Figures:
    """What a run measured on one model."""

    def __init__(self, result: Mapping[str, Any]) -> None:
        self.result = result
        self._cells = {(cell["contestant"], cell["task"], cell["connections"]): cell for cell in result["medians"]}

    def of(self, contestant: str, task: str, connections: int, figure: str = "per_second") -> float | None:
        """Return one figure; ``None`` where it was not measured."""
        cell = self._cells.get((contestant, task, connections))
        return None if cell is None else float(cell[figure])

    def best_peer(self, task: str, connections: int) -> tuple[str, float] | None:
        """Return the fastest peer and its rate; ``None`` where no peer was measured."""
        peers = [name for name in self.result["contestants"] if name not in {OURS, PLAIN, *FLOORS}]
        rates = [(name, rate) for name in peers if (rate := self.of(name, task, connections)) is not None]
        return max(rates, key=lambda pair: pair[1], default=None)

    def fact(self, name: str) -> float | None:
        """Return a fact about our own service; of several starts the median."""
        facts = self.result["contestants"].get(OURS, {})
        if name not in facts:
            return None
        return float(statistics.median(facts[name]) if isinstance(facts[name], list) else facts[name])


def goals(whole: Mapping[str, Any]) -> list[Goal]:
    """Return every goal for which the run has the figures."""
    by_model = {result["model"]: Figures(result) for result in whole["models"]}
    found: list[Goal] = []
    if "forest" in by_model:
        found += _single(by_model["forest"], "forest", times_plain=200, times_peer=140)
        found += _forest(by_model["forest"])
    if "logistic" in by_model:
        found += _single(by_model["logistic"], "logistic", times_plain=20, times_peer=50)
    return found


def _single(figures: Figures, model: str, *, times_plain: float, times_peer: float) -> Iterator[Goal]:
    """Yield the ratios at 16 connections."""
    words = {"forest": ("forest", "フォレスト"), "logistic": ("logistic regression", "ロジスティック回帰")}[model]
    ours, plain = figures.of(OURS, "single", 16), figures.of(PLAIN, "single", 16)
    peer = figures.best_peer("single", 16)
    if ours and plain:
        title = {"en": f"{words[0]}, 16 connections, times plain FastAPI", "ja": f"{words[1]}、16接続、素の FastAPI 比"}
        yield _at_least(title, times_plain, ours / plain, lambda value: f"{value:,.0f}×")
    if ours and peer:
        title = {
            "en": f"{words[0]}, 16 connections, times the best peer ({peer[0]})",
            "ja": f"{words[1]}、16接続、最速の他サーバー（{peer[0]}）比",
        }
        yield _at_least(title, times_peer, ours / peer[1], lambda value: f"{value:,.0f}×")


def _forest(figures: Figures) -> Iterator[Goal]:
    ours, echo = figures.of(OURS, "single", 16), figures.of(FLOOR, "single", 16)
    late, echo_late = figures.of(OURS, "single", 16, "p99_ms"), figures.of(FLOOR, "single", 16, "p99_ms")
    if ours:
        title = {"en": "forest, 16 connections, one worker", "ja": "フォレスト、16接続、ワーカー1つ"}
        yield _at_least(title, 20_000, ours, lambda value: f"{value:,.0f} /s")
    if ours and echo:
        title = {"en": "the same, part of the empty echo on raw ASGI", "ja": "同上、空エコー（生の ASGI）に対する割合"}
        yield _at_least(title, 0.8, ours / echo, lambda value: f"{value:.0%}")
    if late:
        title = {"en": "p99 at 16 connections", "ja": "16接続での p99"}
        yield _at_most(title, 3.5, late, lambda value: f"{value:.1f} ms")
    if late and echo_late:
        title = {"en": "the same, times the empty echo's", "ja": "同上、空エコー比"}
        yield _at_most(title, 1.6, late / echo_late, lambda value: f"{value:.1f}×")
    batch = figures.of(OURS, "batch", 1)
    if batch:
        title = {"en": "1,000-row batches in JSON", "ja": "1,000行のバッチ、JSON"}
        yield _at_least(title, 190, batch, lambda value: f"{value:,.0f} /s")
    tables = [rate for form in ("arrow", "binary") if (rate := figures.of(OURS, f"batch-{form}", 1)) is not None]
    if tables:
        title = {"en": "1,000-row batches in Arrow or binary", "ja": "1,000行のバッチ、Arrow またはバイナリー"}
        yield _at_least(title, 400, max(tables), lambda value: f"{value:,.0f} /s")
    start, memory = figures.fact("starts"), figures.fact("ready_mebibytes")
    if start:
        title = {"en": "start to the first answer", "ja": "起動から最初の応答まで"}
        yield _at_most(title, 1.0, start, lambda value: f"{value:.2f} s")
    if memory:
        title = {"en": "resident memory of a worker when it is ready", "ja": "準備完了時のワーカーの常駐メモリー"}
        yield _at_most(title, 110, memory, lambda value: f"{value:,.0f} MiB")
    scaled = times_one_worker(figures.result["scaling"])
    if scaled:
        title = {"en": "two workers on two cores, times one on one", "ja": "2コア2ワーカー、1コア1ワーカー比"}
        yield _at_least(title, 1.8, scaled, lambda value: f"{value:.2f}×")


def times_one_worker(scaling: Sequence[Mapping[str, Any]]) -> float | None:
    """Return how many times as fast the workers are as one; ``None`` where that was not measured."""
    rates = {
        workers: [one["per_second"] for one in scaling if one["workers"] == workers]
        for workers in {one["workers"] for one in scaling}
    }
    if len(rates) < 2:
        return None
    return float(statistics.median(rates[max(rates)]) / statistics.median(rates[1]))


def _at_least(title: Words, bound: float, value: float, shown: Callable[[float], str]) -> Goal:
    return Goal(title=title, goal=f"≥ {shown(bound)}", measured=shown(value), met=value >= bound)


def _at_most(title: Words, bound: float, value: float, shown: Callable[[float], str]) -> Goal:
    return Goal(title=title, goal=f"≤ {shown(bound)}", measured=shown(value), met=value <= bound)
