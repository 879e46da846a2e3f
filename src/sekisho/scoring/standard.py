"""Answers that go to standard output as they come; nothing can be taken back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from sekisho.errors import WrongUse
from sekisho.files import write_atomically
from sekisho.scoring.work import Mark
from sekisho.text import Text

if TYPE_CHECKING:
    from pathlib import Path

    from sekisho.scoring.planning import Plan


class StandardOutput:
    """Standard output as a sink.

    Args:
        head: What comes before all rows.

    """

    def __init__(self, head: bytes) -> None:
        self.mark = Mark()
        self._aside: list[bytes] = []
        sys.stdout.buffer.write(head)

    def append(self, rows: bytes, aside: bytes, mark: Mark) -> None:
        """Write the rows of a piece."""
        sys.stdout.buffer.write(rows)
        if aside:
            self._aside.append(aside)
        self.mark = mark

    def finish(self, aside: Path | None) -> None:
        """Write what is left, and the rows without an answer."""
        sys.stdout.buffer.flush()
        if aside is not None:
            write_atomically(aside, b"".join(self._aside))

    def close(self) -> None:
        """Do nothing: standard output is not ours to close."""


def check_standard(plan: Plan, *, resume: bool) -> None:
    """Refuse what cannot be done on standard output.

    Raises:
        WrongUse: The format needs a file, or an earlier run cannot be gone on with.

    """
    if plan.format.id == "parquet":
        raise WrongUse(
            Text(en="Parquet cannot be written to a stream", ja="Parquet はストリームに書けません"),
            Text(
                en="choose csv, jsonl or arrow, or write to a file",
                ja="csv、jsonl、arrow のいずれかにするか、ファイルに書いてください",
            ),
        )
    if resume:
        raise WrongUse(
            Text(en="what went to standard output cannot be gone on with", ja="標準出力への処理は再開できません"),
            Text(en="write to a file", ja="ファイルに書いてください"),
        )
