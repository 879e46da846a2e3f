"""Whatever goes into a YAML file is read back as it was."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sekisho.targets.parts.yaml import Yaml, quoted, to_yaml

text = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda below: st.lists(below) | st.dictionaries(text, below),
)


@given(values)
def test_is_read_back(value: Yaml) -> None:
    assert yaml.safe_load(to_yaml(value)) == value


@given(st.dictionaries(text, text))
def test_keys_keep_their_order(value: dict[str, str]) -> None:
    assert list(yaml.safe_load(to_yaml(value)) or {}) == list(value)


@pytest.mark.parametrize(
    "word",
    [
        "yes",
        "No",
        "off",
        "null",
        "~",
        "1",
        "1.5",
        "1e3",
        "0x10",
        "2026-11-24",
        "12:30",
        "- a",
        "a: b",
        "a #b",
        "",
        " ",
        "*a",
        "&a",
        "!t",
    ],
)
def test_words_that_mean_something_stay_text(word: str) -> None:
    assert yaml.safe_load(to_yaml({"key": word})) == {"key": word}


def test_reads_well() -> None:
    document: Yaml = {
        "services": {
            "model": {"image": "model:1", "ports": [{"target": 8080}], "tmpfs": ["/tmp"], "none": {}, "nothing": []}
        }
    }
    assert to_yaml(document) == (
        'services:\n  model:\n    image: "model:1"\n    ports:\n      - target: 8080\n    tmpfs:\n      - /tmp\n    none: {}\n    nothing: []\n'
    )


def test_a_line_break_cannot_end_a_value() -> None:
    assert "\n" not in quoted('name"\nevil: true')


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        to_yaml({"limit": number})
