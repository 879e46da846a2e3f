"""The report as Markdown, for a pull request or a job summary."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sekisho.documents.forms.interface import form
from sekisho.gate.report import Item, Report
from sekisho.gate.verdict import STATUS_WORDS, SYMBOLS, Status
from sekisho.text import Text

_MARKUP: Final = re.compile(r"([\\`*_\[\]|~$]|(?<=:)/|(?<=www)\.)")
"""Also what would make an address a link of its own."""


@form("markdown", "report.md")
def markdown(report: Report) -> str:
    """Return the verdict, what holds it back with what to do, and every box, in the language in use."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    verdict = Status.PASS if report.passed else Status.FAIL
    yield f"# {plain(report.model)}: {SYMBOLS[verdict]} {STATUS_WORDS[verdict]}"
    yield ""
    yield " · ".join(
        f"{SYMBOLS[status]} {STATUS_WORDS[status]} {count}" for status, count in report.counts.items() if count
    )
    yield ""
    artifact = Text(en="artifact", ja="成果物")
    contract = Text(en="contract", ja="契約")
    yield f"- {artifact}: `{report.artifact or '–'}`"
    yield f"- {contract}: `{report.contract}`"
    yield f"- {report.generated_at}, {report.seconds:.0f} s"
    for warning in report.warnings:
        yield ""
        yield f"> {plain(str(warning))}"
    held = [item for item in report.items if not item.status.lets_through]
    if held:
        yield ""
        yield f"## {Text(en='What holds it back', ja='合格を妨げている項目')}"
        yield ""
        for item in held:
            yield from _held_back(item)
    yield ""
    yield f"## {Text(en='Every box', ja='すべての項目')}"
    yield ""
    headings = (Text(en="box", ja="項目"), Text(en="status", ja="判定"), Text(en="finding", ja="所見"))
    yield f"|  | {' | '.join(map(str, headings))} |"
    yield "| - | - | - | - |"
    for item in report.items:
        words = (SYMBOLS[item.status], item.id, str(STATUS_WORDS[item.status]), plain(str(item.verdict.summary)))
        yield f"| {' | '.join(words)} |"


def _held_back(item: Item) -> Iterator[str]:
    yield f"- {SYMBOLS[item.status]} **{plain(str(item.title))}** ({item.id}): {plain(str(item.verdict.summary))}"
    if item.remedy is not None:
        yield f"  → {plain(str(item.remedy))}"


def plain(words: str) -> str:
    """Return words as data: on one line, with nothing that Markdown or HTML would take for markup."""
    line = " ".join("".join(each if each.isprintable() else " " for each in words).split())
    escaped = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub(r"\\\1", escaped)
