from __future__ import annotations

from collections.abc import Callable

import pytest

from sekisho.contract.boxes import BOXES
from sekisho.contract.project import contract_digest
from sekisho.contract.sections import Contract
from sekisho.gate.evidence import Evidence, evidence_of
from sekisho.gate.report import Item, Report
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Status, Verdict
from sekisho.text import Text

MakeReport = Callable[..., Report]

WORDS = Text(en="480 of 500 requests were let in; the limit is 100", ja="500件中480件が通過しました（上限100）")
CYCLE = (Status.PASS, Status.FAIL, Status.UNKNOWN, Status.WAIVED, Status.NOT_APPLICABLE)


def evidence(fact: object, probe: str) -> Evidence[object]:
    return evidence_of(
        fact,
        probe=probe,
        inputs={"Contract": "ab" * 32, "TestSet": ""},
        measured_at="2026-11-24T01:02:03Z",
        seconds=4.25,
        machine={"processor": "Some CPU @ 2.5 GHz", "cores": "2", "memory": "24.0 GiB", "system": "Linux 6 x86_64"},
        versions={"python": "3.11.7", "sekisho": "0.1.0", "numpy": "2.3.0"},
        command=f"sekisho check {probe} --fresh",
    )


def item(id_: str, status: Status, words: Text, kept: tuple[Evidence[object], ...] = ()) -> Item:
    findings = (
        Finding(status=status, text=words),
        Finding(status=Status.PASS, text=Text(en="also seen", ja="確認済み")),
    )
    return Item(
        id=id_,
        title=Text(en=f"Title of {id_}", ja=f"{id_} の見出し"),
        why=Text(en="Without it things go wrong.", ja="これがないと問題が起きます。"),
        verdict=Verdict(
            status=status,
            summary=words,
            findings=findings,
            figures={"accepted_per_second": 480.25, "n": 12_345, "strict": True, "note": words.en, "none": None},
        ),
        evidence=tuple(each.id for each in kept),
        remedy=None
        if status in {Status.PASS, Status.NOT_APPLICABLE}
        else Text(en="Set a limit.", ja="上限を設定してください。"),
    )


@pytest.fixture
def make_report() -> MakeReport:
    """Return a function that makes a report in which every status occurs."""

    def make(
        *,
        words: Text = WORDS,
        statuses: tuple[Status, ...] = CYCLE,
        facts: tuple[object, ...] = (),
        contract: Contract | None = None,
        **changes: object,
    ) -> Report:
        contract = contract or example_contract()
        kept = tuple(evidence(fact, "security/flood") for fact in facts)
        items = tuple(item(box, statuses[place % len(statuses)], words, kept) for place, box in enumerate(BOXES))
        fields: dict[str, object] = {
            "model": contract.model.name,
            "artifact": "0123456789abcdef" * 4,
            "contract": contract_digest(contract),
            "terms": contract,
            "items": items,
            "evidence": {each.id: each for each in kept},
            "generated_at": "2026-11-24T01:02:30Z",
            "seconds": 42.0,
            "machine": {"processor": "Some CPU @ 2.5 GHz", "cores": "2", "memory": "24.0 GiB", "system": "Linux"},
            "complete": True,
        }
        return Report(**(fields | changes))  # type: ignore[arg-type]

    return make
