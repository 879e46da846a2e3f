"""Words in both languages, and how the language is chosen."""

from __future__ import annotations

import threading

import pytest

from sekisho.text import LANGUAGES, Text, join, language, set_language, use_language, verbatim

READY = Text(en="ready", ja="準備完了")


@pytest.fixture(autouse=True)
def no_language(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEKISHO_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)


def test_a_text_reads_in_the_language_in_use() -> None:
    assert (READY.of("en"), READY.of("ja")) == ("ready", "準備完了")
    with use_language("ja"):
        assert str(READY) == f"{READY}" == "準備完了"
    assert str(READY) == "ready"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LANG": "C"}, "en"),
        ({"LANG": "ja_JP.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "ja_JP"}, "ja"),
        ({"LC_ALL": "ja_JP.UTF-8", "SEKISHO_LANG": "en"}, "en"),
        ({"LC_ALL": "", "LANG": "JA"}, "ja"),
    ],
)
def test_the_environment_chooses_as_posix_says(
    environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert language() == expected


def test_a_choice_beats_the_environment_until_it_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEKISHO_LANG", "ja")
    set_language("en")
    assert language() == "en"
    set_language(None)
    assert language() == "ja"


def test_an_inner_choice_ends_with_its_block() -> None:
    with use_language("ja"):
        with pytest.raises(RuntimeError), use_language("en"):
            raise RuntimeError
        assert language() == "ja"


def test_a_choice_is_of_its_own_context_only() -> None:
    seen: list[str] = []
    with use_language("ja"):
        thread = threading.Thread(target=lambda: seen.append(language()))
        thread.start()
        thread.join()
    assert seen == ["en"]


def test_joined_sentences_are_set_as_each_language_sets_them() -> None:
    both = join([Text(en="a", ja="あ"), Text(en="b", ja="い")])
    assert (both.en, both.ja) == ("a; b", "あ。い")
    assert join([]) == verbatim("")


def test_there_are_two_languages() -> None:
    assert LANGUAGES == ("en", "ja")
