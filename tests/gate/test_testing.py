from __future__ import annotations

from dataclasses import dataclass

import msgspec
import pytest

from sekisho.contract.sections import Contract, Security
from sekisho.gate.check import Example, check
from sekisho.gate.testing import example_contract, judge_example
from sekisho.gate.verdict import Status, Verdict, holds, unknown, verdict
from sekisho.text import verbatim

WORDS = verbatim("words")


@dataclass(frozen=True, kw_only=True)
class Flood:
    accepted: float


@check("security/rate-limiting", title=WORDS, why=WORDS, remedy=WORDS)
def box(contract: Contract, flood: Flood | None) -> Verdict:
    if flood is None:
        return unknown(WORDS)
    return verdict(holds(flood.accepted <= (contract.security.rate_limit or 0), WORDS))


box.passes(example_contract(security={"rate_limit": 100}), Flood(accepted=99.0))
box.fails(example_contract(security=Security(rate_limit=100)), Flood(accepted=101.0))
box.is_unknown(example_contract(), None)


def test_examples_are_judged_as_the_gate_judges() -> None:
    said = [judge_example(box, example).status for example in box.examples]
    assert said == [Status.PASS, Status.FAIL, Status.UNKNOWN] == [example.status for example in box.examples]


def test_an_example_contract_is_checked_as_the_loader_checks_it() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"security\.rate_limit"):
        example_contract(security={"rate_limit": -1})
    with pytest.raises(msgspec.ValidationError, match="secrity"):
        example_contract(secrity={})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((example_contract(),), "1 of 2 parameters"), ((example_contract(), 3), "gives int for flood: Flood")],
)
def test_an_example_must_give_each_parameter_its_type(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        judge_example(box, Example(Status.PASS, arguments))
