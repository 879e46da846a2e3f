"""Run the benchmark: ``python -m benchmarks.scoring [--rows N] [--rounds N]``; writes JSON and a page into benchmarks/results."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.scoring.page import write_page
from benchmarks.scoring.subjects import TITLES, pack, write_tables

from sekisho.gate.machine import machine_facts, versions
from sekisho.scoring.machine import versions_that_count

RESULTS = Path(__file__).parents[1] / "results"
PEER_ROWS = 300_000
"""Rows that the scripts are given: they take long, and their speed hangs little on how many there are."""


def main() -> None:
    """Measure, write, and print the ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring", description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--memory-rows", type=int, nargs="+", default=[1_000_000, 5_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        tables = write_tables(options.rows, folder)
        (folder / "fewer").mkdir()
        fewer = write_tables(PEER_ROWS, folder / "fewer")
        for model in TITLES:
            pack(model, folder)
        models = [contest(model, folder, tables, fewer, options.rounds) for model in TITLES]
        for path in (*tables.values(), *fewer.values()):
            path.unlink()
        memory = [cell for rows in options.memory_rows for cell in _memory(rows, folder)]
    whole = {
        "measured": dt.datetime.now(dt.UTC).date().isoformat(),
        "command": " ".join(["python -m benchmarks.scoring", *sys.argv[1:]]),
        "machine": machine_facts(),
        "versions": versions() | versions_that_count(),
        "load_before": round(load, 1),
        "models": models,
        "memory": memory,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "scoring.json").write_text(json.dumps(whole, indent=1) + "\n")
    write_page(whole, RESULTS)
    print((RESULTS / "scoring.md").read_text())


def contest(model: str, folder: Path, tables: dict[str, Path], fewer: dict[str, Path], rounds: int) -> dict[str, Any]:
    """Measure all contestants on one model, in turn."""
    contestants = [
        ("raw", "", tables["parquet"]),
        *(("sekisho", name, path) for name, path in tables.items()),
        *(("pandas", name, path) for name, path in fewer.items()),
    ]
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for number in range(rounds):
        for who, name, table in contestants:
            if who == "pandas" and number:
                continue
            found.setdefault((who, name), []).append(run(who, folder / model, table))
            print(model, who, name, found[who, name][-1], file=sys.stderr)
    return {"name": model, "title": TITLES[model], "cells": [_middle(*key, runs) for key, runs in found.items()]}


def run(who: str, model: Path, table: Path) -> dict[str, Any]:
    """Run one contestant in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scoring.child", who, str(model), str(table)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return told


def _middle(who: str, name: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    rows = runs[0]["rows"]
    return {
        "who": who,
        "format": name,
        "rows": rows,
        "rows_per_second": round(rows / statistics.median(each["seconds"] for each in runs)),
        "cpu_microseconds": round(statistics.median(each["cpu_seconds"] for each in runs) / rows * 1e6, 4),
        "peak_mib": max(each["peak_mib"] for each in runs),
        "runs": runs,
    }


def _memory(rows: int, folder: Path) -> list[dict[str, Any]]:
    """Measure how much memory a table of so many rows takes, with the model that holds least itself."""
    found = []
    for name, table in write_tables(rows, folder).items():
        found.append({"format": name, "rows": rows, "peak_mib": run("sekisho", folder / "logistic", table)["peak_mib"]})
        print("memory", found[-1], file=sys.stderr)
        table.unlink()
    return found


if __name__ == "__main__":
    main()
