"""Showing how far the checkpoint is, and what it said."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from sekisho.gate.listener import End, Listener
from sekisho.gate.probe import Probe
from sekisho.gate.verdict import STATUS_WORDS, SYMBOLS, Status
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.progress import Progress, TaskID

    from sekisho.gate.graph import Maker
    from sekisho.gate.report import Item, Report

COLOURS: Final = {
    Status.PASS: "green",
    Status.FAIL: "red",
    Status.UNKNOWN: "yellow",
    Status.WAIVED: "magenta",
    Status.NOT_APPLICABLE: "bright_black",
}


def shown_progress() -> Listener:
    """Return who shows on standard error how far the checkpoint is: bars on a terminal, one line a probe elsewhere."""
    return Bars() if sys.stderr.isatty() else Lines()


class Lines(Listener):
    """One line for each probe and resource that begins."""

    def started(self, maker: Maker) -> None:
        """Say what begins."""
        click.echo(f"{maker.title} …", err=True)


class Bars(Listener):
    """One bar for the whole, and one for each probe that runs; all gone at the end."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), TimeElapsedColumn())
        self._bars: Progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._whole = self._bars.add_task(str(Text(en="The checkpoint", ja="関所")), total=None)
        self._running: dict[str, TaskID] = {}

    def planned(self, makers: Sequence[Maker]) -> None:
        """Begin, now that it is known how much there is to do."""
        self._bars.update(self._whole, total=len(makers))
        self._bars.start()

    def started(self, maker: Maker) -> None:
        """Show a bar."""
        total = 1.0 if isinstance(maker, Probe) and maker.seconds >= 1 else None
        self._running[maker.id] = self._bars.add_task(f"  {maker.title}", total=total)

    def advanced(self, maker: Maker, fraction: float) -> None:
        """Fill the bar."""
        if maker.id in self._running:
            self._bars.update(self._running[maker.id], completed=fraction, total=1.0)

    def ended(self, maker: Maker, end: End) -> None:  # noqa: ARG002
        """Take the bar away."""
        if maker.id in self._running:
            self._bars.remove_task(self._running.pop(maker.id))
        self._bars.advance(self._whole)

    def closed(self) -> None:
        """Take all bars away."""
        self._bars.stop()


def print_report(report: Report) -> None:
    """Print the verdict on every box, by section: coloured on a terminal, one plain line a box elsewhere."""
    if sys.stdout.isatty():
        _draw(report)
        return
    for section in report.sections:
        click.echo(f"{section.title}: {STATUS_WORDS[section.status]}")
        for item in section.items:
            click.echo(f"  {SYMBOLS[item.status]} {STATUS_WORDS[item.status]}  {item.id}  {_sentence(item)}")
    for warning in report.warnings:
        click.echo(_one_line(str(warning)))


def _draw(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text as Words

    console = Console(highlight=False)
    width = max(len(item.id) for item in report.items)
    for section in report.sections:
        colour = COLOURS[section.status]
        console.print(
            Words.assemble("\n", (str(section.title), "bold"), "  ", (str(STATUS_WORDS[section.status]), colour))
        )
        table = Table.grid(padding=(0, 1))
        table.add_column(width=1)
        table.add_column(width=width, style="bright_black", no_wrap=True)
        table.add_column(overflow="fold")
        for item in section.items:
            # What holds back is read in full; what lets through keeps to its line.
            said = Words(
                _sentence(item),
                no_wrap=item.status.lets_through,
                overflow="ellipsis" if item.status.lets_through else "fold",
            )
            table.add_row(Words(SYMBOLS[item.status], style=f"bold {COLOURS[item.status]}"), item.id, said)
            if item.status is Status.FAIL and item.remedy is not None:
                table.add_row("", "", Words(f"→ {_one_line(str(item.remedy))}", style="italic"))
        console.print(table)
    for warning in report.warnings:
        console.print(Words.assemble("\n", ("! ", "bold red"), _one_line(str(warning))))
    console.print()


def _sentence(item: Item) -> str:
    return _one_line(f"{item.title}: {item.verdict.summary}")


def _one_line(words: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in words).split())
