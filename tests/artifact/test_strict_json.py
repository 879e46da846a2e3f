"""JSON that can be read one way only."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.artifact import strict_json
from sekisho.errors import IntegrityError

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_read(value: Any) -> None:
    assert strict_json.decode(strict_json.encode(value), Any, where="x") == value


@given(st.dictionaries(st.text(), st.integers(-5, 5)))
def test_one_text_for_one_value(value: dict[str, int]) -> None:
    assert strict_json.encode(value) == strict_json.encode(dict(reversed(value.items())))


class Point(msgspec.Struct, forbid_unknown_fields=True):
    x: int


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"x": 1, "x": 2}', "twice"),
        (b'{"x": NaN}', "not a number"),
        (b'{"x": Infinity}', "not a number"),
        (b'{"x": -Infinity}', "not a number"),
        (b'{"x": "1"}', "Expected `int`"),
        (b'{"x": 1.5}', "Expected `int`"),
        (b'{"x": true}', "Expected `int`"),
        (b'{"x": 1, "y": 2}', "unknown field"),
        (b"{}", "missing required field"),
        (b"[" * 200_000, "deeper"),
        (b'{"x":' * 40, "deeper"),
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"x": 1} {"x": 1}', "not JSON"),
        (b'{"x": 1,}', "not JSON"),
        (b" " * 101, "larger"),
    ],
)
def test_what_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(IntegrityError, match=words) as caught:
        strict_json.decode(data, Point, where="point.json", most_bytes=10_000_000 if len(data) != 101 else 100)
    assert str(caught.value).startswith("point.json: ")
    assert "\n" not in str(caught.value)


def test_brackets_in_strings_are_no_depth() -> None:
    assert strict_json.decode(b'["' + b"[" * 1000 + b'\\"["]', list[str], where="x") == ["[" * 1000 + '"[']
