"""How results are shown: drawn on a terminal, plain lines elsewhere, JSON for programs."""

from __future__ import annotations

import datetime as dt
import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from sekisho.cli.options import FiniteRange, print_json, print_table, progress_bar
from sekisho.text import Text, verbatim

TABLE = """
from sekisho.cli.options import print_table
from sekisho.text import verbatim
print_table([verbatim("name"), verbatim("value")], [("[red]関所[/red]", 1), ("b", None)])
"""
PROGRESS = """
from sekisho.cli.options import progress_bar
from sekisho.text import verbatim
with progress_bar(verbatim("working")) as advance:
    advance(0.5)
print("done")
"""


def on_a_terminal(script: str) -> str:
    """Run ``script`` with a terminal for output and errors, and return what it showed."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "60", "NO_COLOR": "1"}
    with subprocess.Popen([sys.executable, "-c", script], stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
    os.close(ours)
    assert process.returncode == 0
    return shown.decode()


def test_json_knows_what_programs_hold(capsys: pytest.CaptureFixture[str]) -> None:
    @dataclass(frozen=True)
    class Fact:
        when: dt.date
        where: Path
        how_much: float

    print_json([Fact(dt.date(2027, 1, 1), Path("a/b"), float("nan")), "関所"])
    shown = capsys.readouterr().out
    assert json.loads(shown) == [{"when": "2027-01-01", "where": "a/b", "how_much": None}, "関所"]
    assert "関所" in shown
    assert shown.endswith("]\n")


def test_a_table_is_lines_and_tabs_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([Text(en="name", ja="名前"), verbatim("value")], [("a\tb\nc", 1), ("d", None)])
    assert capsys.readouterr().out == "name\tvalue\na b c\t1\nd\tNone\n"


def test_a_table_is_drawn_on_a_terminal_and_cells_are_no_markup() -> None:
    shown = re.sub(r"\x1b\[[0-9;]*m", "", on_a_terminal(TABLE))
    assert "[red]関所[/red]" in shown
    assert "\t" not in shown
    starts = {
        len(line[: line.index(word)].encode("cp932"))
        for line, word in zip(shown.splitlines(), ("value", "1"), strict=False)
    }
    assert len(starts) == 1  # columns line up, a Japanese character taking two cells


def test_progress_is_one_line_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(verbatim("working")) as advance:
        advance(0.5)
        advance(1.0)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "working …\n")


def test_progress_is_a_bar_on_a_terminal_and_gone_at_the_end() -> None:
    shown = on_a_terminal(PROGRESS)
    assert "working" in shown
    assert "50%" in shown
    assert shown.rstrip().endswith("done")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "0", "11", "x"])
def test_a_number_is_finite_and_in_its_range(value: str) -> None:
    kind = FiniteRange(0, 10, min_open=True)
    assert kind.convert("9.5", None, None) == 9.5
    with pytest.raises(click.BadParameter):
        kind.convert(value, None, None)
