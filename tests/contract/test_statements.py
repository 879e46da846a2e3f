"""Whether what a person stated counts: for this artifact, on this day, checked by somebody else."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.contract.sections import Contract, Model, NotApplicable, SignOff, Waiver
from sekisho.contract.statements import Standing, active_waiver, not_applicable, same_person, sign_off

DIGEST = "0123456789abcdef" * 4
OTHER = "f" * 64
BOX = "monitoring/alerts"
ISSUED = dt.date(2027, 1, 1)
EXPIRES = dt.date(2027, 6, 30)


def statement(
    *,
    box: str = BOX,
    reviewer: str = "Ren",
    artifact: str = DIGEST,
    issued: dt.date = ISSUED,
    expires: dt.date = EXPIRES,
) -> SignOff:
    return SignOff(
        box=box,
        statement="s",
        author="Aoi",
        reviewer=reviewer,
        artifact=artifact,
        issued=issued,
        expires=expires,
    )


def contract(*sign_offs: SignOff, waivers: tuple[Waiver, ...] = ()) -> Contract:
    return Contract(model=Model(name="m"), sign_offs=sign_offs, waivers=waivers)


@pytest.mark.parametrize(
    ("signed", "today", "standing"),
    [
        (statement(), ISSUED, Standing.VALID),
        (statement(), EXPIRES, Standing.VALID),
        (statement(), EXPIRES + dt.timedelta(days=1), Standing.EXPIRED),
        (statement(), ISSUED - dt.timedelta(days=1), Standing.NOT_YET_ISSUED),
        (statement(artifact=OTHER), ISSUED, Standing.WRONG_ARTIFACT),
        (statement(reviewer="aoi "), ISSUED, Standing.SELF_REVIEWED),
        (statement(artifact=f"sha256:{DIGEST}"), ISSUED, Standing.VALID),
    ],
)
def test_a_sign_off_counts_or_says_why_not(signed: SignOff, today: dt.date, standing: Standing) -> None:
    found = sign_off(contract(signed), BOX, DIGEST, today)
    assert found is not None
    assert (found.statement, found.standing) == (signed, standing)


@given(st.integers(0, 63), st.sampled_from("0123456789abcdef"))
def test_one_changed_digit_of_the_digest_and_it_falls(index: int, digit: str) -> None:
    changed = DIGEST[:index] + digit + DIGEST[index + 1 :]
    found = sign_off(contract(statement(artifact=changed)), BOX, DIGEST, ISSUED)
    assert found is not None
    assert (found.standing is Standing.VALID) == (changed == DIGEST)


def test_the_one_that_counts_is_chosen_wherever_it_stands() -> None:
    old = statement(expires=ISSUED)
    newer = statement(issued=dt.date(2027, 3, 1), artifact=OTHER)
    good = statement(issued=dt.date(2027, 2, 1))
    for order in ((old, newer, good), (good, newer, old), (newer, good, old)):
        found = sign_off(contract(*order), BOX, DIGEST, dt.date(2027, 4, 1))
        assert found is not None
        assert found.statement is good
    found = sign_off(contract(old, newer), BOX, DIGEST, dt.date(2027, 4, 1))
    assert found is not None
    assert found.statement is newer


def test_what_is_stated_of_another_box_does_not_count() -> None:
    assert sign_off(contract(statement(box="testing/unit")), BOX, DIGEST, ISSUED) is None
    assert sign_off(contract(), BOX, DIGEST, ISSUED) is None


def test_a_waiver_counts_until_its_last_day() -> None:
    waiver = Waiver(box=BOX, reason="r", owner="o", expires=EXPIRES)
    for today, standing in ((EXPIRES, Standing.VALID), (EXPIRES + dt.timedelta(days=1), Standing.EXPIRED)):
        found = active_waiver(contract(waivers=(waiver,)), BOX, today)
        assert found is not None
        assert (found.statement, found.standing) == (waiver, standing)
    assert active_waiver(contract(waivers=(waiver,)), "testing/unit", ISSUED) is None


def test_the_waiver_that_lasts_longest_counts() -> None:
    waivers = tuple(Waiver(box=BOX, reason="r", owner="o", expires=dt.date(2027, month, 1)) for month in (2, 5, 3))
    found = active_waiver(contract(waivers=waivers), BOX, dt.date(2027, 4, 1))
    assert found is not None
    assert found.statement is waivers[1]


def test_what_does_not_apply_says_so() -> None:
    said = NotApplicable(box=BOX, reason="r", owner="o")
    stated = Contract(model=Model(name="m"), not_applicable=(said,))
    assert not_applicable(stated, BOX) is said
    assert not_applicable(stated, "testing/unit") is None


def test_the_same_person_is_known_whatever_the_letters() -> None:
    assert same_person("Straße  Ａ", " strasse a")
    assert not same_person("Aoi", "Ren")
