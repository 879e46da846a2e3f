"""How long two tables of fifty columns take, and who is right: ``python -m benchmarks.drift.speed [--peer NAME=PYTHON ...]``.

Every contestant runs in a process of its own, in turn, round by round, on the same files. Peers live in environments of their own, for they
allow different versions of pandas. The medians go to ``benchmarks/results/drift-speed.json``, with the machine.
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

from benchmarks.drift.populations import DRIFTED, SURGED

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "drift-speed.json"


def main() -> None:
    options = _options()
    pythons = {"sekisho": sys.executable, "scipy, column by column": sys.executable}
    pythons |= dict(peer.split("=", 1) for peer in options.peer)
    tables = []
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [sys.executable, "-m", "benchmarks.drift.populations", folder, str(rows)],
                check=True,
                cwd=HERE.parent.parent,
            )
            tables.append({"rows": rows, "columns": 50, "contestants": _contest(pythons, folder, options)})
    RESULTS.parent.mkdir(exist_ok=True)
    result = {
        "measured": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": _machine(),
        "changed": [*DRIFTED, *SURGED],
        "tables": tables,
    }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    for table in tables:
        _show(table)


def _contest(pythons: dict[str, str], folder: str, options: argparse.Namespace) -> dict[str, Any]:
    seen: dict[str, list[dict[str, Any]]] = {}
    slow: set[str] = set()
    for _ in range(options.rounds):
        for name, python in pythons.items():
            if name in slow:
                continue
            run = _run(name, python, folder, options.limit)
            seen.setdefault(name, []).append(run)
            if run.get("seconds", options.limit) > options.limit / 4:
                slow.add(name)
            print(f"{name}: {run.get('seconds', run.get('failed'))}", file=sys.stderr)
    found = {name: _judged(runs) for name, runs in seen.items()}
    ours = found["sekisho"]["seconds"]
    for each in found.values():
        each["times as long as sekisho"] = None if each["seconds"] is None else round(each["seconds"] / ours, 1)
    return found


def _run(name: str, python: str, folder: str, limit: float) -> dict[str, Any]:
    quiet = {**os.environ, "NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1", "PYTHONWARNINGS": "ignore"}
    try:
        run = subprocess.run(
            [python, str(HERE / "contestants.py"), name, folder],
            capture_output=True,
            text=True,
            timeout=limit,
            env=quiet,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"more than {limit:g} s"}
    except subprocess.CalledProcessError as error:
        return {"failed": (error.stderr.strip().splitlines() or [""])[-1][:200]}
    line: dict[str, Any] = json.loads(run.stdout.strip().splitlines()[-1])
    return line


def _judged(runs: list[dict[str, Any]]) -> dict[str, Any]:
    done = [run for run in runs if "seconds" in run]
    if not done:
        return {"seconds": None, "failed": runs[-1]["failed"]}
    said = set(done[-1]["drifted"])
    return {
        "seconds": round(statistics.median(run["seconds"] for run in done), 4),
        "runs": len(done),
        "version": done[-1]["version"],
        "peak_mib": done[-1]["peak_mib"],
        "missed": sorted(set(DRIFTED) - said),
        "false": sorted(said - set(DRIFTED) - set(SURGED)),
        "finds the surge of nulls": said >= set(SURGED),
        "right": said - set(SURGED) == set(DRIFTED),
    }


def _show(table: dict[str, Any]) -> None:
    print(f"\n{table['rows']:,} rows × {table['columns']} columns")
    for name, each in table["contestants"].items():
        if each["seconds"] is None:
            print(f"  {name:24} {each['failed']}")
            continue
        verdict = "right" if each["right"] else f"missed {len(each['missed'])}, false {len(each['false'])}"
        print(f"  {name:24} {each['seconds']:9.3f} s  {each['times as long as sekisho']:7.1f} ×  {verdict}")


def _machine() -> dict[str, Any]:
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift.speed")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for one run")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    return parser.parse_args()


if __name__ == "__main__":
    main()
