"""How long judging takes: ``python -m benchmarks.quality.speed``.

Intervals of scores and the search for weak slices are measured beside the peers that run here, each in a process of its own, in turn,
round by round, on the same answers; a peer that needs longer than the limit is stopped, and what it would have needed is not guessed.
The two boxes as a whole are measured on a project of a million rows. The medians go to ``benchmarks/results/quality.json``,
with the machine, and ``quality.md`` shows them.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.quality.contestants import CONTESTANTS, RESAMPLES
from benchmarks.quality.page import write_page
from benchmarks.quality.population import table, write

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
TASKS = ("roc_auc", "balanced_accuracy", "log_loss", "slices")
WHOLE = """
import json, resource, sys, time
from pathlib import Path
began = time.perf_counter()
from sekisho.contract.loader import load_project
from sekisho.gate.runner import run_gate
report = run_gate(load_project(Path(sys.argv[1])), ids=["quality/requirements", "quality/test-evaluation"])
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "seconds": time.perf_counter() - began,
    "cpu_seconds": used.ru_utime + used.ru_stime,
    "peak_mib": round(used.ru_maxrss / 1024),
    "verdicts": {item.id: item.status.value for item in report.items},
}))
"""


def main() -> None:
    options, load = _options(), os.getloadavg()[0]
    sizes = [{"rows": rows, "tasks": _contest(rows, options)} for rows in options.rows]
    whole = [_whole(rows, options.rounds) for rows in options.whole]
    result = {
        "measured": dt.datetime.now(dt.UTC).date().isoformat(),
        "command": " ".join(["python -m benchmarks.quality.speed", *sys.argv[1:]]),
        "machine": _machine(),
        "load_before": round(load, 1),
        "rounds": options.rounds,
        "resamples": RESAMPLES,
        "limit_seconds": options.limit,
        "sizes": sizes,
        "whole": whole,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "quality.json").write_text(json.dumps(result, indent=2) + "\n")
    write_page(result, RESULTS)


def _contest(rows: int, options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "answers.parquet"
        _answers(rows).to_parquet(file, index=False)
        found: dict[str, Any] = {}
        for task in TASKS:
            runs: dict[str, list[dict[str, Any]]] = {}
            for _ in range(options.rounds):
                for name, (_, _, tasks) in CONTESTANTS.items():
                    if task in tasks and not any("failed" in run for run in runs.get(name, ())):
                        runs.setdefault(name, []).append(_run(name, task, file, options.limit))
                        print(f"{rows:,} {task} {name}: {runs[name][-1]}", file=sys.stderr, flush=True)
            found[task] = {name: _median(several) for name, several in runs.items()}
    return found


def _answers(rows: int) -> Any:
    import numpy as np

    frame = table(rows, 1)
    random = np.random.default_rng(2)
    score = 1.2 * frame["x0"] + 0.8 * frame["x1"] - 0.5 * frame["x2"] - 0.4 + random.normal(0, 0.2, rows)
    stated = 1 / (1 + np.exp(-score))
    return frame.rename(columns={"label": "truth"}).assign(stated=stated, given=(stated > 0.5).astype(np.int64))


def _run(name: str, task: str, file: Path, limit: float) -> dict[str, Any]:
    command = [sys.executable, str(HERE / "contestants.py"), name, task, str(file)]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=True)
    except subprocess.TimeoutExpired:
        return {"failed": f"more than {limit:g} s"}
    except subprocess.CalledProcessError as error:
        return {"failed": (error.stderr.strip().splitlines() or [""])[-1][:200]}
    line: dict[str, Any] = json.loads(run.stdout.strip().splitlines()[-1])
    return line


def _median(runs: list[dict[str, Any]]) -> dict[str, Any]:
    done = [run for run in runs if "seconds" in run]
    if not done:
        return {"seconds": None, "failed": runs[-1]["failed"]}
    return done[-1] | {"seconds": round(statistics.median(run["seconds"] for run in done), 4), "runs": len(done)}


def _whole(rows: int, rounds: int) -> dict[str, Any]:
    """Judge both boxes of a project of so many rows; nothing is taken from an earlier run."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), rows)
        runs = []
        for _ in range(rounds):
            subprocess.run(["rm", "-rf", str(Path(folder) / ".sekisho")], check=True)
            run = subprocess.run(
                [sys.executable, "-c", WHOLE, folder], capture_output=True, text=True, check=True, timeout=900
            )
            runs.append(json.loads(run.stdout.strip().splitlines()[-1]))
            print(f"{rows:,} whole: {runs[-1]}", file=sys.stderr, flush=True)
    medians = {
        name: round(statistics.median(run[name] for run in runs), 1) for name in ("seconds", "cpu_seconds", "peak_mib")
    }
    return {"rows": rows, "columns": 20, "runs": len(runs), "verdicts": runs[-1]["verdicts"]} | medians


def _machine() -> dict[str, Any]:
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.speed")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--whole", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=300.0, help="seconds for one run")
    return parser.parse_args()


if __name__ == "__main__":
    main()
