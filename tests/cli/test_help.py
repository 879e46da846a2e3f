"""Help pages are set for terminals where a Japanese character takes two cells."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.cli.help import NEVER_FIRST, NEVER_LAST, HelpPage, cells, say, wrap
from sekisho.text import use_language


def test_wide_characters_take_two_cells() -> None:
    assert cells("関所 a") == 6
    assert cells("ｶﾞ") == 2
    assert cells("e\u0301") == 1


@given(st.lists(st.sampled_from(["関", "所", "は ", "words ", "and", "、"]), max_size=40), st.integers(20, 40))
def test_lines_hold_their_width_and_lose_nothing(pieces: list[str], width: int) -> None:
    text = re.sub("(and)+", "and", re.sub("、+", "、", "".join(pieces)))
    lines = list(wrap(text, width))
    assert "".join("".join(lines).split()) == "".join(text.split())
    for line in lines:
        assert line == line.strip()
        assert cells(line) <= width
    joined = [cells(one + other) for one, other in pairwise(lines)]
    assert all(together > width // 2 for together in joined)  # no line is broken long before it is full


@given(st.text(st.sampled_from("関所。、（）「」は"), min_size=1, max_size=60))
def test_punctuation_neither_begins_nor_ends_a_line(text: str) -> None:
    lines = list(wrap(text, 12))
    assert all(line[0] not in NEVER_FIRST for line in lines[1:])
    assert all(line[-1] not in NEVER_LAST for line in lines[:-1])


def test_english_breaks_between_words_only() -> None:
    assert list(wrap("one two three four", 9)) == ["one two", "three", "four"]


def test_a_line_end_is_no_blank_between_japanese_characters() -> None:
    assert list(wrap("関所、\n道 の\n  one\ntwo", 40)) == ["関所、道 の one two"]


def test_the_library_s_own_words_are_said_again() -> None:
    with use_language("ja"):
        assert say("Show this message and exit.") == "このヘルプを表示して終了する"
        assert say("幅  [default: 5; 1<=x<=9]") == "幅  [既定値: 5; 1<=x<=9]"
        assert say("名前  [required]") == "名前  [必須]"
    with use_language("en"):
        assert say("width  [default: 5]") == "width  [default: 5]"


@pytest.mark.parametrize("terms", [["--a", "--bcd"], ["関", "所所"]])
def test_two_columns_line_up(terms: list[str]) -> None:
    page = HelpPage(width=40)
    page.write_dl([(term, "meaning " * 8) for term in terms])
    starts = {cells(line[: line.index("meaning")]) for line in page.getvalue().splitlines()}
    assert len(starts) == 1


def test_kept_paragraphs_keep_their_lines() -> None:
    page = HelpPage(width=40)
    page.write_text("one\ntwo\n\n\b\nExample:\n  sekisho init\n  sekisho check")
    assert page.getvalue() == "one two\n\nExample:\n  sekisho init\n  sekisho check\n"
