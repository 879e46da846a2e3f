"""Judge every server whose environment has been made: ``python -m benchmarks.peers``; writes data and the pages ``docs/peers*.md``.

``python -m benchmarks.peers --page`` makes the pages anew from the data that is kept.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers.page import write_pages
from benchmarks.peers.projects import OURS, project, subject
from benchmarks.serving.environments import NAMES, python_of, usual_folder, versions_in
from benchmarks.serving.others import peers

from sekisho.gate.machine import machine_facts, versions
from sekisho.gate.notebook import check
from sekisho.gate.report import Item

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
BOXES = (
    "inference/api",
    "inference/latency",
    "inference/mode",
    "inference/errors",
    "inference/logging",
    "security/input-validation",
    "security/authentication",
    "security/encryption",
    "security/rate-limiting",
    "security/vulnerabilities",
    "infrastructure/resources",
    "infrastructure/traffic",
    "testing/load",
)
"""The boxes that a service proves, whoever made it."""
LOOKS = 40


def main() -> None:
    """Judge, write, and print the verdicts."""
    options = _options()
    file = options.results / "peers.json"
    if not options.page:
        whole = _judged(options)
        options.results.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
    write_pages(json.loads(file.read_text()), options.pages)


def _options() -> argparse.Namespace:
    def names(words: str) -> tuple[str, ...]:
        return tuple(word for word in words.split(",") if word)

    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--page", action="store_true", help="make the pages anew, and judge nothing")
    parser.add_argument("--peers", type=names, default=(OURS, *NAMES), help=f"which of {OURS},{','.join(NAMES)}")
    parser.add_argument("--boxes", type=names, default=BOXES)
    parser.add_argument("--environments", type=Path, default=usual_folder(), metavar="FOLDER")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FOLDER")
    parser.add_argument("--pages", type=Path, default=ROOT / "docs", metavar="FOLDER")
    return parser.parse_args()


def _judged(options: argparse.Namespace) -> dict[str, Any]:
    """Return every verdict, with those of servers that are kept and were not asked for now."""
    kept = options.results / "peers.json"
    before: dict[str, Any] = json.loads(kept.read_text())["servers"] if kept.exists() else {}
    servers: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="peers-") as name:
        folder = Path(name)
        served = subject(folder)
        recipes = {one.name: one for one in peers(served, folder, options.environments, options.peers)}
        for server in (OURS, *NAMES):
            if server in options.peers and (server == OURS or server in recipes):
                place = project(served, recipes.get(server), folder)
                servers[server] = _facts(server, options.environments) | _verdicts(server, place, options.boxes)
            elif server in before:
                servers[server] = before[server]
            elif server in options.peers and python_of(options.environments, server) is None:
                print(
                    f"note: {server} is left out: python -m benchmarks.serving.environments {server}", file=sys.stderr
                )
    return {
        "command": "python -m benchmarks.peers",
        "machine": machine_facts(),
        "boxes": list(options.boxes),
        "servers": servers,
    }


def _facts(server: str, environments: Path) -> dict[str, Any]:
    found = versions() if server == OURS else versions_in(environments, server)
    return {
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "load_before": _others_running(),
        "version": found[server],
        "versions": found,
    }


def _others_running() -> float:
    """Return how many processes of others ran or waited for a processor, over two seconds; the usual average remembers our own last work."""
    looks = []
    for _ in range(LOOKS):
        looks.append(int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0]) - 1)
        time.sleep(2 / LOOKS)
    return round(sum(looks) / LOOKS, 1)


def _verdicts(server: str, place: Path, boxes: tuple[str, ...]) -> dict[str, Any]:
    began = time.monotonic()
    report = check(place, boxes, fresh=True)
    seconds = time.monotonic() - began
    items = {item.id: _told(item, place) for item in report.items if item.id in boxes}
    for box, told in items.items():
        print(f"{server} {told['status']:<8} {box}: {told['summary']['en'][:300]}", flush=True)
    print(f"{server}: {seconds:.0f} s", flush=True)
    return {"seconds": round(seconds, 1), "boxes": items}


def _told(item: Item, place: Path) -> dict[str, Any]:
    verdict = item.verdict
    return {
        "status": verdict.status.value,
        "summary": _without(place, {"en": verdict.summary.en, "ja": verdict.summary.ja}),
        "findings": [
            {"status": each.status.value, **_without(place, {"en": each.text.en, "ja": each.text.ja})}
            for each in verdict.findings
        ],
        "figures": {
            name: value for name, value in verdict.figures.items() if isinstance(value, bool | int | float | str)
        },
    }


def _without(place: Path, words: Mapping[str, str]) -> dict[str, str]:
    return {language: text.replace(str(place), ".") for language, text in words.items()}


if __name__ == "__main__":
    main()
