"""Run the benchmark: ``python -m benchmarks.serving``; writes JSON, the pages and the picture into benchmarks/results.

The peers are those whose environments have been made: ``python -m benchmarks.serving.environments``.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.serving import recipes
from benchmarks.serving.asking import BATCH, SINGLE
from benchmarks.serving.contestants import Contestant, Recipe, pinned, running
from benchmarks.serving.environments import NAMES, PEERS, python_of, usual_folder, versions_in
from benchmarks.serving.goals import goals
from benchmarks.serving.measure import Cell, measure, medians, need_wrk
from benchmarks.serving.models import MODELS, Subject
from benchmarks.serving.others import peers
from benchmarks.serving.page import write_pages

from sekisho.gate.machine import machine_facts, versions

RESULTS = Path(__file__).parents[1] / "results"
CONNECTIONS = {"forest": (1, 16, 64), "logistic": (16,), "employment": (1, 16, 64)}
"""How many ask at once, by model."""
WITH_PEERS = ("forest", "logistic")
WITH_ALL_LOADS = ("forest", "employment")
"""On the others only single rows are asked, and only of those who stay up."""
WORKERS, MANY_CONNECTIONS = 2, 64
LIBRARIES = ("fastapi", "uvicorn", "httptools", "uvloop", "msgspec", "pyarrow")
QUIET = 0.5


def main() -> None:
    """Measure, write, and print the ratios."""
    options = _options()
    need_wrk()
    load = os.getloadavg()[0]
    if load > QUIET:
        print(f"note: the machine is busy (load {load:.1f}); ratios hold better than figures", file=sys.stderr)
    missing = [name for name in options.peers if python_of(options.environments, name) is None]
    for name in missing:
        print(f"note: {name} is left out: python -m benchmarks.serving.environments {name}", file=sys.stderr)
    begun = dt.datetime.now(dt.UTC)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        results = [Run(MODELS[model](Path(name)), Path(name), options).result() for model in options.models]
    whole: dict[str, Any] = {
        "at": begun.isoformat(timespec="seconds"),
        "minutes": round((dt.datetime.now(dt.UTC) - begun).total_seconds() / 60, 1),
        "command": f"python -m benchmarks.serving --rounds {options.rounds} --seconds {options.seconds}",
        "machine": machine_facts() | {"load_before": f"{load:.1f}"},
        "versions": versions() | {library: version(library) for library in LIBRARIES},
        "peers": {name: versions_in(options.environments, name) for name in options.peers if name not in missing},
        "missing": [*missing, *(name for name in NAMES if name not in options.peers)],
        "models": results,
    }
    whole["goals"] = [asdict(goal) for goal in goals(whole)]
    options.results.mkdir(exist_ok=True, parents=True)
    (options.results / "serving.json").write_text(json.dumps(whole, indent=1) + "\n")
    write_pages(whole, options.results)
    for goal in whole["goals"]:
        print(f"{'met    ' if goal['met'] else 'NOT met'} {goal['title']['en']}: {goal['measured']}")


def _options() -> argparse.Namespace:
    def names(words: str) -> tuple[str, ...]:
        return tuple(word for word in words.split(",") if word)

    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--models", type=names, default=tuple(MODELS), help=",".join(MODELS))
    parser.add_argument("--peers", type=names, default=NAMES, help=f"which of {','.join(NAMES)}; '' for none")
    parser.add_argument("--environments", type=Path, default=usual_folder(), metavar="FOLDER")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    return parser.parse_args()


class Run:
    """All contestants on one model.

    Args:
        subject: The model.
        folder: A scratch folder.
        options: Of the command line.

    """

    def __init__(self, subject: Subject, folder: Path, options: argparse.Namespace) -> None:
        self.subject, self.folder, self.options = subject, folder, options
        cores = [str(core) for core in sorted(os.sched_getaffinity(0))]
        apart = len(cores) > 1
        self.server: str | None = cores[0] if apart else None
        self.client: str | None = cores[1] if apart else None
        self.both: str | None = ",".join(cores[:2]) if apart else None
        self.cells: list[Cell] = []
        self.facts: dict[str, dict[str, Any]] = {}
        self.failed: dict[str, str] = {}

    def result(self) -> dict[str, Any]:
        """Measure, and return all that was."""
        subject, options = self.subject, self.options
        others = peers(subject, self.folder, options.environments, options.peers) if subject.name in WITH_PEERS else ()
        if subject.name not in WITH_ALL_LOADS:
            others = tuple(recipe for recipe in others if not recipe.restless)
        everybody = [recipes.ours(subject, self.folder), recipes.plain(subject), *recipes.floors(subject), *others]
        in_process = self._in_process()
        with contextlib.ExitStack() as stack:
            there: dict[str, Contestant] = {}
            for recipe in everybody:
                with self._leaving_out(recipe):
                    if not recipe.restless:
                        there[recipe.name] = stack.enter_context(self._running(recipe))
                        self._warm(there[recipe.name])
            for number in range(options.rounds):
                self._round(number, [there.get(recipe.name, recipe) for recipe in everybody])
            for contestant in there.values():
                self.facts[contestant.name] |= _memory(contestant)
        measured = [recipe.name for recipe in everybody if recipe.name not in self.failed]
        cells = [cell for cell in self.cells if cell.contestant in measured]
        scaling = self._scaling() if subject.name == "forest" else []
        return {
            "model": subject.name,
            "title": subject.title,
            "contestants": {name: self.facts[name] for name in measured},
            "failed": self.failed,
            "in_process": in_process,
            "medians": [asdict(cell) for cell in medians(cells)],
            "rounds": [asdict(cell) for cell in cells],
            "scaling": scaling,
        }

    def _round(self, number: int, everybody: Sequence[Contestant | Recipe]) -> None:
        """Give everybody their turn at every load; who works unasked runs only in its turn, and has all its loads at once."""
        plan = [(SINGLE, count) for count in CONNECTIONS[self.subject.name]]
        if self.subject.name in WITH_ALL_LOADS:
            plan.append((BATCH, 1))
        for task, count in plan:
            for each in everybody:
                if isinstance(each, Contestant) and each.name not in self.failed:
                    with self._leaving_out(each.recipe):
                        self._turn(number, each, task, count)
        for each in everybody:
            if isinstance(each, Recipe) and each.name not in self.failed:
                with self._leaving_out(each), self._running(each) as contestant:
                    self._warm(contestant)
                    for task, count in plan:
                        self._turn(number, contestant, task, count)
                    self.facts[each.name] |= _memory(contestant)

    @contextlib.contextmanager
    def _leaving_out(self, recipe: Recipe) -> Iterator[None]:
        """Let the others go on without a peer that does not start, or does not answer rightly; the page says so."""
        try:
            yield
        except SystemExit as reason:
            if recipe.name not in NAMES:
                raise
            self.failed[recipe.name] = str(reason).split("\n", 1)[0][:200]
            print(f"note: {recipe.name} is left out: {self.failed[recipe.name]}", file=sys.stderr)

    def _turn(self, number: int, contestant: Contestant, kind: str, connections: int) -> None:
        tasks = [task for task in contestant.recipe.tasks if task == kind or (kind == BATCH and task.startswith(BATCH))]
        for task in tasks:
            cell = measure(
                contestant,
                self.folder,
                task=task,
                connections=connections,
                seconds=self.options.seconds,
                cores=self.client,
            )
            self.cells.append(cell)
            print(
                f"{self.subject.name} {number + 1}/{self.options.rounds} {cell.contestant} {task} c{connections}:"
                f" {cell.per_second:,.1f} /s, p99 {cell.p99_ms:.2f} ms, CPU {cell.cpu_us:.1f} µs",
                file=sys.stderr,
                flush=True,
            )

    @contextlib.contextmanager
    def _running(self, recipe: Recipe) -> Iterator[Contestant]:
        with running(recipe, cores=self.server) as contestant:
            facts = self.facts.setdefault(recipe.name, {"title": recipe.title, "starts": []})
            facts["starts"].append(round(contestant.start_seconds, 2))
            facts["ready_mebibytes"] = round(contestant.ready_mebibytes, 1)
            yield contestant

    def _warm(self, contestant: Contestant) -> None:
        """Ask once without counting: caches, lazy imports."""
        measure(contestant, self.folder, task=SINGLE, connections=16, seconds=1, cores=self.client)

    def _in_process(self) -> dict[str, dict[str, float]]:
        """Return how often a second the model answers without any wire."""
        import joblib
        import pandas as pd

        rows = self.folder / f"{self.subject.name}.rows"
        joblib.dump(pd.DataFrame(list(self.subject.many), columns=list(self.subject.columns)), rows)
        graph = next(iter(sorted(self.subject.artifact.rglob("*.onnx"))), None) if self.subject.numeric else None
        words = (str(self.subject.pickle), str(rows), str(graph or "-"), "0.5")
        ended = subprocess.run(
            [*pinned(self.server), sys.executable, str(PEERS / "in_process.py"), *words],
            capture_output=True,
            text=True,
            check=True,
        )
        found: dict[str, dict[str, float]] = json.loads(ended.stdout)
        return found

    def _scaling(self) -> list[dict[str, Any]]:
        """Measure one worker on one core and two on two, each sharing its cores with the generator that loads it.

        So the generator takes its part of the processor on both sides, and what it costs does not count for either.
        """
        if self.both is None:
            return []
        found = []
        with contextlib.ExitStack() as stack:
            places = []
            for workers, cores in ((1, self.server), (WORKERS, self.both)):
                recipe = recipes.ours(self.subject, self.folder, workers=workers)
                places.append((workers, cores, stack.enter_context(running(recipe, cores=cores))))
            for number in range(self.options.rounds + 1):
                for workers, cores, contestant in places:
                    cell = measure(
                        contestant,
                        self.folder,
                        task=SINGLE,
                        connections=MANY_CONNECTIONS * workers,
                        seconds=self.options.seconds,
                        cores=cores,
                        threads=workers,
                    )
                    print(f"scaling {workers}: {cell.per_second:,.0f} /s", file=sys.stderr, flush=True)
                    if number:  # the first warms up
                        found.append({"workers": workers, **asdict(cell)})
        return found


def _memory(contestant: Contestant) -> dict[str, float]:
    return {
        "resident_mebibytes": round(contestant.resident_mebibytes(), 1),
        "whole_mebibytes": round(contestant.whole_mebibytes(), 1),
        "processes": len(contestant.processes),
    }


if __name__ == "__main__":
    main()
