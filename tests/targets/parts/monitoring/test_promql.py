"""Values in PromQL stay data."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.targets.parts.monitoring.promql import duration, literally, selector, string


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_string_is_one_literal(value: str) -> None:
    written = string(value)
    assert json.loads(written) == value  # the escapes that Go and JSON share
    assert "\n" not in written


def test_a_selector_names_its_labels() -> None:
    assert selector("up", job='a"b', instance="c") == r'up{job="a\"b",instance="c"}'


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0s"), (1, "1s"), (60, "1m"), (90, "90s"), (300, "5m"), (3_600, "1h"), (86_400, "1d"), (172_800, "2d")],
)
def test_durations(seconds: int, words: str) -> None:
    assert duration(seconds) == words


def test_no_template_is_left_in_words() -> None:
    assert literally("{{7*7}} {{ x }}") == '{{ "{{" }}7*7}} {{ "{{" }} x }}'
