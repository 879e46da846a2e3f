"""Do every drill to our own service: ``python -m benchmarks.drills``; writes the data into benchmarks/results and the pages of docs."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from sekisho.contract.loader import load_project
from sekisho.documents.drill_report import cells, data_of, page
from sekisho.documents.reference.markdown import LANGUAGE_NAMES, page_name
from sekisho.drills.runner import RATE, run_drills
from sekisho.examples.employment.layout import lay
from sekisho.text import LANGUAGES, Language

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "drills.json"


def main() -> int:
    """Run, write, and print; return 0 when every rule was kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drills", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these, beside what is kept of the others")
    parser.add_argument("--rate", type=float, default=RATE)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="drills-") as name:
        root = Path(name) / "employment"
        lay(root, "en")
        subprocess.run([sys.executable, "train.py"], cwd=root, check=True)
        done = run_drills(
            load_project(root), options.names, rate=options.rate, began=lambda drill: print(drill.id, file=sys.stderr)
        )
    data = data_of(done, rate=options.rate, command="python -m benchmarks.drills")
    for drill in data["drills"]:  # where a scratch folder was is of no interest
        drill["said"] = [line.rpartition("sekisho-drill-")[2].partition("/")[2] or line for line in drill["said"]]
        print("\t".join(cells(drill, "en")))
    if options.names:
        kept = {drill["id"]: drill for drill in json.loads(RESULTS.read_text())["drills"]}
        data["drills"] = [drill for _, drill in sorted((kept | {each["id"]: each for each in data["drills"]}).items())]
        data["passed"] = all(drill["passed"] for drill in data["drills"])
        data["lost"] = sum(drill["lost"] for drill in data["drills"])
    RESULTS.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    write_pages()
    return 0 if data["passed"] else 1


def write_pages() -> None:
    """Make the pages of the docs from the data."""
    data = json.loads(RESULTS.read_text())
    for language in LANGUAGES:
        (ROOT / "docs" / page_name("drills", language)).write_text(document(data, language))


def document(data: dict[str, object], language: Language) -> str:
    """Return the page in one language, with the way to the other."""
    title, _, rest = page(data, language).partition("\n")
    names = [
        LANGUAGE_NAMES[each] if each == language else f"[{LANGUAGE_NAMES[each]}]({page_name('drills', each)})"
        for each in LANGUAGES
    ]
    return f"{title}\n\n{' · '.join(names)}\n{rest}"


if __name__ == "__main__":
    sys.exit(main())
