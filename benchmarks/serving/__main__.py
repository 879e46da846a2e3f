"""Run the benchmark: ``python -m benchmarks.serving [--rounds N] [--seconds N]``; writes JSON and a page into benchmarks/results."""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import os
import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.serving import models
from benchmarks.serving.contestants import recipes, running
from benchmarks.serving.measure import Cell, measure, medians, need_wrk, script
from benchmarks.serving.page import write_page

from sekisho.gate.machine import machine_facts, versions

RESULTS = Path(__file__).parents[1] / "results"
CONNECTIONS = (1, 16, 64)
LIBRARIES = ("fastapi", "uvicorn", "httptools", "uvloop", "msgspec")


def main() -> None:
    """Measure, write, and print the ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    options = parser.parse_args()
    need_wrk()
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"note: the machine is busy (load {load:.1f}); ratios hold better than figures", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        results = [
            run(make(folder), folder, options.rounds, options.seconds) for make in (models.employment, models.forest)
        ]
    whole = {
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "command": f"python -m benchmarks.serving --rounds {options.rounds} --seconds {options.seconds}",
        "machine": machine_facts() | {"load_before": f"{load:.1f}"},
        "versions": versions() | {library: version(library) for library in LIBRARIES},
        "models": results,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "serving.json").write_text(json.dumps(whole, indent=1) + "\n")
    write_page(whole, RESULTS)
    for result in results:
        print(f"\n{result['title']}")
        for task, ratios in result["ratios"].items():
            print(f"  {task}: " + ", ".join(f"{name} {value:.2f}×" for name, value in ratios.items()))


def run(subject: models.Subject, folder: Path, rounds: int, seconds: int) -> dict[str, Any]:
    """Measure all contestants on one model."""
    cores = sorted(os.sched_getaffinity(0))
    server, client = (cores[0], cores[1]) if len(cores) > 1 else (None, None)
    cells: list[Cell] = []
    with contextlib.ExitStack() as stack:
        contestants = [
            stack.enter_context(running(recipe, subject, core=server)) for recipe in recipes(subject, folder)
        ]
        for contestant in contestants:  # once without counting: caches, lazy imports
            single = script(folder, contestant, "/predict", subject.bodies)
            measure(contestant, single, task="single", connections=16, seconds=1, core=client)
        for number in range(rounds):
            for connections in CONNECTIONS:
                for contestant in contestants:
                    single = script(folder, contestant, "/predict", subject.bodies)
                    cells.append(
                        measure(
                            contestant, single, task="single", connections=connections, seconds=seconds, core=client
                        )
                    )
                    print(f"{subject.name} {number + 1}/{rounds} {cells[-1]}", file=sys.stderr)
            for contestant in contestants[:2]:
                batch = script(folder, contestant, "/predict/batch", [subject.batch])
                cells.append(measure(contestant, batch, task="batch", connections=1, seconds=seconds, core=client))
        facts = {
            one.name: {
                "title": one.title,
                "start_seconds": round(one.start_seconds, 2),
                "resident_mebibytes": round(one.resident_mebibytes(), 1),
            }
            for one in contestants
        }
    middle = medians(cells)
    return {
        "model": subject.name,
        "title": subject.title,
        "contestants": facts,
        "medians": [asdict(cell) for cell in middle],
        "rounds": [asdict(cell) for cell in cells],
        "ratios": ratios(middle),
    }


def ratios(cells: list[Cell]) -> dict[str, dict[str, float]]:
    """Return how many times as fast the service is as each other contestant, load by load."""
    by_load: dict[str, dict[str, float]] = {}
    for cell in cells:
        load = "1000-row batches" if cell.task == "batch" else f"{cell.connections} connections"
        by_load.setdefault(load, {})[cell.contestant] = cell.per_second
    return {
        load: {name: round(figures["sekisho"] / value, 3) for name, value in figures.items() if name != "sekisho"}
        for load, figures in by_load.items()
    }


if __name__ == "__main__":
    main()
