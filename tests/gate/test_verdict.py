from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.gate.verdict import Finding, Status, cleaned, failed, holds, passed, unknown, verdict
from sekisho.text import Text

YES, NO, MAYBE = (Text(en=word, ja=f"{word}です") for word in ("yes", "no", "maybe"))


@given(st.lists(st.sampled_from([True, False, None]), min_size=1))
def test_one_failure_fails_and_one_unknown_is_never_a_pass(conditions: list[bool | None]) -> None:
    said = verdict(*(holds(condition, YES) for condition in conditions))
    expected = Status.FAIL if False in conditions else Status.UNKNOWN if None in conditions else Status.PASS
    assert said.status is expected
    assert said.status.lets_through == (expected is Status.PASS)
    assert len(said.findings) == len(conditions)


def test_the_summary_names_what_decided() -> None:
    said = verdict(holds(True, YES), holds(False, NO), holds(None, MAYBE), accepted=3)
    assert (said.summary.en, said.summary.ja) == ("no", "noです")
    assert said.figures == {"accepted": 3}


def test_a_box_without_a_requirement_proves_nothing() -> None:
    with pytest.raises(ValueError, match="at least one finding"):
        verdict()


def test_short_forms() -> None:
    assert passed(YES).status is Status.PASS
    assert failed(NO, remedy=YES).remedy == YES
    assert unknown(MAYBE).status is Status.UNKNOWN


@pytest.mark.parametrize("status", Status)
def test_what_was_not_measured_never_lets_through(status: Status) -> None:
    assert status.lets_through == (status not in {Status.FAIL, Status.UNKNOWN})


@given(st.text(), st.text())
def test_cleaned_words_can_be_printed_and_lose_nothing_else(en: str, ja: str) -> None:
    words = Text(en=en, ja=ja)
    said = cleaned(verdict(Finding(status=Status.PASS, text=words), figure=en))
    for before, after in ((en, said.summary.en), (ja, said.findings[0].text.ja), (en, said.figures["figure"])):
        assert isinstance(after, str)
        assert after.isprintable()
        assert len(after) == len(before)
        assert all(old == new for old, new in zip(before, after, strict=True) if old.isprintable())
