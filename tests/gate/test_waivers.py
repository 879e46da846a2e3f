from __future__ import annotations

import datetime as dt

import pytest

from sekisho.contract.sections import Contract
from sekisho.gate.attestations import Attestations
from sekisho.gate.testing import EXAMPLE_DIGEST, example_contract
from sekisho.gate.verdict import Status, Verdict, failed, passed, unknown
from sekisho.gate.waivers import declared_not_applicable, waive
from sekisho.text import Text, verbatim

BOX = "security/encryption"
DAY = dt.date(2026, 11, 24)
WORDS = Text(en="plain HTTP", ja="平文のHTTP")


def waived(expires: str) -> Contract:
    return example_contract(waivers=[{"box": BOX, "reason": "inner network", "owner": "mika", "expires": expires}])


@pytest.mark.parametrize("verdict", [failed(WORDS), unknown(WORDS)])
def test_a_waiver_counts_up_to_its_last_day(verdict: Verdict) -> None:
    assert waive(waived("2026-11-24"), BOX, verdict, DAY).status is Status.WAIVED
    late = waive(waived("2026-11-23"), BOX, verdict, DAY)
    assert late.status is verdict.status
    assert "expired on 2026-11-23" in late.summary.en
    assert "2026-11-23 に失効" in late.summary.ja


def test_a_waiver_speaks_of_its_own_box_only() -> None:
    verdict = failed(WORDS)
    assert waive(waived("2999-01-01"), "security/authentication", verdict, DAY) is verdict


def test_a_pass_stays_a_pass() -> None:
    verdict = passed(WORDS)
    assert waive(waived("2999-01-01"), BOX, verdict, DAY) is verdict


def test_a_box_that_does_not_apply_says_why_and_who_said_so() -> None:
    contract = example_contract(not_applicable=[{"box": BOX, "reason": "no network", "owner": "mika"}])
    said = declared_not_applicable(contract, BOX)
    assert said is not None
    assert said.status is Status.NOT_APPLICABLE
    assert "no network" in said.summary.en
    assert "mika" in said.summary.ja
    assert declared_not_applicable(contract, "security/authentication") is None


def signed(**changes: object) -> Contract:
    statement: dict[str, object] = {
        "box": BOX,
        "statement": "the gateway ends TLS",
        "author": "mika",
        "reviewer": "jo",
        "artifact": EXAMPLE_DIGEST,
        "issued": "2026-11-01",
        "expires": "2026-12-31",
    }
    return example_contract(sign_offs=[statement | changes])


def finding(contract: Contract, artifact: str | None = EXAMPLE_DIGEST) -> tuple[Status, str]:
    stated = Attestations(contract=contract, artifact=artifact, today=DAY)
    said = stated.finding(BOX, verbatim("encrypted"))
    return said.status, said.text.en


def test_a_statement_that_counts_passes_with_who_signed_it() -> None:
    status, words = finding(signed())
    assert status is Status.PASS
    assert all(each in words for each in ("the gateway ends TLS", "mika", "jo", "2026-12-31"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"expires": "2026-11-23"}, "expired"),
        ({"issued": "2026-11-25"}, "future"),
        ({"artifact": "f" * 64}, "another artifact"),
        ({"reviewer": " MIKA "}, "one person"),
    ],
)
def test_a_statement_falls_and_the_reason_is_said(changes: dict[str, object], reason: str) -> None:
    status, words = finding(signed(**changes))
    assert status is Status.UNKNOWN
    assert reason in words


def test_without_a_statement_or_an_artifact_nothing_is_signed() -> None:
    assert finding(example_contract())[0] is Status.UNKNOWN
    assert finding(signed(), artifact=None)[0] is Status.UNKNOWN
