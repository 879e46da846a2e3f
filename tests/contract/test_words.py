"""Every section and key has words in both languages, and no words are left over."""

from __future__ import annotations

import re

import pytest

from sekisho.contract.keys import Key, choices, expected, tables
from sekisho.contract.words import EXAMPLES, KEY_WORDS, SECTION_WORDS
from sekisho.text import Text

KEYS = [key for table in tables() for key in table.keys]
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


def test_every_section_and_key_has_words_and_none_are_left_over() -> None:
    assert set(SECTION_WORDS) == {table.name for table in tables()} - {""}
    assert set(KEY_WORDS) == {key.name for key in KEYS}


@pytest.mark.parametrize("name", sorted({**SECTION_WORDS, **KEY_WORDS}))
def test_words_are_sentences_in_both_languages(name: str) -> None:
    words = ({**SECTION_WORDS, **KEY_WORDS})[name]
    assert words.en[0].isupper()
    assert words.en.endswith((".", "?"))
    assert words.ja.endswith(("。",))
    assert JAPANESE.search(words.ja)
    assert not JAPANESE.search(words.en)
    assert "\n" not in words.en + words.ja
    assert max(len(words.en), len(words.ja)) <= 118  # with the comment mark, one line of a file


def test_there_is_an_example_exactly_where_there_is_no_default() -> None:
    without = {key.name for key in KEYS if key.default is None or key.default == ()}
    assert set(EXAMPLES) == without


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_what_a_key_accepts_can_be_said(key: Key) -> None:
    words = expected(key.type)
    assert words.en
    assert words.ja
    for choice in choices(key.type):
        assert str(choice) in words.en
        assert str(choice) in words.ja


def test_numbers_say_their_bounds() -> None:
    said = {key.name: expected(key.type) for key in KEYS}
    assert said["quality.confidence"] == Text(en="a number (> 0.5, < 1)", ja="数値 (> 0.5, < 1)")
    assert said["serving.maximum_body_bytes"].en == "a whole number (≥ 1,024)"
    assert said["quality.threshold"].en == "a number"
    assert said["model.artifact"].en == "a path inside the project's folder"
