"""Make the table of formats: ``python -m benchmarks.formats``; writes benchmarks/results/formats.json and the pages in docs.

``--refresh WORD`` measures only the families whose id holds the word, and keeps the rows of the others as they were measured;
``--only WORD`` prints the rows of families and estimators whose name holds the word, and writes nothing.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.formats import page
from benchmarks.formats.families.interface import Family
from benchmarks.formats.measure import measure

from sekisho import shelf
from sekisho.gate.machine import machine_facts, versions

RESULTS = Path(__file__).parents[1] / "results" / "formats.json"


def main() -> int:
    """Measure, write, and return 0 when every example was taken the whole way or refused with a reason."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.formats", description=__doc__)
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--refresh", default="", metavar="WORD")
    chosen.add_argument("--only", default="", metavar="WORD")
    options = parser.parse_args()
    families = shelf.units("benchmarks.formats.families", Family)
    wanted = {name: family for name, family in families.items() if options.refresh in name}
    rows, failed = run(wanted, options.only.lower())
    if not options.only:
        before = json.loads(RESULTS.read_text(encoding="utf-8")) if options.refresh else {"rows": [], "families": {}}
        write(families, set(wanted), rows, before)
    return 1 if failed else 0


def run(families: dict[str, Family], word: str) -> tuple[list[dict[str, Any]], int]:
    """Return the rows of every example whose name holds ``word``, and how many could not be measured."""
    rows: list[dict[str, Any]] = []
    failed = 0
    with tempfile.TemporaryDirectory(prefix="formats-") as name:
        for family in families.values():
            for example in family.examples:
                if word not in f"{family.id} {example.name}".lower():
                    continue
                try:
                    row = measure(family, example, Path(name) / "artifact")
                except Exception as error:
                    # One model that cannot be trained or asked must not hide the others.
                    print(f"{family.id} {example.name}: {type(error).__name__}: {error}", file=sys.stderr)
                    failed += 1
                    continue
                rows.append(row.as_json())
                print(page.line(rows[-1]), file=sys.stderr, flush=True)
    return rows, failed


def write(families: dict[str, Family], measured: set[str], rows: list[dict[str, Any]], before: dict[str, Any]) -> None:
    """Write the results, with the rows ``before`` of families that were not measured, and the pages."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    kept = [row for row in before["rows"] if row["family"] in families and row["family"] not in measured]
    whole = {
        "at": now,
        "command": "python -m benchmarks.formats",
        "machine": machine_facts(),
        "versions": versions() | {name: version(name) for name in sorted({each.library for each in families.values()})},
        "families": {
            name: {
                "en": family.title.en,
                "ja": family.title.ja,
                "library": family.library,
                "at": now if name in measured else before["families"][name]["at"],
            }
            for name, family in families.items()
            if name in measured or name in before["families"]
        },
        "rows": sorted([*kept, *rows], key=lambda row: str(row["family"])),
    }
    RESULTS.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    page.write(whole)


if __name__ == "__main__":
    sys.exit(main())
