"""What one box wants, why, how it is measured, and how it looks when it passes and when it fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sekisho.gate.probe import Probe
from sekisho.gate.selection import in_order, select
from sekisho.gate.testing import judge_example
from sekisho.gate.verdict import Status
from sekisho.text import Text, verbatim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.gate.check import Check
    from sekisho.gate.graph import Units


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """All that is to be said about a box.

    Attributes:
        id: Section and name.
        title: The box, as the checklist words it.
        why: What goes wrong in production without it.
        remedy: What to do when it fails.
        probes: What measures it.
        examples: What its check says of its own examples, in their order.

    """

    id: str
    title: Text
    why: Text
    remedy: Text
    probes: tuple[Probe, ...]
    examples: tuple[tuple[Status, Text], ...]


def explain(units: Units, id_: str) -> Explanation:
    """Return what is to be said about the box ``id_``.

    Raises:
        NotFound: There is no such box, or more than one fits.

    """
    known = in_order(units.checks)
    (box, *_) = select([id_], known)
    check = units.checks.get(box)
    if check is None:
        none = Text(en="no check for this box is installed", ja="この項目の検査がインストールされていません")
        return Explanation(id=box, title=verbatim(box), why=none, remedy=none, probes=(), examples=())
    judged = (judge_example(check, example) for example in check.examples)
    return Explanation(
        id=box,
        title=check.title,
        why=check.why,
        remedy=check.remedy,
        probes=tuple(_probes(units, check)),
        examples=tuple((verdict.status, verdict.summary) for verdict in judged),
    )


def _probes(units: Units, check: Check) -> Iterator[Probe]:
    for need in check.needs.values():
        maker = units.makers.get(need.kind)
        if isinstance(maker, Probe):
            yield maker
