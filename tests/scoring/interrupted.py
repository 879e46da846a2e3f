"""Scores a table in a process that is killed at a place of its own choosing: ``interrupted.py ARGUMENTS KILL``.

``KILL`` says at which write the process dies, and how much of that write is done before.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from sekisho.scoring import tables, text_lines, work
from sekisho.scoring.formats import csv, json_lines
from sekisho.scoring.score import score_file


def main() -> None:
    given, kill = json.loads(sys.argv[1]), json.loads(sys.argv[2])
    for module in (text_lines, csv, json_lines):
        setattr(module, "TEXT_BYTES", 8_000)  # noqa: B010 - it is final to everybody else
    setattr(tables, "COLUMN_ROWS", 150)  # noqa: B010
    setattr(tables, "FEWEST_ROWS", 1)  # noqa: B010
    left = [kill["write"]]
    whole = work._write

    def write(file: Any, content: bytes) -> None:
        left[0] -= 1
        if left[0] == 0:
            whole(file, content[: int(len(content) * kill["part"])])
            os.kill(os.getpid(), signal.SIGKILL)
        whole(file, content)

    work._write = write
    done = score_file(**given)
    print(json.dumps({"rows": done.rows, "resumed_rows": done.resumed_rows}))


if __name__ == "__main__":
    main()
