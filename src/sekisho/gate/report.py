"""All verdicts on one artifact under one contract."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final, Literal

import msgspec

from sekisho import __version__
from sekisho.contract.sections import Contract
from sekisho.gate.check import SECTIONS
from sekisho.gate.evidence import Evidence
from sekisho.gate.verdict import STATUS_WORDS, SYMBOLS, Status, Verdict
from sekisho.text import Language, Text, language

LEAST_READY_FIRST: Final = (Status.FAIL, Status.UNKNOWN, Status.WAIVED, Status.NOT_APPLICABLE, Status.PASS)
"""The statuses, from the least ready to the most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """The verdict on one box, with the words of its check.

    Attributes:
        id: Section and name.
        title: The box, as the checklist words it.
        why: What goes wrong in production without it.
        verdict: What was found.
        evidence: The ids of the evidence that the verdict stands on.
        remedy: What to do next; ``None`` when the box passed or does not apply.

    """

    id: str
    title: Text
    why: Text
    verdict: Verdict
    evidence: tuple[str, ...] = ()
    remedy: Text | None = None

    @property
    def section(self) -> str:
        """The first part of the id."""
        return self.id.partition("/")[0]

    @property
    def status(self) -> Status:
        """What the verdict says."""
        return self.verdict.status


@dataclass(frozen=True, kw_only=True, slots=True)
class SectionSummary:
    """The boxes of one section.

    Attributes:
        id: Its name.
        title: Its name for people.
        items: Its boxes, in the order of the checklist.

    """

    id: str
    title: Text
    items: tuple[Item, ...]

    @property
    def status(self) -> Status:
        """The status of the least ready box: a section is as ready as that."""
        return min((item.status for item in self.items), key=LEAST_READY_FIRST.index)


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What ``sekisho check`` found.

    Attributes:
        model: The name of the model.
        artifact: The SHA-256 that the artifact is known by; ``None``: there is none.
        contract: The SHA-256 of the contract.
        terms: The contract itself.
        items: One a box, in the order of the checklist.
        evidence: All evidence of the run, by id.
        generated_at: RFC 3339, UTC.
        seconds: How long it took.
        machine: Facts about the machine that judged.
        complete: Whether all boxes were judged, not a choice of them.
        service: The address of the service that was judged instead of starting one.
        warnings: What somebody should look into: evidence that was changed by another hand.

    """

    model: str
    artifact: str | None
    contract: str
    terms: Contract
    items: tuple[Item, ...]
    evidence: Mapping[str, Evidence[Any]]
    generated_at: str
    seconds: float
    machine: Mapping[str, str]
    complete: bool
    service: str | None = None
    warnings: tuple[Text, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every judged box lets through."""
        return all(item.status.lets_through for item in self.items)

    @property
    def verdict(self) -> Literal["pass", "fail"]:
        """``pass`` only if every judged box lets through."""
        return "pass" if self.passed else "fail"

    @property
    def counts(self) -> dict[Status, int]:
        """How many boxes have each status, the least ready first."""
        found = Counter(item.status for item in self.items)
        return {status: found[status] for status in LEAST_READY_FIRST}

    @property
    def sections(self) -> tuple[SectionSummary, ...]:
        """The sections that have a judged box, in the order of the checklist."""
        groups = {name: tuple(item for item in self.items if item.section == name) for name in SECTIONS}
        return tuple(
            SectionSummary(id=name, title=SECTIONS[name], items=items) for name, items in groups.items() if items
        )

    @property
    def sentence(self) -> Text:
        """The verdict in one sentence, with the figures behind it."""
        judged, through = len(self.items), sum(item.status.lets_through for item in self.items)
        boxes = "box lets" if judged == 1 else "boxes let"
        part = Text(en="", ja="") if self.complete else Text(en=" (a choice of the boxes)", ja="（一部の項目のみ）")
        if self.passed:
            return Text(
                en=f"{'The one' if judged == 1 else f'All {judged}'} judged {boxes} this model through{part.en}.",
                ja=f"判定した {judged} 項目すべてが通過を認めました{part.ja}。",
            )
        failed, unknown = self.counts[Status.FAIL], self.counts[Status.UNKNOWN]
        return Text(
            en=f"{through} of {judged} {boxes} this model through{part.en}; {failed} failed, {unknown} could not be judged.",
            ja=f"{judged} 項目中 {through} 項目が通過{part.ja}。不合格 {failed} 項目、未測定 {unknown} 項目。",
        )

    def item(self, id_: str) -> Item:
        """Return the item of one box.

        Raises:
            KeyError: The box was not judged.

        """
        for item in self.items:
            if item.id == id_:
                return item
        raise KeyError(id_)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return _html_table(self)

    def as_json(self, words: Language | None = None) -> dict[str, Any]:
        """Return the report as JSON values, format 1.

        Args:
            words: The language of titles and sentences; by default the one in use.

        """
        words = words or language()
        return {
            "format": 1,
            "verdict": self.verdict,
            "complete": self.complete,
            "model": self.model,
            "artifact": self.artifact,
            "contract": self.contract,
            "service": self.service,
            "sekisho": __version__,
            "generated_at": self.generated_at,
            "seconds": self.seconds,
            "machine": dict(self.machine),
            "language": words,
            "counts": {status.value: count for status, count in self.counts.items()},
            "sections": [
                {"id": section.id, "title": section.title.of(words), "status": section.status.value}
                for section in self.sections
            ],
            "items": [_item_json(item, words) for item in self.items],
            "evidence": [{"id": each.id, **msgspec.json.decode(each.body)} for each in self.evidence.values()],
            "warnings": [warning.of(words) for warning in self.warnings],
        }


def _item_json(item: Item, words: Language) -> dict[str, Any]:
    return {
        "id": item.id,
        "section": item.section,
        "title": item.title.of(words),
        "status": item.status.value,
        "summary": item.verdict.summary.of(words),
        "findings": [
            {"status": finding.status.value, "text": finding.text.of(words)} for finding in item.verdict.findings
        ],
        "figures": {name: _json_figure(figure) for name, figure in item.verdict.figures.items()},
        "evidence": list(item.evidence),
        "remedy": None if item.remedy is None else item.remedy.of(words),
    }


def _json_figure(figure: object) -> object:
    """Return a figure as JSON knows it: NaN and the infinities have no word there and become ``None``."""
    return None if isinstance(figure, float) and not math.isfinite(figure) else figure


def _html_table(report: Report) -> str:
    """Return a table with a row a box, everything that came from outside escaped."""
    rows = "".join(_row(item) for item in report.items)
    counts = " · ".join(f"{count} {STATUS_WORDS[status]}" for status, count in report.counts.items() if count)
    verdict = STATUS_WORDS[Status.PASS if report.passed else Status.FAIL]
    return (
        f"<p><strong>{escape(report.model)}: {escape(str(verdict))}</strong> ({escape(counts)})</p>"
        f'<table><tbody style="text-align: left">{rows}</tbody></table>'
    )


def _row(item: Item) -> str:
    cells = (SYMBOLS[item.status], str(STATUS_WORDS[item.status]), item.id, str(item.title), str(item.verdict.summary))
    style = ' style="text-align: left"'
    return f"<tr>{''.join(f'<td{style}>{escape(cell)}</td>' for cell in cells)}</tr>"
