"""JSON by the letter: what is read quickly is what is read slowly, and nothing stands twice unseen."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.errors import InvalidInput
from sekisho.predict.json_text import parse

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def same(one: Any, other: Any) -> bool:
    return repr(one) == repr(other)


@given(VALUES, st.sampled_from([None, 1]))
def test_it_reads_what_python_reads(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    try:
        body = text.encode()
    except UnicodeEncodeError:
        return
    assert same(parse(body), json.loads(text))


@given(st.dictionaries(st.text(min_size=1, max_size=4).filter(str.isalnum), VALUES, min_size=1, max_size=4))
def test_no_key_stands_twice_unseen(value: dict[str, Any]) -> None:
    whole = json.dumps({"outer": [value]})
    name = json.dumps(next(iter(value)))
    place = whole.index("[{") + 2
    escaped = f'"\\u{ord(json.loads(name)[0]):04x}{name[2:]}'
    for again in (name, escaped if name[1] != "\\" else name):
        with pytest.raises(InvalidInput) as refused:
            parse(f"{whole[:place]}{again}: 0, {whole[place:]}".encode())
        assert refused.value.code == "duplicate_key"


@pytest.mark.parametrize("number", [2**63, 2**64, 2**64 + 1, 10**30, -(2**63) - 1])
def test_whole_numbers_beyond_64_bits_stay_whole(number: int) -> None:
    assert same(parse(b"[%d]" % number), [number])


@pytest.mark.parametrize(("begin", "end"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth_is_read_or_refused(begin: bytes, end: bytes) -> None:
    for depth in (200, 300):
        parse(begin * depth + b"1" + end * depth)
    for depth in (5_000, 100_000):
        with pytest.raises(InvalidInput) as refused:
            parse(begin * depth + b"1" + end * depth)
        assert refused.value.code == "malformed_json"


@pytest.mark.parametrize("depth", range(300, 1_100, 37))
def test_near_the_limit_nothing_else_happens(depth: int) -> None:
    with suppress(InvalidInput):
        parse(b"[" * depth + b"1" + b"]" * depth)
