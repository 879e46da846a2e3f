"""``sekisho explain``: what a box wants, why, how it is measured, and how it looks when it fails."""

from __future__ import annotations

import click

from sekisho.cli.options import json_option, print_json
from sekisho.gate.check import SECTIONS
from sekisho.gate.explaining import Explanation, explain
from sekisho.gate.graph import Units
from sekisho.gate.selection import in_order
from sekisho.gate.verdict import STATUS_WORDS, SYMBOLS
from sekisho.text import Text

HELP = Text(
    en="""Explain one box: what it wants, why, how it is measured, what to do when it fails. Without ID, list every box.

    \b
    Example:
      sekisho explain
      sekisho explain security/rate-limiting
    """,
    ja="""項目の要件、理由、測り方、不合格のときの対処を説明します。ID を省略すると、全項目を一覧します。

    \b
    例:
      sekisho explain
      sekisho explain security/rate-limiting
    """,
)
WHY = Text(en="Why", ja="理由")
MEASURED = Text(en="How it is measured", ja="測り方")
NOT_MEASURED = Text(en="nothing measures it yet", ja="まだ測る手段がありません")
REMEDY = Text(en="What to do when it fails", ja="不合格のときの対処")
EXAMPLES = Text(en="How it looks", ja="判定の例")
ALONE = Text(en="runs alone", ja="単独で実行")


@click.command(help=str(HELP))
@click.argument("id_", metavar="[ID]", required=False)
@json_option
def command(id_: str | None, *, as_json: bool) -> None:
    """Explain a box, or list all."""
    units = Units.installed()
    if id_ is not None:
        explanation = explain(units, id_)
        print_json(_as_json(explanation)) if as_json else _print(explanation)
    elif as_json:
        print_json([{"id": box, "title": str(_title(units, box))} for box in in_order(units.checks)])
    else:
        _list(units)


def _list(units: Units) -> None:
    known = in_order(units.checks)
    for section, title in SECTIONS.items():
        click.echo(title)
        for box in known:
            if box.startswith(f"{section}/"):
                click.echo(f"  {box:<32} {_title(units, box)}")


def _title(units: Units, box: str) -> object:
    return units.checks[box].title if box in units.checks else ""


def _print(box: Explanation) -> None:
    click.echo(f"{box.title}  ({box.id})")
    _part(WHY, [str(box.why)])
    measured = [
        f"{probe.title} ({probe.id}, ~{probe.seconds:g} s{f', {ALONE}' if probe.exclusive else ''})"
        for probe in box.probes
    ]
    _part(MEASURED, measured or [str(NOT_MEASURED)])
    _part(REMEDY, [str(box.remedy)])
    _part(EXAMPLES, [f"{SYMBOLS[status]} {STATUS_WORDS[status]}: {said}" for status, said in box.examples])


def _part(heading: Text, lines: list[str]) -> None:
    if lines:
        click.echo(f"\n{heading}")
    for line in lines:
        click.echo(f"  {line}")


def _as_json(box: Explanation) -> dict[str, object]:
    return {
        "id": box.id,
        "title": str(box.title),
        "why": str(box.why),
        "remedy": str(box.remedy),
        "probes": [
            {"id": probe.id, "title": str(probe.title), "seconds": probe.seconds, "exclusive": probe.exclusive}
            for probe in box.probes
        ],
        "examples": [{"status": status.value, "summary": str(said)} for status, said in box.examples],
    }
