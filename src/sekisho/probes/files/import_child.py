"""Answers an artifact's golden rows and tells what was imported for it; run as ``python -m sekisho.probes.files.import_child FOLDER``.

It runs in the environment that is looked at: in this one, or in a fresh one that was made from the lock alone. The last line of its output is JSON.
"""

from __future__ import annotations

import json
import sys
from importlib import metadata

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.golden import same_answers


def main(folder: str) -> int:
    """Answer the golden rows and print what was imported, and how many were answered otherwise."""
    artifact = ModelArtifact.load(folder)
    rows = artifact.golden.table(artifact.signature)
    runtime = artifact.runtime()
    wrong = len(same_answers(artifact.golden, runtime.run(rows.arrays()))) if artifact.golden.rows else 0
    tops = {name.partition(".")[0] for name in sys.modules}
    print(json.dumps({"distributions": _distributions(tops), "rows": rows.rows, "wrong": wrong}))
    return 0


def _distributions(tops: set[str]) -> dict[str, str]:
    """Return the distributions that the top-level modules come from, with their versions."""
    known = metadata.packages_distributions()
    names = {name for top in tops for name in known.get(top, ())}
    return {name: metadata.version(name) for name in sorted(names)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
