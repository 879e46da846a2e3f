"""What a check says of one box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from sekisho.text import Text, join

Figure = float | int | str | bool | None
"""A number or word that a verdict shows beside its sentence."""


class Status(StrEnum):
    """The five things that a verdict can say."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"
    WAIVED = "waived"

    @property
    def lets_through(self) -> bool:
        """Whether the gate opens for a box with this status. ``unknown`` never lets through."""
        return self in {Status.PASS, Status.NOT_APPLICABLE, Status.WAIVED}


SYMBOLS: Final = {
    Status.PASS: "✓",
    Status.FAIL: "✗",
    Status.UNKNOWN: "?",
    Status.NOT_APPLICABLE: "–",
    Status.WAIVED: "!",
}
"""One character a status, so that colour is never the only sign."""

STATUS_WORDS: Final = {
    Status.PASS: Text(en="pass", ja="合格"),
    Status.FAIL: Text(en="fail", ja="不合格"),
    Status.UNKNOWN: Text(en="unknown", ja="未測定"),
    Status.NOT_APPLICABLE: Text(en="not applicable", ja="対象外"),
    Status.WAIVED: Text(en="waived", ja="免除"),
}
"""What people read for each status."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that a box requires, and whether it holds.

    Attributes:
        status: ``pass``, ``fail``, or ``unknown`` when this part could not be measured.
        text: One sentence that says what was seen.

    """

    status: Status
    text: Text


def holds(condition: bool | None, text: Text) -> Finding:
    """Return the finding for one requirement; ``None`` means that it was not measured."""
    if condition is None:
        return Finding(status=Status.UNKNOWN, text=text)
    return Finding(status=Status.PASS if condition else Status.FAIL, text=text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The judgement of one box.

    Attributes:
        status: What it says.
        summary: One sentence: the reasons if it did not pass, the proof if it did.
        findings: Every requirement that was looked at.
        figures: The numbers behind the sentence, by name.
        remedy: What to do next, where it differs from the remedy of the box.

    """

    status: Status
    summary: Text
    findings: tuple[Finding, ...] = ()
    figures: Mapping[str, Figure] = field(default_factory=dict)
    remedy: Text | None = None


def verdict(*findings: Finding, remedy: Text | None = None, **figures: Figure) -> Verdict:
    """Return the verdict on a box from all that it requires.

    One failed finding fails the box; else one that was not measured makes it unknown. The summary names the findings
    that decided.

    Args:
        findings: At least one.
        remedy: What to do next, where it differs from the remedy of the box.
        figures: The numbers behind the sentence.

    Raises:
        ValueError: There are no findings: a box without a requirement proves nothing.

    """
    if not findings:
        raise ValueError("a verdict needs at least one finding")
    status = Status.PASS
    for candidate in (Status.FAIL, Status.UNKNOWN):
        if any(finding.status is candidate for finding in findings):
            status = candidate
            break
    deciding = join(finding.text for finding in findings if finding.status is status)
    return Verdict(status=status, summary=deciding, findings=findings, figures=figures, remedy=remedy)


def passed(summary: Text, **figures: Figure) -> Verdict:
    """Return a verdict that lets through."""
    return verdict(holds(True, summary), remedy=None, **figures)  # noqa: FBT003


def failed(summary: Text, *, remedy: Text | None = None, **figures: Figure) -> Verdict:
    """Return a verdict that holds back."""
    return verdict(holds(False, summary), remedy=remedy, **figures)  # noqa: FBT003


def unknown(summary: Text, *, remedy: Text | None = None, **figures: Figure) -> Verdict:
    """Return the verdict of a box that was not measured: it does not let through."""
    return verdict(holds(None, summary), remedy=remedy, **figures)


def cleaned(found: Verdict) -> Verdict:
    """Return a verdict whose words can be printed and encoded anywhere.

    Names that come from data may hold line breaks, terminal escapes or halves of surrogate pairs; each becomes a blank.
    """
    return replace(
        found,
        summary=_clean(found.summary),
        findings=tuple(replace(finding, text=_clean(finding.text)) for finding in found.findings),
        figures={
            _printable(name): _printable(figure) if isinstance(figure, str) else figure
            for name, figure in found.figures.items()
        },
        remedy=None if found.remedy is None else _clean(found.remedy),
    )


def _clean(text: Text) -> Text:
    return Text(en=_printable(text.en), ja=_printable(text.ja))


def _printable(words: str) -> str:
    return "".join(each if each.isprintable() else " " for each in words)
