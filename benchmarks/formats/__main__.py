"""Make the table of formats: ``python -m benchmarks.formats [--only WORD]``; writes benchmarks/results/formats.json and the pages in docs."""

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
    """Measure every example, write, and return 0 when every one was taken the whole way or refused with a reason."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.formats", description=__doc__)
    parser.add_argument(
        "--only", default="", help="families and estimators whose name holds this word; prints, and writes nothing"
    )
    options = parser.parse_args()
    families = shelf.units("benchmarks.formats.families", Family)
    rows: list[dict[str, Any]] = []
    failed = 0
    with tempfile.TemporaryDirectory(prefix="formats-") as name:
        for family in families.values():
            for example in family.examples:
                if options.only.lower() not in f"{family.id} {example.name}".lower():
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
    if not options.only:
        libraries = {family.library for family in families.values()}
        whole = {
            "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            "command": "python -m benchmarks.formats",
            "machine": machine_facts(),
            "versions": versions() | {library: version(library) for library in sorted(libraries)},
            "families": {
                family.id: {"en": family.title.en, "ja": family.title.ja, "library": family.library}
                for family in families.values()
            },
            "rows": rows,
        }
        RESULTS.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        page.write(whole)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
