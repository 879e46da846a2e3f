from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.gate.evidence import Evidence, evidence_of, fact_digest, read_evidence


@dataclass(frozen=True, kw_only=True)
class Part:
    name: str
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Fact:
    n: int
    share: float
    label: str | None
    parts: tuple[Part, ...]


def evidence(fact: Fact) -> Evidence[Fact]:
    return evidence_of(
        fact,
        probe="quality/some",
        inputs={"TestSet": "ab"},
        measured_at="2026-11-24T01:02:03Z",
        seconds=1.5,
        machine={"cores": "2"},
        versions={"python": "3.11"},
        command="sekisho check quality/some --fresh",
    )


facts = st.builds(
    Fact,
    n=st.integers(-(2**53), 2**53),
    share=st.floats(allow_nan=False, allow_infinity=False),
    label=st.none() | st.text(),
    parts=st.lists(
        st.builds(Part, name=st.text(), values=st.lists(st.floats(allow_nan=False, allow_infinity=False)).map(tuple))
    ).map(tuple),
)


@given(facts)
def test_evidence_comes_back_from_its_body_as_it_was(fact: Fact) -> None:
    kept = evidence(fact)
    assert kept.fact == fact
    assert read_evidence(kept.body, Fact) == kept


@given(facts)
def test_the_id_is_the_digest_of_all_the_rest(fact: Fact) -> None:
    kept = evidence(fact)
    assert kept.id == hashlib.sha256(kept.body).hexdigest()
    assert hashlib.sha256(replace(kept, seconds=2.5).body).hexdigest() != kept.id
    assert hashlib.sha256(replace(kept, fact=replace(fact, n=fact.n + 1)).body).hexdigest() != kept.id


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_figure_that_json_has_no_word_for_is_no_evidence(value: float) -> None:
    with pytest.raises(ValueError, match="Expected `float`, got `null`"):
        evidence(Fact(n=1, share=value, label=None, parts=()))


def test_a_body_of_another_fact_is_refused() -> None:
    body = evidence(Fact(n=1, share=0.5, label=None, parts=())).body
    with pytest.raises(ValueError, match="missing required field"):
        read_evidence(body, Part)


def test_the_digest_of_a_fact_is_that_of_its_content() -> None:
    one = Fact(n=1, share=0.5, label="x", parts=())
    assert fact_digest(one) == fact_digest(replace(one))
    assert fact_digest(one) != fact_digest(replace(one, label="y"))
