"""The fault table: every request in it is wrong, in the way that its name says, and never twice the same value."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from sekisho import shelf
from sekisho.artifact.signature import Feature, Output, Signature
from sekisho.artifact.table import Scalar, Table
from sekisho.checks.inference.errors import in_japanese
from sekisho.contract.sections import Contract
from sekisho.gate.testing import example_contract
from sekisho.probes.adapters.interface import Speech
from sekisho.probes.inference.faults import _Wrong, _wrong
from sekisho.probes.resources.questions import Questions
from sekisho.probes.resources.service import Service

SIGNATURE = Signature(
    features=(
        Feature(name="age", kind="integer", dtype="int64", nullable=False, minimum=18, maximum=90, example=30),
        Feature(name="plan", kind="category", dtype="object", nullable=True, categories=("a", "b"), example="a"),
    ),
    output=Output(task="binary", classes=(0, 1)),
)


def service_of(contract: Contract) -> Service:
    speech = shelf.units("sekisho.probes.adapters", Speech)[contract.serving.protocol]
    rows: tuple[dict[str, Scalar], ...] = ({"age": 30, "plan": "a"}, {"age": 40, "plan": None})
    asked = Questions(signature=SIGNATURE, table=Table.of(list(rows)), rows=rows)
    adapter = speech.adapt(contract.serving, SIGNATURE.names)
    return Service(contract, asked, adapter=adapter, launcher=None, root=Path(), state=Path())


def table(protocol: str, canary: str = "canary") -> list[_Wrong]:
    contract = example_contract(
        serving={"protocol": protocol, "mapping": {"batch": "/batch"}, "maximum_body_bytes": 2_048}
    )
    return list(_wrong(service_of(contract), contract.serving, canary))


@pytest.mark.parametrize("protocol", ["native", "invocations", "mapping"])
def test_each_fault_has_a_name_of_its_own_in_both_languages(protocol: str) -> None:
    names = [wrong.name for wrong in table(protocol)]
    assert len(set(names)) == len(names) >= 30
    assert all(in_japanese(name) for name in names)


@pytest.mark.parametrize("protocol", ["native", "invocations", "mapping"])
def test_what_is_planted_is_really_sent(protocol: str) -> None:
    planted = [wrong for wrong in table(protocol, "c4n4ry") if wrong.planted]
    assert len(planted) >= 4
    for wrong in planted:
        assert all("c4n4ry" in value for value in wrong.planted)
    assert sum(b"c4n4ry" in wrong.request.body for wrong in planted) >= 4


def test_only_one_row_of_a_batch_is_wrong() -> None:
    (batch,) = (wrong for wrong in table("native") if wrong.name == "batch: one bad row")
    rows = msgspec.json.decode(batch.request.body)
    wrong_rows = [at for at, row in enumerate(rows) if not isinstance(row["features"]["age"], int)]
    assert wrong_rows == [batch.row]


def test_the_body_over_the_limit_is_right_but_for_its_size() -> None:
    (large,) = (wrong for wrong in table("native") if wrong.name == "request: over the size limit")
    assert len(large.request.body) > 2_048
    assert msgspec.json.decode(large.request.body) == {"features": {"age": 30, "plan": "a"}}
