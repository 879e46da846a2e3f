"""The written contract says what the code does: its defaults are the code's, and every line in it can be set."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.contract.keys import tables
from sekisho.contract.loader import read_contract
from sekisho.contract.sections import Contract, Model
from sekisho.contract.template import render_contract, toml_value
from sekisho.contract.words import EXAMPLES, KEY_WORDS, SECTION_WORDS
from sekisho.text import LANGUAGES, Language

LEAST = {"model": {"name": "m"}}
BOTH = pytest.mark.parametrize("language", LANGUAGES)


def read(text: str) -> Contract:
    return read_contract(text.encode(), "f")


def everything_set(text: str) -> str:
    """Take the ``#`` away from every commented key."""
    return re.sub(r"(?m)^#(?=[^ :])", "", text)


def at(values: Any, name: str) -> Any:
    for part in filter(None, name.split(".")):
        values = values[part]
    return values


@BOTH
def test_what_is_written_loads_and_says_no_more_than_it_was_given(language: Language) -> None:
    assert read(render_contract(LEAST, language)) == Contract(model=Model(name="m"))


@BOTH
def test_every_commented_line_can_be_set_and_shows_the_default(language: Language) -> None:
    whole = read(everything_set(render_contract(LEAST, language)))
    said = msgspec.to_builtins(whole)
    plain = msgspec.to_builtins(Contract(model=Model(name="m")))
    for table in tables():
        for key in table.keys:
            if key.name in EXAMPLES:
                continue
            if table.repeated:
                (here,), there = at(said, table.name), {key.short_name: key.default}
            else:
                here, there = (at(plain_or_said, table.name) for plain_or_said in (said, plain))
            assert here[key.short_name] == there[key.short_name], key.name


@BOTH
def test_every_section_key_and_word_stands_in_it(language: Language) -> None:
    text = render_contract(LEAST, language)
    for table in tables():
        if table.name:
            assert f"# ── {SECTION_WORDS[table.name].of(language)}" in text
            assert re.search(rf"(?m)^#?\[{{1,2}}{re.escape(table.name)}\]{{1,2}}$", text)
        for key in table.keys:
            assert f"\n# {KEY_WORDS[key.name].of(language)}" in text
            assert re.search(rf"(?m)^#?{key.short_name} = ", text)


@BOTH
def test_examples_are_marked_and_defaults_are_not(language: Language) -> None:
    mark = {"en": "# example", "ja": "# 例"}[language]
    text = render_contract(LEAST, language)
    assert f'#owner = "risk-team@example.com"  {mark}' in text
    assert "\n#workers = 1\n" in text
    assert text.count(mark) == len(EXAMPLES) - 1  # the name is set


def test_what_is_set_stands_there_and_the_rest_is_commented() -> None:
    values: dict[str, Any] = {
        "model": {"name": "m", "owner": 'a "quoted" name'},
        "quality": {"metric": "roc_auc", "threshold": np.float64(0.8), "reason": None},
        "serving": {"workers": 2, "mapping": {"label": "y", "request": '{"x": "{named}"}'}},
        "fairness": {"attributes": ("SEX", "RAC1P")},
        "waivers": [
            {"box": "testing/unit", "reason": "1\n2", "owner": "o", "expires": dt.date(2027, 1, 1)},
            {"box": "testing/load", "reason": "r", "owner": "o", "expires": dt.date(2027, 1, 2)},
        ],
    }
    text = render_contract(values, "en")
    contract = read(text)
    assert contract.model.owner == 'a "quoted" name'
    assert contract.quality.threshold == 0.8
    assert contract.quality.reason is None
    assert contract.serving.workers == 2
    assert contract.serving.mapping.request == '{"x": "{named}"}'
    assert contract.fairness.attributes == ("SEX", "RAC1P")
    assert [waiver.reason for waiver in contract.waivers] == ["1\n2", "r"]
    assert "\n#seed = " in text
    assert "#[[waivers]]" not in text
    assert "#[[sign_offs]]" in text


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"modle": {}}, "modle"),
        ({"model": {"nmae": 1}}, "model.nmae"),
        ({"serving": {"mapping": {"x": 1}}}, "serving.mapping.x"),
        ({"waivers": [{"box": "b", "reasn": "r"}]}, "waivers.reasn"),
    ],
)
def test_what_no_contract_has_is_refused(values: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        render_contract(values, "en")


SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.dates(),
    st.text(st.characters(exclude_categories=["Cs"])),
)


@given(st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=6))
def test_a_value_is_read_as_it_was_written(value: object) -> None:
    assert tomllib.loads(f"x = {toml_value(value)}") == {"x": value}


def test_what_toml_does_not_know_is_refused() -> None:
    for value in (None, object(), {"a": 1}):
        with pytest.raises(TypeError):
            toml_value(value)
