"""Columns come back as the rows that went in, exactly, and take few bytes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.ledger.columns import FORMAT, Columns, Stored, decode, encode, packed, unpacked


def through(columns: Columns, names: tuple[str, ...]) -> list[dict[str, Any]]:
    stored = Stored(
        format=FORMAT,
        request_id="r",
        at="2026-01-01T00:00:00Z",
        latency_ms=1.0,
        rows=columns.rows,
        blocks=packed(columns),
        predictions=[1] * columns.rows,
        probabilities=None,
        flags={},
    )
    return unpacked(decode(encode(stored)), names)


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and (one == other)


@given(
    st.lists(
        st.tuples(
            st.none() | st.floats(allow_nan=False, allow_infinity=False),
            st.integers(-(2**63), 2**63 - 1),
            st.none() | st.integers(-(2**53), 2**53),
            st.none() | st.booleans(),
            st.none() | st.text() | st.integers(-(2**63), 2**63 - 1) | st.booleans(),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_every_cell_comes_back_exactly(rows: list[tuple[Any, ...]]) -> None:
    floats, whole, some, booleans, anything = ([*column] for column in zip(*rows, strict=True))

    def array(cells: list[Any]) -> Any:
        return np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)

    columns = Columns(
        rows=len(rows),
        cells=(
            (4, "any", anything),
            (0, "float", array(floats)),
            (1, "integer", np.array(whole, dtype=np.int64)),
            (2, "integer", array(some)),
            (3, "boolean", array(booleans)),
        ),
    )
    for row, found in zip(rows, through(columns, ("a", "b", "c", "d", "e")), strict=True):
        assert list(found) == ["a", "b", "c", "d", "e"]
        assert all(same(one, other) or one == other == 0 for one, other in zip(row, found.values(), strict=True)), found


def test_moments_are_rfc_3339_in_utc() -> None:
    moments = np.array(["2026-01-01T00:00:00", "NaT", "1969-12-31T23:59:59.000001"], dtype="datetime64[us]")
    found = through(Columns(rows=3, cells=((0, "datetime", moments),)), ("when",))
    assert [row["when"] for row in found] == ["2026-01-01T00:00:00Z", None, "1969-12-31T23:59:59.000001Z"]
    assert dt.datetime.fromisoformat(found[2]["when"]).tzinfo is not None


def test_what_is_left_out_is_not_there() -> None:
    assert through(Columns(rows=2, cells=((1, "boolean", np.array([True, False])),)), ("a", "b")) == [
        {"b": True},
        {"b": False},
    ]
    assert through(Columns(rows=2, cells=()), ("a",)) == [{}, {}]


def test_numbers_that_are_short_take_few_bytes() -> None:
    random = np.random.default_rng(0)
    wide = random.normal(size=1_000)
    for numbers, size in ((wide, 8_000), (wide.astype(np.float32).astype(float), 4_000), (np.round(wide * 20), 4_000)):
        (block,) = packed(Columns(rows=1_000, cells=((0, "float", numbers),)))
        assert len(block.data) == size
    (block,) = packed(Columns(rows=1_000, cells=((0, "integer", random.integers(0, 100, 1_000)),)))
    assert len(block.data) == 1_000


def test_a_later_format_is_refused() -> None:
    stored = Stored(2, "r", "at", 1.0, 1, [], [1], None, {})
    with pytest.raises(ValueError, match="format"):
        decode(encode(stored))
