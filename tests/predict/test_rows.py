"""Rows are read alike by the compiled decoder and by the rules in Python, and refused with the same place and code."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.artifact.signature import Feature, Output, Signature
from sekisho.errors import InvalidInput
from sekisho.predict import json_text
from sekisho.predict.cells import expected, read_cell
from sekisho.predict.rows import RowReader

OUTPUT = Output(task="regression")


def feature(name: str, kind: Any, *, nullable: bool = False, **more: Any) -> Feature:
    return Feature(name=name, kind=kind, dtype="object", nullable=nullable, **more)


FEATURES = (
    feature("a float", "float"),
    feature("float?", "float", nullable=True),
    feature("integer", "integer"),
    feature("integer?", "integer", nullable=True),
    feature("boolean", "boolean", categories=(False, True)),
    feature("boolean?", "boolean", nullable=True),
    feature("category", "category", categories=("x", "y")),
    feature("codes", "category", categories=(1, 2)),
    feature("mixed?", "category", nullable=True, categories=("x", 1, True)),
    feature("text", "text"),
    feature("日時", "datetime"),
    feature("moment?", "datetime", nullable=True),
)
SIGNATURE = Signature(features=FEATURES, output=OUTPUT)
READER = RowReader(SIGNATURE)
DECODER = msgspec.json.Decoder(READER.wire_type)
GOOD: list[Any] = [1.5, None, 3, None, True, None, "x", 2, 1, "words", "2026-01-31T09:30:00+09:00", None]

JSON_CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(
        ["2026-02-30T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01", "0000-01-01T00:00:00Z", "2026-01-01T00:00:00Z"]
    ),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def judge(body: bytes) -> tuple[Any, str | None]:
    """Return the row, or the field that is at fault."""
    try:
        return READER.read(json_text.parse(body), row=0), None
    except InvalidInput as error:
        return None, error.field


@given(place=st.integers(0, len(FEATURES) - 1), cell=JSON_CELLS)
def test_the_decoder_and_the_rules_agree(place: int, cell: Any) -> None:
    row = [*GOOD[:place], cell, *GOOD[place + 1 :]]
    body = json.dumps(row).encode()
    try:
        compiled: Any = READER.cells(DECODER.decode(body))
    except msgspec.ValidationError:
        compiled = None
    judged, refused = judge(body)
    if judged is None:
        assert compiled is None
        assert refused == FEATURES[place].name
        return
    if compiled is None:
        # What only the rules take: whole numbers written with a point, and numbers that 64 bits do not hold but a float does.
        assert isinstance(cell, int | float)
        return
    assert judged == compiled
    assert list(map(type, judged)) == list(map(type, compiled))


@given(order=st.permutations(range(len(FEATURES))))
def test_names_count_and_their_order_does_not(order: list[int]) -> None:
    body = json.dumps({FEATURES[place].name: GOOD[place] for place in order}).encode()
    assert READER.cells(DECODER.decode(body)) == READER.cells(DECODER.decode(json.dumps(GOOD).encode()))


def test_cells_come_out_as_what_they_mean() -> None:
    row = READER.cells(DECODER.decode(json.dumps(GOOD).encode()))
    assert row[10] == dt.datetime(2026, 1, 31, 0, 30, tzinfo=dt.UTC)
    assert row[:3] == (1.5, None, 3)


def test_names_that_json_must_escape_are_read_too() -> None:
    names = ('say "so"', "back\\slash", "tab\t", "line\n")
    reader = RowReader(Signature(features=tuple(feature(name, "float") for name in names), output=OUTPUT))
    body = json.dumps({name: number for number, name in enumerate(names)}).encode()
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=reader.wire_type)
    assert reader.read(json_text.parse(body), row=0) == (0, 1, 2, 3)


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        ("float", "1", "wrong_type"),
        ("float", True, "wrong_type"),
        ("float", None, "null_not_allowed"),
        ("float", float("inf"), "not_finite"),
        ("float", float("nan"), "not_finite"),
        ("float", 10**400, "not_finite"),
        ("integer", 1.5, "wrong_type"),
        ("integer", 2**63, "not_exact"),
        ("boolean", 1, "wrong_type"),
        ("text", 1, "wrong_type"),
        ("text", "x" * 10_001, "too_long"),
        ("datetime", "2026-02-30T00:00:00Z", "invalid_datetime"),
        ("datetime", "2026-03-01T00:00:00", "invalid_datetime"),
        ("datetime", "10000-01-01T00:00:00Z", "invalid_datetime"),
        ("datetime", 1_700_000_000, "wrong_type"),
        ("category", 3, "wrong_type"),
    ],
)
def test_what_does_not_fit_has_a_code_and_says_what_does(kind: Any, value: Any, code: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        read_cell(feature("f", kind), value, row=7)
    error = raised.value
    assert (error.code, error.row, error.field) == (code, 7, "f")
    assert error.what.en != error.what.ja
    assert error.remedy.en.startswith("send ")


def test_what_is_expected_is_said_of_every_kind() -> None:
    said = {one.name: expected(one) for one in FEATURES}
    assert said["codes"].en == "a whole number"
    assert said["mixed?"].en == "true or false or a whole number or a string, or null"
    assert all(text.ja for text in said.values())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed_json"),
        (b"NaN", "malformed_json"),
        (b"[1,]", "malformed_json"),
        (b'"\xff"', "malformed_json"),
        (b'"\\ud800"', "malformed_json"),
        (b"[" * 100_000, "malformed_json"),
        (b"1" * 5_000, "malformed_json"),
        (b"\xef\xbb\xbf1", "malformed_json"),
        (b'{"a": 1, "a": 2}', "duplicate_key"),
        (b'[{"b": {"a": 1, "\\u0061": 2}}]', "duplicate_key"),
    ],
)
def test_json_is_read_by_the_letter(body: bytes, code: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        json_text.parse(body)
    assert raised.value.code == code


def test_colons_in_strings_are_no_keys() -> None:
    json_text.check_keys(b'{"a": ":::::"}', at_most=1)
    with pytest.raises(InvalidInput):
        json_text.check_keys(b'{"a": 1, "a": 2}', at_most=1)
