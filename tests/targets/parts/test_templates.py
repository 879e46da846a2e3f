"""Values in templates stay data."""

from __future__ import annotations

import ast
import json
import subprocess
from collections.abc import Iterator

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.targets.parts import templates
from sekisho.targets.parts.templates import (
    Comment,
    dockerfile_string,
    json_value,
    one_line,
    python_literal,
    shell_words,
)

HOSTILE = "\"'$(id)`id`${HOME}\n{{7*7}}{% raw %}<script>alert(1)</script>%0a\\ #"
text = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | text, lambda below: st.lists(below) | st.dictionaries(text, below)
)


@pytest.fixture
def from_text(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the test give its templates as text."""
    loader = jinja2.DictLoader(
        {"value.sh.j2": "{{ value }}", "value.dockerfile.j2": "LABEL a={{ value }}\n", "value.py.j2": "{{ value }}"}
    )
    monkeypatch.setattr(jinja2, "PackageLoader", lambda *_: loader)
    templates._environment.cache_clear()
    yield
    templates._environment.cache_clear()


@pytest.mark.usefixtures("from_text")
@pytest.mark.parametrize("template", ["value.sh.j2", "value.dockerfile.j2", "value.py.j2"])
def test_a_missing_name_is_an_error(template: str) -> None:
    with pytest.raises(jinja2.UndefinedError):
        templates.fill(template)


@pytest.mark.usefixtures("from_text")
def test_every_value_is_written_as_its_format_has_it() -> None:
    assert templates.fill("value.sh.j2", value=HOSTILE) == shell_words(HOSTILE)
    assert templates.fill("value.dockerfile.j2", value=HOSTILE) == f"LABEL a={dockerfile_string(HOSTILE)}\n"
    assert templates.fill("value.py.j2", value=HOSTILE) == python_literal(HOSTILE)


@given(json_values)
def test_python_reads_its_literal_back(value: object) -> None:
    assert ast.literal_eval(python_literal(value)) == value


@given(json_values)
def test_json_is_read_back_and_closes_no_tag(value: object) -> None:
    written = json_value(value)
    assert json.loads(written) == value
    assert not set("<>&") & set(written)


def test_a_shell_reads_its_word_back() -> None:
    answer = subprocess.run(
        ["sh", "-c", f"printf %s {shell_words(HOSTILE)}"], capture_output=True, check=True, text=True
    )
    assert answer.stdout == HOSTILE


@given(text)
def test_a_dockerfile_word_stays_on_its_line_and_expands_nothing(value: str) -> None:
    written = dockerfile_string(value)
    assert _unquoted(written) == one_line(value)


def _unquoted(word: str) -> str:
    """Read a word as the Dockerfile's own lexer does: quotes toggle, a backslash escapes, a bare ``$`` would expand."""
    characters, result, inside = iter(word), "", False
    for character in characters:
        assert character not in "$\n\r", "this would be expanded, or end the line"
        if character == '"':
            inside = not inside
        else:
            assert inside or character == "\\", "a blank outside of quotes would end the word"
            result += next(characters) if character == "\\" else character
    assert not inside
    return result


def test_a_comment_stays_a_comment() -> None:
    assert Comment("one\rRUN id\ntwo\u2028RUN id\n").text == "# one RUN id\n# two RUN id\n#"
