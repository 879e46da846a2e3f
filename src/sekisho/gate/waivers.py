"""What the contract says of a box beside its verdict: that it does not apply, or that the model may go live without it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

from sekisho.contract.statements import Standing, active_waiver, not_applicable
from sekisho.gate.verdict import Finding, Status, Verdict
from sekisho.text import Text, join

if TYPE_CHECKING:
    from sekisho.contract.sections import Contract


def declared_not_applicable(contract: Contract, box: str) -> Verdict | None:
    """Return the verdict ``not-applicable`` with the contract's reason, or ``None`` if the box applies."""
    statement = not_applicable(contract, box)
    if statement is None:
        return None
    summary = Text(
        en=f"does not apply: {statement.reason} ({statement.owner})",
        ja=f"対象外: {statement.reason}（{statement.owner}）",
    )
    finding = Finding(status=Status.NOT_APPLICABLE, text=summary)
    return Verdict(status=Status.NOT_APPLICABLE, summary=summary, findings=(finding,))


def waive(contract: Contract, box: str, verdict: Verdict, today: dt.date) -> Verdict:
    """Return ``verdict``, waived if it holds back and the contract gives leave that still counts.

    What was found stays in the findings. An expired waiver changes nothing but says so.

    Args:
        contract: The contract with its waivers.
        box: The id of the box.
        verdict: What its check said.
        today: The day on which the waiver must count.

    """
    if verdict.status.lets_through:
        return verdict
    waived = active_waiver(contract, box, today)
    if waived is None:
        return verdict
    statement = waived.statement
    if waived.standing is not Standing.VALID:
        lapsed = Text(
            en=f"the waiver of {statement.owner} expired on {statement.expires}",
            ja=f"{statement.owner} による免除は {statement.expires} に失効しました",
        )
        return replace(
            verdict,
            summary=join((verdict.summary, lapsed)),
            findings=(*verdict.findings, Finding(status=Status.FAIL, text=lapsed)),
        )
    leave = Text(
        en=f"waived by {statement.owner} until {statement.expires}: {statement.reason}",
        ja=f"{statement.owner} が {statement.expires} まで免除: {statement.reason}",
    )
    return replace(
        verdict,
        status=Status.WAIVED,
        summary=leave,
        findings=(*verdict.findings, Finding(status=Status.WAIVED, text=leave)),
    )
